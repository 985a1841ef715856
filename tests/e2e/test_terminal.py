"""The installation typed by a person: a real terminal, one question after the other."""

import re
from dataclasses import dataclass

import pytest

from tests.testbed.host_tree import host_tree
from tests.testbed.installation import ADMINISTRATOR, LAB, PUBLIC_ADDRESS, Installation
from tests.testbed.terminal import COLUMNS, CTRL_C, CTRL_D, Terminal

pytestmark = pytest.mark.e2e

CHAIN = "/etc/mstunnel/certs/site.crt"
KEY = "/etc/mstunnel/private/site.key"
SETTINGS = "/etc/mstunnel/env.sh"
QUESTION = re.compile(r"(: |\[y/N\] |-- )$", re.MULTILINE)


@dataclass
class Person:
    """A person at the server's terminal who knows the tenant and all answers."""

    host: Installation
    certificate: tuple[bytes, bytes]

    def runs(self, *command: str, **answers: str) -> Terminal:
        """Type a command; `answers` are those given by the environment."""
        tenant = {
            "MSTUNNEL_TENANT_CLOUD": "custom",
            "MSTUNNEL_TENANT_AUTHORITY": self.host.lab["authority"],
            "MSTUNNEL_TENANT_GRAPH": self.host.lab["graph"],
            "MSTUNNEL_CA_FILE": "/root/lab-ca.pem",
        }
        return Terminal(self.host.server, command or ("mstunnel-setup",), {**tenant, **answers})

    def runs_later(self, *command: str) -> Terminal:
        """Type a command without any answer: the installation knows where its tenant is."""
        return Terminal(self.host.server, command or ("mstunnel-setup",), {})

    def signs_in(self, terminal: Terminal) -> None:
        """Read the code from the screen and enter it on another device."""
        code = terminal.match(r"enter this code:\s+(?:\x1b\[1m)?\s*([A-Z0-9-]{6,12})")
        self.host.testbed.lab.run(["mstunnel-lab", "approve", code, "--user", ADMINISTRATOR, "--dir", LAB])

    def copies_the_certificate(self) -> None:
        """Bring chain and key to the places that the screen names."""
        self.host.server.write(CHAIN, self.certificate[0])
        self.host.server.write(KEY, self.certificate[1], 0o600)


@pytest.fixture
def person(host: Installation) -> Person:
    return Person(host, host.authority.issue(PUBLIC_ADDRESS))


def read(terminal: Terminal, code: int) -> str:
    """Wait for the end with exit code `code`; the screen, which a person can read."""
    ended = terminal.end(120)
    screen = terminal.screen
    assert ended == code, screen
    assert "Traceback" not in screen
    wide = [line for line in screen.splitlines() if len(line) > COLUMNS and len(line.split()) > 1]
    assert [line for line in wide if not line.startswith("Image of ")] == []
    return screen


def test_a_gateway_is_installed_and_removed_by_typing(person: Person) -> None:
    host = person.host
    before, tenant = host_tree(host), host.tenant()
    decline_the_terms(person)
    assert host_tree(host) == before

    stop_to_edit_the_settings(person)
    host.server.write(SETTINGS, host.server.read(SETTINGS) + "TRACE_SESSIONS=2\n", 0o640)
    finish(person)
    assert "TRACE_SESSIONS=2" in host.server.read(SETTINGS)
    assert len(host.tenant()["servers"]) == 1

    host.await_verdict()
    installed = host.server.snapshot()
    find_everything_in_order(person)
    decline_the_removal(person)
    assert host.server.snapshot() == installed

    remove(person)
    # What a person brought or edited stays; the rest of the host is as before.
    left = {"/etc/mstunnel", SETTINGS, "/etc/mstunnel/certs", CHAIN, "/etc/mstunnel/private", KEY}
    after = host_tree(host)
    assert {path: entry for path, entry in after.items() if path not in left} == before
    assert left <= after.keys()
    assert host.tenant() == tenant


