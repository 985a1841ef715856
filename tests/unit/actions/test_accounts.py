"""The account of a rootless gateway, with stand-ins for programs and accounts: created and removed."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.actions.service_account import (
    LINGERING,
    CreateAccount,
    EnableLinger,
    GiveDirectory,
    GiveIds,
    JoinGroup,
)
from mstunnel_setup.answers.model import AnswerFile
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.io import accounts
from mstunnel_setup.io.accounts import Account
from mstunnel_setup.transaction.action import Action, Undo
from tests.refusals import refused
from tests.unit.actions.host import Host, undo
from tests.unit.clocks import FakeClock

NAME = "mstunnel"
ME = 65534


class AccountHost(Host):
    """A host whose programs for accounts change the result of `accounts`; `busy` accounts have processes."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.clock = FakeClock()
        self.known: dict[str, Account] = {}
        self.members: dict[str, set[str]] = {}
        self.busy: set[str] = set()
        self.starts_managers = True
        for directory in ("/etc/skel", "/home", LINGERING, "/run/user"):
            self.files.make_directories(directory)
        self.files.write("/etc/skel/.profile", b"")

    def add(self, name: str, *, home: bool = True) -> None:
        self.known[name] = Account(name, ME, ME, f"/home/{name}")
        if home:
            self.files.make_directories(f"/home/{name}/.local")
            self.files.write(f"/home/{name}/.profile", b"")

    def _useradd(self, words: list[str]) -> tuple[int, str]:
        if words[-1] in self.known:
            return 9, ""
        self.add(words[-1])
        return 0, ""

    def _userdel(self, words: list[str]) -> tuple[int, str]:
        if words[-1] in self.busy:
            return 8, f"userdel: user {words[-1]} is currently used by process 4711"
        self.known.pop(words[-1])
        if "--remove" in words:
            self.files.remove_tree(f"/home/{words[-1]}")
        return 0, ""

    def _usermod(self, words: list[str]) -> tuple[int, str]:
        if words[0] == "--append":
            self.members.setdefault(words[2], set()).add(words[3])
            return 0, ""
        if words[0].startswith("--del") and words[-1] in self.busy:
            return 8, f"usermod: user {words[-1]} is currently used by process 4711"
        kind = words[0][6:-1]
        first, last = map(int, words[1].split("-"))
        line, path = f"{words[2]}:{first}:{last - first + 1}\n", f"/etc/{kind}"
        present = (self.files.read(path) or b"").decode()
        wanted = present + line if words[0].startswith("--add") else present.replace(line, "")
        self.files.write(path, wanted.encode())
        return 0, ""

    def _gpasswd(self, words: list[str]) -> tuple[int, str]:
        self.members[words[2]].discard(words[1])
        return 0, ""

    def _loginctl(self, words: list[str]) -> tuple[int, str]:
        verb, name = words
        manager = f"/run/user/{ME}/systemd"
        if verb == "enable-linger":
            self.files.write(f"{LINGERING}/{name}", b"")
            if self.starts_managers:
                self.files.make_directories(manager)
                self.files.write(f"{manager}/private", b"")
        elif name not in self.known:
            return 1, f"Failed to look up user {name}: No such process"
        else:
            self.files.remove(f"{LINGERING}/{name}")
            if name not in self.busy:
                self.files.remove_tree(f"/run/user/{ME}")
        return 0, ""


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AccountHost:
    made = AccountHost(tmp_path)
    monkeypatch.setattr(accounts, "find", made.known.get)
    monkeypatch.setattr(accounts, "is_member", lambda name, group: name in made.members.get(group, ()))
    return made


def there_and_back(host: AccountHost, action: Action) -> Undo:
    """Apply the action twice, as after an interruption, then undo it and return the outcome."""
    before = action.capture(host)
    assert not action.satisfied(host, {})
    for _ in range(2):
        action.apply(host, {})
        assert action.satisfied(host, {})
    return undo(host, action, before).outcome


ACTIONS: Sequence[Action] = (
    GiveIds(name=NAME, ids="subuid", first=165536),
    GiveIds(name=NAME, ids="subgid", first=165536),
    JoinGroup(name=NAME, group="systemd-journal"),
    EnableLinger(name=NAME),
)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.key)
def test_every_change_of_an_account_is_undone(host: AccountHost, action: Action) -> None:
    host.add(NAME)
    assert there_and_back(host, action) is Undo.REMOVED
    assert not action.satisfied(host, {})
    assert undo(host, action, {}).outcome is Undo.ABSENT


def test_account_gets_unused_ids(host: AccountHost) -> None:
    host.add(NAME)
    host.files.write("/etc/subuid", b"other:100000:65536\n")
    GiveIds(name=NAME, ids="subuid", first=165536).apply(host, {})
    assert host.files.read("/etc/subuid") == b"other:100000:65536\nmstunnel:165536:65536\n"


def test_account_is_created_and_removed_with_its_home(host: AccountHost) -> None:
    assert there_and_back(host, CreateAccount(name=NAME)) is Undo.REMOVED
    assert host.known == {}
    assert host.files.names("/home") == []


