"""Root's part of a rootless gateway is killed around and in programs, and after each record of the journal.

The kill loops of tests/crash run without accounts; here, replacements for their programs change files.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.actions.codec import CODEC
from mstunnel_setup.actions.units import ReachTarget, WriteAuditRules
from mstunnel_setup.install.steps import host_part, program
from mstunnel_setup.io import accounts
from mstunnel_setup.io.process import Completed
from mstunnel_setup.readiness.facts.host import HostReader
from mstunnel_setup.readiness.facts.section import Settings
from mstunnel_setup.transaction.journal import Journal
from mstunnel_setup.transaction.runner import Runner
from mstunnel_setup.transaction.step import Step
from tests.parameters import sample
from tests.unit.actions.test_accounts import ME, NAME, AccountHost

OF_ROOT = {
    "create-account",
    "give-ids",
    "join-group",
    "enable-linger",
    "give-folder",
    "reach-target",
    "install-uplink",
    "write-audit-rules",
}


class Killed(BaseException):
    """The end of the process, which nothing catches."""


class Mortal(AccountHost):
    """A host that dies at the `end`-th moment: before and after a program, and after a record."""

    end = 0
    moment = 0

    def pass_moment(self) -> None:
        self.moment += 1
        if self.moment == self.end:
            raise Killed

    def run(self, arguments: Sequence[str], **options: Any) -> Completed:
        self.pass_moment()
        done = super().run(arguments, **options)
        self.pass_moment()
        return done

    def add(self, name: str, *, home: bool = True) -> None:
        super().add(name, home=home)
        self.files.write("/etc/passwd", f"{name}:x:{ME}:{ME}::/home/{name}:/bin/sh\n".encode())

    def _useradd(self, words: list[str]) -> tuple[int, str]:
        """Create the account a moment before its home."""
        if words[-1] not in self.known:
            self.add(words[-1], home=False)
            self.pass_moment()
            self.known.pop(words[-1])
        return super()._useradd(words)

    def _userdel(self, words: list[str]) -> tuple[int, str]:
        self.files.write("/etc/passwd", b"")
        return super()._userdel(words)

    def _journalctl(self, words: list[str]) -> tuple[int, str]:
        return 0, ""

    def state(self) -> dict[str, str]:
        """Return all state that outlasts a run, without the journal."""
        tree = {str(path.relative_to(self.files.root)): path for path in self.files.root.rglob("*")}
        shown = {
            name: str(path.readlink()) if path.is_symlink() else path.read_text() if path.is_file() else "/"
            for name, path in tree.items()
            if "var/lib/mstunnel" not in name
        }
        members = {f"member of {group}": str(sorted(names)) for group, names in self.members.items() if names}
        return {**shown, **members, "known": str(sorted(self.known))}


def runner(host: Mortal, journal: Journal) -> Runner:
    append = journal.append

    def recorded(kind: str, **fields: Any) -> None:
        append(kind, **fields)
        host.pass_moment()

    journal.append = recorded  # type: ignore[method-assign]
    return Runner(host, journal, CODEC, host.clock, lambda _event: None)


def steps(host: Mortal, *, there: bool) -> list[Step[Any, Any]]:
    def look(_context: object) -> host_part.ServiceAccount:
        facts = HostReader(host.files, host.clock, Settings(mode="rootless"), {}).rootless()
        # An account that was there before has no ids; a new one gets them from useradd.
        known = facts if there else facts.model_copy(update={"subuids": 65536, "subgids": 65536})
        receipt = Journal(host.files, host.clock, host.state_directory).receipt
        incomplete = host_part.is_incomplete(host.files, receipt, NAME)
        return host_part.ServiceAccount(known, accounts.is_member(NAME, "systemd-journal"), incomplete)

    return [
        Step("account", "", look, host_part.ACCOUNT.decide),
        Step("boot", "", lambda _run: True, host_part.BOOT.decide),
        Step(
            "uplink",
            "",
            lambda _run: host_part.Uplink(NAME, 443, "/usr/sbin/program"),
            host_part.UPLINK.decide,
        ),
        Step(
            "audit",
            "",
            lambda _run: program.Audit(active=True, watched=("/etc/mstunnel",)),
            program.AUDIT.decide,
        ),
        Step("logs", "", lambda _run: _logs(), program.LOGS.decide),
    ]


def _logs() -> program.Logs:
    own = program.RotatedLog(f"/home/{NAME}/.local/state/mstunnel/log", NAME, NAME)
    return program.Logs(logrotate=True, rotated=(program.RotatedLog("/var/log/mstunnel"), own))


@pytest.fixture
def host_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, bool], Mortal]:
    """Return a function that makes a new host, with or without the account."""

    def make(name: str, there: bool) -> Mortal:
        (tmp_path / name).mkdir()
        host = Mortal(tmp_path / name)
        monkeypatch.setattr(accounts, "find", host.known.get)
        monkeypatch.setattr(accounts, "is_member", lambda who, group: who in host.members.get(group, ()))
        # A change of owner needs root, so it is only recorded in a file next to the directory.
        monkeypatch.setattr(type(host.files), "give", lambda *_given: None)
        for directory in ("/etc/audit/rules.d", "/etc/logrotate.d"):
            host.files.make_directories(directory)
        for file in ("passwd", "subuid", "subgid"):
            host.files.write(f"/etc/{file}", b"")
        if there:
            host.add(NAME)
        return host

    return make


def run(host: Mortal, *, there: bool) -> None:
    journal = Journal(host.files, host.clock, host.state_directory)
    try:
        runner(host, journal).run(steps(host, there=there), None)
    finally:
        journal.close()


def undo(host: Mortal) -> None:
    journal = Journal(host.files, host.clock, host.state_directory)
    runner(host, journal).undo()
    journal.close()


@pytest.mark.parametrize(
    "there", sample([False, True], kept=[False]), ids=["new account", "account that was there"]
)
def test_killed_run_is_completed_and_undone(host_of: Callable[[str, bool], Mortal], there: bool) -> None:
    undisturbed = host_of("undisturbed", there)
    before = undisturbed.state()
    run(undisturbed, there=there)
    after, moments = undisturbed.state(), undisturbed.moment
    undo(undisturbed)
    assert undisturbed.state() == before
    assert moments > 20

    for end in range(1, moments + 1):
        host = host_of(f"continued-{end}", there)
        host.end = end
        with pytest.raises(Killed):
            run(host, there=there)
        run(host, there=there)
        assert host.state() == after, f"moment {end}"

        host = host_of(f"undone-{end}", there)
        host.end = end
        with pytest.raises(Killed):
            run(host, there=there)
        undo(host)
        assert host.state() == before, f"moment {end}"


def test_kinds_of_actions_of_root_are_listed() -> None:
    modules = ("service_account", "uplink")
    kinds = {kind.kind for kind in CODEC._kinds.values() if kind.__module__.endswith(modules)}
    further = {ReachTarget.kind, WriteAuditRules.kind}
    assert kinds - {"give-to-agent", "open-mailbox"} | further == OF_ROOT