def decline_the_terms(person: Person) -> None:
    with person.runs(NO_COLOR="1") as terminal:
        terminal.wait_for("LICENCE AND TERMS OF USE")
        terminal.wait_for("-- more")
        terminal.type("")
        terminal.wait_for("Do you accept these terms?")
        terminal.type("no")
        assert "]: the terms were not accepted; nothing was changed" in read(terminal, 2)
        assert "\x1b" not in terminal.raw


def stop_to_edit_the_settings(person: Person) -> None:
    with person.runs() as terminal:
        terminal.wait_for("-- more")
        terminal.type("q")
        terminal.wait_for("Do you accept these terms?")
        terminal.type("yes")
        terminal.wait_for(f"The settings of the gateway are in {SETTINGS}:")
        for name in ("http_proxy", "https_proxy", "no_proxy", "TRACE_SESSIONS", "DEBUG_LEVEL"):
            terminal.match(rf"{name} +\w[^\n]*not set")
        terminal.wait_for("then press Enter")
        terminal.type("stop")
        screen = read(terminal, 11)
        assert "waiting[" in screen
        assert "run the same command again; it continues from here" in screen
        assert "To sign in" not in screen


def sign_in_and_choose_the_site(person: Person, terminal: Terminal) -> None:
    """Nothing that a person has to fetch comes after this."""
    terminal.wait_for("Client id, or")
    terminal.type(person.host.lab["client_id"])
    person.signs_in(terminal)
    for heading in ("No.", "Name", "Address", "Servers"):
        terminal.wait_for(heading)
    number = terminal.match(rf"(\d) +Testbed +{re.escape(PUBLIC_ADDRESS)} +0")
    terminal.wait_for("Number or name:")
    terminal.type("99")
    # Other tests of the same testbed may have left sites of theirs in the tenant.
    terminal.match(r'"99" is not in the list\. Type a number from 1 to \d+, or a name\.')
    terminal.type(number)


def finish(person: Person) -> None:
    """One sign-in is enough for all that follows; no note is shown twice."""
    with person.runs() as terminal:
        go_on_with_the_settings(terminal)
        bring_the_certificate_slowly(person, terminal)
        sign_in_and_choose_the_site(person, terminal)
        name_the_images(person, terminal)
        screen = read(terminal, 0)
        assert "accept these terms" not in screen
        assert screen.count("To sign in") == 1
        assert screen.count("Not usable yet") == 1
        notes = re.findall(r"^Certificate: .*$", screen, re.MULTILINE)
        assert len(notes) == len(set(notes))
        assert re.search(r"Step (\d+) of \1\b", screen)
        assert "The gateway is installed." in screen
        assert re.search(rf"Address: +{re.escape(PUBLIC_ADDRESS)}, port \d+ \(TCP and UDP\)\n", screen)
        assert re.search(r"Site: +Testbed\n", screen)
        assert re.search(r"Certificate: +\d+ days left\n", screen)
        assert "Check the gateway with `mst-cli status`." in screen


def bring_the_certificate_slowly(person: Person, terminal: Terminal) -> None:
    """Read the exact places on the screen; copy half of the key first."""
    terminal.wait_for("Waiting for the TLS certificate")
    for place in (CHAIN, KEY, "/etc/mstunnel/private/site.pfx"):
        terminal.match(rf"(?<!\S){re.escape(place)}[\s.,]")
    person.host.server.write(CHAIN, person.certificate[0])
    person.host.server.write(KEY, person.certificate[1][:80], 0o600)
    terminal.wait_for("Not usable yet: the key file is damaged")
    person.copies_the_certificate()


def find_everything_in_order(person: Person) -> None:
    with person.runs_later() as terminal:
        screen = read(terminal, 0)
        assert "Nothing was changed." in screen
        assert QUESTION.search(screen) is None


def decline_the_removal(person: Person) -> None:
    with person.runs("mst-cli", "uninstall") as terminal:
        terminal.wait_for("Remove the gateway from this server and the tenant? [y/N]")
        terminal.type("no")
        assert "nothing was removed" in read(terminal, 2)


