"""A new administrator: copy files to a host with a container engine, type one command, connect a device.

The host has no Python, and reaches nothing but the tenant, which is the lab.
"""

import os
import re
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mstunnel_setup.base.text import text, width
from mstunnel_setup.cli.framework.translation import language, translated, use
from tests.testbed import kinds, release
from tests.testbed.installation import ADMINISTRATOR, LAB, PUBLIC_ADDRESS, Installation
from tests.testbed.kinds import Kind
from tests.testbed.process import progress
from tests.testbed.release import Release
from tests.testbed.terminal import COLUMNS, Terminal
from tests.testbed.testbed import Testbed
from tests.testbed.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

# From the copy to serving, with the archive beside the program, on two cores that have nothing else to do.
# However busy the machine of the tests is, the walk takes no more time of its processors, which other work
# makes slower by half, but not by more.
SECONDS = 60
CHAIN = "/etc/mstunnel/certs/site.crt"
KEY = "/etc/mstunnel/private/site.key"
ARCHIVES = "/var/lib/mstunnel/images"


@dataclass(frozen=True)
class Way:
    """How the program comes to a host: what is copied there with the archive, and what is typed in /root.

    The program speaks the language of `locale`.
    """

    name: str
    host: Kind
    copied: Callable[[Release], Path]
    typed: str
    account: str = "root"
    locale: str = "C.UTF-8"

    def shown(self, text: str) -> str:
        """A text of the program as the terminal shows it."""
        use(language({"LANG": self.locale}))
        try:
            return translated(text)
        finally:
            use("en")


ONE_FILE = Way("one-file", kinds.BARE, lambda made: made.program, "sudo ./mstunnel-setup --lab {lab}")
JAPANESE = replace(ONE_FILE, name="japanese", locale="ja_JP.UTF-8")
_KEEP = f"sudo mkdir -p {ARCHIVES} && sudo mv mstunnel-images-*.tar {ARCHIVES}"
OTHERS = (
    Way(
        "deb",
        kinds.BARE,
        lambda made: made.packages["deb"],
        _KEEP + " && sudo dpkg --install mstunnel-setup*.deb && sudo mstunnel-setup --lab {lab}",
    ),
    # No registry of packages has Podman as an RPM package here: the host is Debian's, with the real rpm.
    Way(
        "rpm",
        kinds.BARE_RPM,
        lambda made: made.packages["rpm"],
        _KEEP + " && sudo rpm --install mstunnel-setup*.rpm && sudo mstunnel-setup --lab {lab}",
    ),
    Way(
        "rootless",
        kinds.BARE,
        lambda made: made.program,
        "sudo ./mstunnel-setup --lab {lab} --rootless",
        account="mstunnel",
    ),
)


@pytest.fixture
def host(request: pytest.FixtureRequest) -> Iterator[Installation]:
    """A booted host with nothing of ours on it."""
    way: Way = request.param
    with Testbed(kind=way.host) as testbed:
        installation = Installation(testbed, {})
        installation.start_lab()
        found = testbed.server.shell("command -v python3 python perl-base mstunnel-setup", check=False)
        assert found.stdout == ""
        yield installation


@pytest.mark.parametrize("host", [ONE_FILE], ids=[ONE_FILE.name], indirect=True)
def test_two_files_and_four_answers_make_a_gateway(host: Installation, recording: Path | None) -> None:
    before = processor_seconds(host)
    seconds = walk(host, ONE_FILE, recording)
    used = processor_seconds(host) - before
    load = f"{used:.1f} s of processors, load {os.getloadavg()[0]:.1f}"
    progress(f"walk: {seconds:.1f} s from the copy to serving ({load})")
    assert used <= SECONDS
    connect(host)


def processor_seconds(host: Installation) -> float:
    """What the host has taken of all processors (proc(5)): processes that ended count in those that waited.

    Those are processes of the host, and for what is typed at the terminal this one.
    """
    rows = host.server.shell("cat /proc/[0-9]*/stat", check=False).stdout.splitlines()
    ticks = sum(int(number) for row in rows for number in row.rpartition(") ")[2].split()[11:15])
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ticks / os.sysconf("SC_CLK_TCK") + ended.ru_utime + ended.ru_stime


