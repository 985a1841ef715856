"""The dialogue of an installation, typed at a real terminal against a lab tenant, up to the images.

The host is a directory; its steps after the registration ask nothing. Whole hosts:
tests/e2e/test_terminal.py.
"""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pexpect
import pytest

from mstunnel_lab import remote
from mstunnel_setup.base.errors import ExitCode
from tests import programs
from tests.testbed.certificates import Authority, as_pfx
from tests.unit.running_lab import running_lab

SETUP = programs.path("mstunnel-setup")
ADDRESS = "gateway.contoso.example"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
SECONDS = 60


@dataclass
class Desk:
    """A person's environment: a directory with files, the host's root below it, and a lab tenant."""

    directory: Path
    lab: dict[str, Any]
    authority: Authority = field(default_factory=Authority)

    @property
    def root(self) -> Path:
        return self.directory / "host"

    def runs(self, **variables: str) -> "pexpect.spawn[str]":
        lab = self.lab["setup"].rpartition(" ")[2]
        shell = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        arguments = ["--root", str(self.root), "--lab", lab]
        return pexpect.spawn(
            SETUP, arguments, encoding="utf-8", dimensions=(24, 80), timeout=SECONDS,
            env={**shell, "TERM": "xterm-256color", "LANG": "C.UTF-8", **variables},
        )  # fmt: skip

    def certificate(self, name: str = ADDRESS, folder: str = ".", days: int = 90) -> tuple[str, str]:
        """Write chain and key for `name`, as an administrator would; return their paths."""
        (self.directory / folder).mkdir(exist_ok=True)
        files = [self.directory / folder / file for file in ("chain.pem", "key.pem")]
        for file, content in zip(files, self.authority.issue(name, days=days), strict=True):
            file.write_bytes(content)
            file.chmod(0o600)
        return str(files[0]), str(files[1])

    def approve(self, code: str, user: str = "admin@contoso.example") -> None:
        remote.approve(self.directory / "lab", code, user)

    def signs_in(self, child: "pexpect.spawn[str]", user: str = "admin@contoso.example") -> None:
        """Read the device code on the screen, and enter it on the sign-in page."""
        child.expect(r"enter this code:\s+(?:\x1b\[1m)?\s*([A-Z0-9-]{6,12})")
        assert isinstance(child.match, re.Match)
        self.approve(child.match[1], user)

    def answers(self, certificate: tuple[str, str] | None = None) -> dict[str, str]:
        """Return the site and the answers needed before the sign-in (without `env.sh`) as variables."""
        chain, key = certificate or self.certificate()
        given = {"MSTUNNEL_ACCEPT_EULA": "1", "MSTUNNEL_SITE": "Berlin"}
        return {**given, "MSTUNNEL_CERT": chain, "MSTUNNEL_KEY": key}

    def accepts(self, child: "pexpect.spawn[str]") -> None:
        """Accept the terms and continue to the prompt for the certificate."""
        after(child, "-- more", "q")
        after(child, "Do you accept these terms?", "yes")
        after(child, "then press Enter", "")


@pytest.fixture
def desk(private: Path) -> Iterator[Desk]:
    for name in ("etc", "run", "var/lib", "var/log", "root"):
        (private / "host" / name).mkdir(parents=True)
    with running_lab(private / "lab") as lab:
        yield Desk(private, lab)


def after(child: "pexpect.spawn[str]", shown: str, typed: str) -> None:
    """Wait until `shown` is on the screen, where long questions wrap, then type a line."""
    child.expect(re.escape(shown).replace(r"\ ", r"\s+"))
    child.sendline(typed)


def registered(child: "pexpect.spawn[str]") -> str:
    """Wait for the first prompt after the registration, stop there, and return the earlier output."""
    child.expect_exact("Image of the VPN server")
    shown = str(child.before)
    interrupted(child)
    return shown