def test_account_has_the_usual_name_and_no_login(host: AccountHost) -> None:
    CreateAccount(name=AnswerFile(version=1).account).apply(host, {})
    (made,) = (shlex.split(command) for command in host.asked)
    assert made == ["useradd", "--create-home", "--shell", "/usr/sbin/nologin", "mstunnel"]


def test_account_without_its_home_is_recreated(host: AccountHost) -> None:
    """Check the state that a run leaves that was killed between account and home."""
    host.add(NAME, home=False)
    CreateAccount(name=NAME).apply(host, {})
    assert host.files.names("/home") == [NAME]
    assert [shlex.split(command)[0] for command in host.asked] == ["userdel", "useradd"]


def test_account_with_files_of_others_in_its_home_is_kept(host: AccountHost) -> None:
    host.add(NAME)
    host.files.write(f"/home/{NAME}/certificate.pem", b"theirs")
    action = CreateAccount(name=NAME)
    found = undo(host, action, {})
    assert found.outcome is Undo.KEPT
    assert "certificate.pem" in found.reason
    assert NAME in host.known


@pytest.mark.parametrize(
    ("action", "kept"),
    [
        (CreateAccount(name=NAME), "the account mstunnel: userdel: user"),
        (ACTIONS[0], "the ids mstunnel:165536:65536 in /etc/subuid: usermod: user"),
        (ACTIONS[1], "the ids mstunnel:165536:65536 in /etc/subgid: usermod: user"),
    ],
    ids=lambda value: value.key if isinstance(value, Action) else "",
)
def test_account_with_running_processes_is_kept_with_its_ids(
    host: AccountHost, action: Action, kept: str
) -> None:
    """Check a login, or the very command that asks root for the uninstallation."""
    host.add(NAME)
    action.apply(host, {})
    host.busy.add(NAME)
    found = undo(host, action, {})
    assert (found.outcome, found.reason) == (
        Undo.KEPT,
        f"{kept} mstunnel is currently used by process 4711",
    )


def test_user_manager_of_a_logged_in_account_is_awaited_briefly(
    host: AccountHost,
) -> None:
    host.add(NAME)
    action = EnableLinger(name=NAME)
    action.apply(host, {})
    host.busy.add(NAME)
    assert undo(host, action, {}).outcome is Undo.REMOVED
    assert 5 < host.clock.elapsed < 30


def test_lingering_of_a_removed_account_is_undone(host: AccountHost) -> None:
    host.add(NAME)
    action = EnableLinger(name=NAME)
    action.apply(host, {})
    host.known.clear()
    assert undo(host, action, {}).outcome is Undo.REMOVED
    assert host.files.names(LINGERING) == []


def test_user_manager_that_does_not_start_is_an_error(host: AccountHost) -> None:
    host.add(NAME)
    host.starts_managers = False
    with refused(StepError, "linger-failed"):
        EnableLinger(name=NAME).apply(host, {})


def test_failure_of_an_account_program_is_reported(
    host: AccountHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AccountHost, "_useradd", lambda _self, _words: (1, ""))
    with refused(StepError, "account-refused", "useradd --create-home") as caught:
        CreateAccount(name=NAME).apply(host, {})
    # An undo may be refused, too, so the hint names no command.
    assert caught.value.hint.endswith("then run the same command again.")


DIRECTORY = GiveDirectory(path="/etc/mstunnel", account=NAME)


def owner(host: AccountHost, path: str = DIRECTORY.path) -> int | None:
    state = host.files.state(path)
    return None if state is None else state.uid


@pytest.fixture
def given(host: AccountHost, monkeypatch: pytest.MonkeyPatch) -> AccountHost:
    """Return a host on which a change of owner is recorded, since it needs root."""
    owners: dict[str, int] = {}
    monkeypatch.setattr(type(host.files), "give", lambda _self, path, uid, _gid: owners.update({path: uid}))
    look = type(host.files).state

    def state(self: Any, path: str) -> Any:
        found = look(self, path)
        return found and type(found)(found.kind, found.mode, owners.get(path, 0), 0, found.target)

    monkeypatch.setattr(type(host.files), "state", state)
    host.add(NAME)
    return host


def test_created_directory_is_removed(given: AccountHost) -> None:
    assert there_and_back(given, DIRECTORY) is Undo.REMOVED
    assert owner(given) is None


def test_an_existing_directory_is_returned_to_its_owner(given: AccountHost) -> None:
    given.files.make_directories(DIRECTORY.path)
    given.files.write(f"{DIRECTORY.path}/env.sh", b"theirs")
    assert there_and_back(given, DIRECTORY) is Undo.RESTORED
    assert owner(given) == 0


def test_directory_with_files_of_others_is_returned_to_root(given: AccountHost) -> None:
    before = DIRECTORY.capture(given)
    DIRECTORY.apply(given, {})
    given.files.write(f"{DIRECTORY.path}/mine", b"theirs")
    assert owner(given) == ME
    assert undo(given, DIRECTORY, before).outcome is Undo.KEPT
    assert owner(given) == 0


def test_a_directory_needs_its_account(host: AccountHost) -> None:
    with refused(StepError, "account-missing"):
        DIRECTORY.apply(host, {})