@pytest.mark.long
@pytest.mark.parametrize(
    ("host", "way"), [(way, way) for way in OTHERS], ids=[way.name for way in OTHERS], indirect=["host"]
)
def test_packages_and_a_gateway_without_root_ask_the_same(host: Installation, way: Way) -> None:
    walk(host, way)
    connect(host)


@pytest.mark.long
@pytest.mark.parametrize("host", [JAPANESE], ids=[JAPANESE.name], indirect=True)
def test_the_same_is_asked_in_japanese(host: Installation, recording: Path | None) -> None:
    """What comes later is in Japanese as well; what programs read is not."""
    walk(host, JAPANESE, recording)
    connect(host)
    environment = {"LANG": JAPANESE.locale}
    with Terminal(host.server, ["mst-cli", "status"], environment) as terminal:
        assert terminal.end() == 0
    rows = [line.split() for line in terminal.screen.splitlines()]
    assert rows[0] == ["サイト", "Testbed"]
    assert {"証明書", "サーバー", "エージェント", "バージョン"} <= {row[0] for row in rows if row}
    # Between two looks the agent may have reported something new.
    assert eventually(lambda: len({status(host, locale) for locale in ("C.UTF-8", JAPANESE.locale)}) == 1)
    assert not re.search("[\u3040-\u30ff]", host.server.read("/var/log/mstunnel/setup.log"))


def status(host: Installation, locale: str) -> str:
    """What programs read of the gateway's state."""
    return host.server.run(["mst-cli", "status", "--output", "json"], env={"LANG": locale}).stdout


def walk(host: Installation, way: Way, recording: Path | None = None) -> float:
    """Copy, type, answer; the seconds until the program ends, which then serves. `recording` keeps it."""
    made = release.prepare(host.testbed.images)
    # As `mstunnel-lab serve` prints it.
    typed = way.typed.format(lab=host.lab["setup"].rpartition(" ")[2])
    begin = time.monotonic()
    host.server.copy([way.copied(made), made.archive], "/root")
    with Terminal(host.server, ["sh", "-c", f"cd /root && {typed}"], {"LANG": way.locale}) as terminal:
        answer(host, terminal, way)
        assert terminal.end(120) == 0, terminal.screen
        if recording:
            recorded = terminal.recording(typed)
            name = "walk" if way is ONE_FILE else f"walk.{way.name}"
            (recording / f"{name}.cast").write_text(recorded.cast())
            (recording / f"{name}.svg").write_text(recorded.svg())
    assert "Traceback" not in terminal.screen
    wide = [line for line in terminal.screen.splitlines() if width(line) > COLUMNS and len(line.split()) > 1]
    assert [line for line in wide if "sha256:" not in line] == []
    return time.monotonic() - begin


def answer(host: Installation, terminal: Terminal, way: Way) -> None:
    """Read what is asked, and answer it: terms, settings, certificate, sign-in, site."""
    terminal.wait_for(f"-- {way.shown('more: Enter; skip to the end: q')}")
    terminal.type("q")
    terminal.wait_for(way.shown("Do you accept these terms? Type yes or no"))
    terminal.type("yes")
    terminal.wait_for(
        way.shown(text("Edit the file now if needed, then press Enter (or type {stop})", stop="stop"))
    )
    terminal.type("")
    waiting = way.shown(
        text("Waiting for the TLS certificate: {context}. It is used as soon as it is complete.", context="…")
    )
    terminal.wait_for(waiting.partition(":")[0])
    for path, content in zip((CHAIN, KEY), host.authority.issue(PUBLIC_ADDRESS), strict=True):
        host.server.write("/root/copied", content, 0o600)
        host.server.shell(f"chown {way.account} /root/copied && mv /root/copied {path}")
    code = terminal.match(rf"{way.shown('and enter this code:')}\s+(?:\x1b\[1m)?\s*([A-Z0-9-]{{6,12}})")
    host.testbed.lab.run(["mstunnel-lab", "approve", code, "--user", ADMINISTRATOR, "--dir", LAB])
    number = terminal.match(rf"(\d) +Testbed +{re.escape(PUBLIC_ADDRESS)}")
    terminal.wait_for(f"{way.shown('Number or name')}:")
    terminal.type(number)


def connect(host: Installation) -> None:
    """The real client signs in at the gateway, and reaches the internal network."""
    assert host.fetch_internal_page(check=False).code != 0
    host.connect()
    host.await_page()
    host.disconnect()