def interrupted(child: "pexpect.spawn[str]") -> None:
    """Press Ctrl-C and check that the run ends with a hint on how to continue."""
    child.sendcontrol("c")
    child.expect_exact("Run the same command again to continue.")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130


def test_every_question_is_asked_once_and_in_order(desk: Desk) -> None:
    with desk.runs() as child:
        desk.accepts(child)
        after(child, "path of an existing certificate", "/nowhere.pem")
        chain, key = desk.certificate()
        after(child, "path of an existing certificate", chain)
        after(child, "private key", key)
        desk.signs_in(child)
        child.expect_exact("Servers")
        after(child, "Number or name", "7")
        after(child, '"7" is not in the list. Type a number from 1 to 2, or a name.', "Berlin")
        child.expect_exact("Registration in the tenant")
        registered(child)
    with desk.runs() as child:
        screen = ESCAPES.sub("", registered(child))
    assert "To sign in" not in screen, "a registered server signs in itself"
    assert "?" not in screen
    assert max(map(len, screen.splitlines())) <= 80


@pytest.mark.e2e
def test_wrong_choice_is_asked_again_without_a_new_sign_in(desk: Desk) -> None:
    """The right certificate expires earlier than the wrong one."""
    wrong = desk.certificate("vpn.elsewhere.example", "wrong")
    right = desk.certificate(ADDRESS, "right", days=60)
    with desk.runs() as child:
        after(child, "-- more", "q")
        after(child, "Do you accept these terms?", "sure")
        after(child, "Type yes or no.", "y")
        after(child, "then press Enter", "")
        after(child, "path of an existing certificate", wrong[0])
        after(child, "private key", "/nowhere.key")
        after(child, "There is no file /nowhere.key", wrong[0])
        after(child, "private key", wrong[1])
        desk.signs_in(child)
        after(child, "Number or name", "Berlin")
        child.expect_exact(ADDRESS)
        for choice in ("Choose another site", "Use another certificate", "Stop"):
            child.expect_exact(choice)
        after(child, "Number or name", "1")
        child.expect_exact("Servers")
        after(child, "Number or name", "Berlin")
        child.expect_exact("Use another certificate")
        after(child, "Number or name", "2")
        after(child, "Path of another certificate (Enter to go back, or type stop)", "")
        child.expect_exact("Choose another site")
        after(child, "Number or name", "2")
        after(child, "Path of another certificate", wrong[0])
        after(child, "private key", wrong[1])
        child.expect_exact("Choose another site")
        after(child, "Number or name", "1")
        child.expect_exact("Servers")
        after(child, "Number or name", "Berlin")
        child.expect_exact("Choose another site")
        after(child, "Number or name", "2")
        after(child, "Path of another certificate", "right.pem")
        child.expect_exact("There is no file right.pem")
        after(child, "Path of another certificate", right[0])
        after(child, "private key", right[1])
        child.expect_exact("Registration in the tenant")
        registered(child)
    assert (desk.root / "etc/mstunnel/certs/site.crt").read_bytes() in Path(right[0]).read_bytes()
    with desk.runs() as child:
        assert "To sign in" not in registered(child)


def test_another_account_signs_in_when_the_first_has_no_role(desk: Desk) -> None:
    with desk.runs(**desk.answers()) as child:
        after(child, "then press Enter", "")
        desk.signs_in(child, "reader@contoso.example")
        after(child, "Sign in with another account", "yes")
        desk.signs_in(child)
        screen = ESCAPES.sub("", registered(child))
    assert max(map(len, screen.splitlines())) <= 80


def test_an_account_without_the_role_may_stop(desk: Desk) -> None:
    with desk.runs(**desk.answers()) as child:
        after(child, "then press Enter", "")
        desk.signs_in(child, "reader@contoso.example")
        after(child, "Sign in with another account", "no")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == ExitCode.SIGN_IN