def remove(person: Person) -> None:
    with person.runs_later("mst-cli", "uninstall") as terminal:
        terminal.wait_for("[y/N]")
        terminal.type("yes")
        person.signs_in(terminal)
        screen = read(terminal, 0)
        assert "Removed from this server and from the tenant." in screen
        assert re.search(r"\nChanges undone: \d+ removed, \d+ restored, \d+ left in place\.\n", screen)
        assert "  undone: " not in screen
        assert f"left in place: {SETTINGS} was changed outside mstunnel-setup" in " ".join(screen.split())


def go_on_with_the_settings(terminal: Terminal) -> None:
    """A slip of the keyboard is no reason to start again."""
    terminal.match(r"TRACE_SESSIONS +.* 2\s")
    terminal.wait_for("then press Enter")
    terminal.type("maybe")
    terminal.wait_for("Press Enter to continue, or type stop.")
    terminal.wait_for("then press Enter")
    terminal.type("")


def name_the_images(person: Person, terminal: Terminal) -> None:
    """Only a program that is no release asks for them."""
    terminal.wait_for("Image of the VPN server")
    terminal.type("gateway:latest")
    terminal.wait_for("must name an image by digest")
    terminal.wait_for("Image of the VPN server")
    terminal.type(person.host.references["gateway"])
    terminal.wait_for("Image of the agent")
    terminal.type(person.host.references["agent"])


@dataclass(frozen=True)
class Stop:
    """A point at which a person may interrupt: what the screen shows, and what is typed the next time."""

    shown: str
    answer: str = ""
    reads_input: bool = True


def stops(person: Person) -> tuple[Stop, ...]:
    return (
        Stop("-- more", "q"),
        Stop("Do you accept these terms?", "yes"),
        Stop("then press Enter"),
        Stop("path of an existing certificate", reads_input=False),
        Stop("Client id, or", person.host.lab["client_id"]),
        Stop("Waiting ...", reads_input=False),
        Stop("Number or name", "Testbed"),
        Stop("Image of the VPN server", person.host.references["gateway"]),
        Stop("Image of the agent", person.host.references["agent"]),
    )


# The first of the stops at which something has been changed.
CHANGED = 2


def give_up(person: Person, places: tuple[Stop, ...], key: str) -> str:
    """Go on as far as the last of `places`, and press `key` there; the screen."""
    *passed, last = places
    with person.runs() as terminal:
        for place in passed:
            if place.shown == "Waiting ...":
                person.signs_in(terminal)
                continue
            terminal.wait_for(place.shown)
            if place.reads_input:
                terminal.type(place.answer)
            else:
                person.copies_the_certificate()
        terminal.wait_for(last.shown)
        terminal.press(key)
        return read(terminal, 130 if key == CTRL_C else 2)


@pytest.mark.long
def test_an_interrupted_run_continues_later(person: Person) -> None:
    host = person.host
    before, tenant = host_tree(host), host.tenant()
    places = stops(person)
    # Where a run begins that continues, and where it is given up.
    for first, last in ((0, 0), (0, 1), (0, 2), (2, 3), (3, 4), (4, 5), (4, 6), (5, 7), (7, 8)):
        screen = give_up(person, places[first : last + 1], CTRL_C)
        assert screen.endswith(
            "^C\nstopped[interrupted]: interrupted\n  Run the same command again to continue.\n"
        ), screen
        if last < CHANGED:
            assert host_tree(host) == before
    host.program("mstunnel-setup", "rollback", "--unattended")
    assert host.tenant() == tenant


def test_the_end_of_the_input_is_reported(person: Person) -> None:
    before = host_tree(person.host)
    for first, last in ((0, 0), (0, 1), (0, 2), (2, 3), (3, 4)):
        screen = give_up(person, stops(person)[first : last + 1], CTRL_D)
        assert "error[input-ended]: the input ended before the question was answered" in screen
        assert (host_tree(person.host) == before) == (last < CHANGED)


def test_colors_are_for_those_who_want_them(person: Person) -> None:
    for environment, colored in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        with person.runs("mstunnel-setup", "--answers", "/nowhere.yaml", **environment) as terminal:
            screen = read(terminal, 2)
        assert "]: the answer file /nowhere.yaml cannot be read" in screen
        assert ("\x1b[1;31merror[" in terminal.raw) == colored
        assert ("\x1b" in terminal.raw) == colored