@pytest.mark.e2e
def test_right_certificate_replaces_a_wrong_one_stored_before(desk: Desk) -> None:
    """The first run stored the wrong certificate, which expires later and was never used."""
    wrong, right = desk.certificate("vpn.elsewhere.example", "wrong"), desk.certificate(days=60)
    with desk.runs(**desk.answers(wrong)) as child:
        after(child, "then press Enter", "")
        desk.signs_in(child)
        child.expect_exact("Use another certificate")
        after(child, "Number or name", "3")
        child.expect_exact("or correct the public address of the")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == ExitCode.CERTIFICATE
    with desk.runs(**desk.answers(right)) as child:
        desk.signs_in(child)
        assert "older" not in registered(child)


def test_a_wrong_passphrase_asks_again(desk: Desk) -> None:
    pfx = desk.directory / "site.pfx"
    pfx.write_bytes(as_pfx(*desk.authority.issue(ADDRESS), b"right"))
    with desk.runs() as child:
        desk.accepts(child)
        after(child, "path of an existing certificate", str(pfx))
        for typed in ("1", "2", "3"):
            after(child, f"Passphrase of {pfx}", typed)
        after(child, "Path of another certificate", "")
        after(child, f"Passphrase of {pfx}", "right")
        child.expect_exact("To sign in")
        interrupted(child)


@pytest.mark.e2e
def test_application_left_by_an_earlier_installation_is_replaced(desk: Desk) -> None:
    """The host of the earlier installation was reinstalled from scratch."""
    answers = desk.answers()
    with desk.runs(**answers) as child:
        after(child, "then press Enter", "")
        desk.signs_in(child)
        registered(child)
    for name in ("etc/mstunnel", "var/lib/mstunnel", "var/log/mstunnel"):
        shutil.rmtree(desk.root / name)
    with desk.runs(**answers) as child:
        after(child, "then press Enter", "")
        desk.signs_in(child)
        after(child, "Remove this record", "y")
        child.expect_exact("The tenant already has an application called mstunnel-gateway")
        after(child, "[y/N]", "y")
        registered(child)


def test_stopping_before_the_certificate_costs_no_sign_in(desk: Desk) -> None:
    with desk.runs() as child:
        after(child, "-- more", "q")
        after(child, "Do you accept these terms?", "yes")
        after(child, "then press Enter", "stop")
        child.expect_exact("it continues from here")
        child.expect(pexpect.EOF)
    with desk.runs() as child:
        after(child, "then press Enter", "")
        child.expect_exact("path of an existing certificate")
        assert "To sign in" not in str(child.before)
        interrupted(child)


def test_interrupt_at_the_licence_terms_leaves_nothing(desk: Desk) -> None:
    before = sorted(desk.root.rglob("*"))
    with desk.runs() as child:
        child.expect_exact("-- more")
        interrupted(child)
    assert [path for path in desk.root.rglob("*") if path not in before and path.is_file()] == []


def test_vendor_debug_variable_shows_sign_in_requests(desk: Desk) -> None:
    with desk.runs(mst_verbose_log="true", **desk.answers()) as child:
        after(child, "then press Enter", "")
        child.expect(r"enter this code:\s+(?:\x1b\[1m)?\s*([A-Z0-9-]{6,12})")
        shown = str(child.before)
        desk.approve(str(child.match[1]))
        shown = ESCAPES.sub("", shown + registered(child))
    for request in (
        r"POST \S+/oauth2/v2\.0/devicecode: \d+ ms, 200, request [0-9a-f-]{36}",
        r"GET \S+/beta/deviceManagement/microsoftTunnelSites: \d+ ms, 200, request [0-9a-f-]{36}",
        r"POST \S+/beta/applications: \d+ ms, 201, request [0-9a-f-]{36}",
        r"POST \S+/microsoftTunnelServers: \d+ ms, 201, request [0-9a-f-]{36}",
    ):
        assert re.search(request, shown), shown
    assert "eyJ" not in shown, "no token"
