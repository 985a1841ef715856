"""The service account of a rootless gateway, and the directories of less privileged users.

Actions of root: account, subordinate ids, group, linger; directories of the account, of the agent, and the
mailbox of agent and host.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from typing_extensions import override

from mstunnel_setup.actions.host import Host
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.base.paths import AGENT_USER
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.exchange import mailbox
from mstunnel_setup.io import accounts
from mstunnel_setup.io.errors import ProcessError
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord

IdKind: TypeAlias = Literal["subuid", "subgid"]

IDS = 65536
"""Number of subordinate ids of each kind that containers need."""
JOURNAL_GROUP = "systemd-journal"
"""Its members can read the system's journal, which contains the containers' logs."""
LINGERING = "/var/lib/systemd/linger"

_SECONDS = 300.0
_SECONDS_TO_END = 15.0
_PAUSE = 0.1
# Directories that our programs and Podman create in the home of the account.
_OWN_DIRECTORIES = frozenset({".cache", ".config", ".local"})


def creation(name: str) -> tuple[str, ...]:
    """Return the command that creates the account, without login (useradd(8))."""
    return ("useradd", "--create-home", "--shell", "/usr/sbin/nologin", name)


def id_range(name: str, kind: IdKind, first: int, verb: str = "add") -> tuple[str, ...]:
    """Return the command that adds subordinate ids from `first` on, or removes them (usermod(8))."""
    return ("usermod", f"--{verb}-{kind}s", f"{first}-{first + IDS - 1}", name)


def lingering(name: str) -> tuple[str, ...]:
    """Return the command that starts the account's services at boot, without a login (loginctl(1))."""
    return ("loginctl", "enable-linger", name)


class CreateAccount(Action):
    """Create the account with its home and subordinate ids. Undo removes it, unless others use its home."""

    kind = "create-account"
    key_template = "account:{name}"
    description = text("create service account {name} (no login)")
    name: str

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        return accounts.find(self.name) is not None

    @override
    def apply(self, host: Host, outputs: Outputs) -> None:
        """Create it, again if an interrupted run has not created the home. Raises StepError."""
        found = accounts.find(self.name)
        if found is not None and host.files.state(found.home) is None:
            _run(host, self.name, ("userdel", self.name))
            found = None
        if found is None:
            _run(host, self.name, creation(self.name))

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Remove account and home; keep both if others put files into the home, or a program of it runs."""
        found = accounts.find(self.name)
        if found is None:
            return Undone(Undo.ABSENT)
        known = _OWN_DIRECTORIES | set(host.files.names("/etc/skel"))
        others = sorted(set(host.files.names(found.home)) - known)
        if others:
            return Undone(Undo.KEPT, f"the account {self.name}: {found.home} contains {', '.join(others)}")
        done = host.processes.run(("userdel", "--remove", self.name), timeout=_SECONDS, check=False)
        if accounts.find(self.name) is not None:
            return Undone(Undo.KEPT, f"the account {self.name}: {done.error.strip() or 'userdel failed'}")
        return Undone(Undo.REMOVED)


class GiveIds(Action):
    """Give an existing account a range of subordinate ids, from `first` on."""

    kind = "give-ids"
    key_template = "{ids}:{name}"
    name: str
    ids: IdKind
    first: int

    @override
    def describe(self) -> str:
        return text("give {name} {count} ids in /etc/{file}", name=self.name, count=IDS, file=self.ids)

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        return self._line in (host.files.read(f"/etc/{self.ids}") or b"").decode().splitlines()

    def apply(self, host: Host, outputs: Outputs) -> None:
        """Add the range, unless an interrupted run has done so."""
        if not self.satisfied(host, outputs):
            _run(host, self.name, id_range(self.name, self.ids, self.first))

    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Remove the range; keep it if usermod(8) refuses, as while a program of the account is running."""
        if not self.satisfied(host, record.outputs):
            return Undone(Undo.ABSENT)
        command = id_range(self.name, self.ids, self.first, "del")
        done = host.processes.run(command, timeout=_SECONDS, check=False)
        if self.satisfied(host, record.outputs):
            reason = done.error.strip() or "usermod failed"
            return Undone(Undo.KEPT, f"the ids {self._line} in /etc/{self.ids}: {reason}")
        return Undone(Undo.REMOVED)

    @property
    def _line(self) -> str:
        return f"{self.name}:{self.first}:{IDS}"


class JoinGroup(Action):
    """Make the account a member of a group."""

    kind = "join-group"
    key_template = "member:{group}:{name}"
    description = text("make {name} a member of {group}")
    name: str
    group: str

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        return accounts.is_member(self.name, self.group)

    @override
    def apply(self, host: Host, outputs: Outputs) -> None:
        _run(host, self.name, ("usermod", "--append", "--groups", self.group, self.name))

    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Remove the account from the group (gpasswd(1))."""
        if not self.satisfied(host, record.outputs):
            return Undone(Undo.ABSENT)
        _run(host, self.name, ("gpasswd", "--delete", self.name, self.group))
        return Undone(Undo.REMOVED)


class EnableLinger(Action):
    """Start the services of the account at boot, without a login."""

    kind = "enable-linger"
    key_template = "linger:{name}"
    description = text("let the services of {name} run without a login")
    name: str

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        return host.files.state(f"{LINGERING}/{self.name}") is not None

    @override
    def apply(self, host: Host, outputs: Outputs) -> None:
        """Enable it, and wait for the service manager of the account. Raises StepError."""
        _run(host, self.name, lingering(self.name))
        if not _within(host, lambda: host.files.state(self._manager) is not None, _SECONDS):
            raise StepError(
                "linger-failed",
                "the service manager of the account {name} does not start",
                hint="Check `journalctl --unit systemd-logind --unit 'user@*'`.",
                name=self.name,
            )

    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Disable it; without a login this ends every program of the account."""
        if not self.satisfied(host, record.outputs):
            return Undone(Undo.ABSENT)
        if accounts.find(self.name) is None:
            # logind does not know a removed account, and keeps its file.
            host.files.remove(f"{LINGERING}/{self.name}")
            return Undone(Undo.REMOVED)
        _run(host, self.name, ("loginctl", "disable-linger", self.name))
        # If the account is logged in, its systemd stays; the wait then ends at its timeout, without an error.
        _within(host, lambda: host.files.state(self._manager) is None, _SECONDS_TO_END)
        return Undone(Undo.REMOVED)

    @property
    def _manager(self) -> str:
        found = accounts.find(self.name)
        return f"/run/user/{'' if found is None else found.uid}/systemd/private"


def _within(host: Host, reached: Callable[[], bool], seconds: float) -> bool:
    end = host.clock.monotonic() + seconds
    while not reached():
        if host.clock.monotonic() > end:
            return False
        host.clock.sleep(_PAUSE)
    return True


def _run(host: Host, name: str, command: Sequence[str]) -> None:
    try:
        host.processes.run(command, timeout=_SECONDS)
    except ProcessError as error:
        raise StepError(
            "account-refused",
            "cannot change the account {name}: {reason}",
            hint="Run `{command}` to find the cause, then run the same command again.",
            name=name,
            reason=error.message,
            command=" ".join(command),
        ) from error


class GivenDirectory(Action):
    """Create the directory `path` if it is missing, and change the owner of it and its content.

    This is only for directories of settings: container storage belongs to many users.
    """

    key_template = "folder:{path}"
    path: str

    @abstractmethod
    def owner(self) -> tuple[int, int]:
        """Return the new user and group id. Raises StepError if there are none yet."""

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        state = host.files.state(self.path)
        return state is not None and state.uid == self.owner()[0]

    def capture(self, host: Host) -> JsonObject:
        """Return the earlier owner; None if the directory does not exist yet."""
        state = host.files.state(self.path)
        return {"uid": None if state is None else state.uid, "gid": None if state is None else state.gid}

    @override
    def apply(self, host: Host, outputs: Outputs) -> None:
        uid, gid = self.owner()
        if host.files.state(self.path) is None:
            host.files.make_directory(self.path, 0o755)
        host.files.give(self.path, uid, gid)

    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Remove the directory if it is empty; else restore its owner, or root if it had none."""
        uid, gid = record.before["uid"], record.before["gid"]
        if host.files.state(self.path) is None:
            return Undone(Undo.ABSENT)
        if uid is None and host.files.remove_directory(self.path):
            return Undone(Undo.REMOVED)
        host.files.give(self.path, int(str(uid or 0)), int(str(gid or 0)))
        if uid is None:
            return Undone(Undo.KEPT, f"{self.path} contains files that mstunnel-setup did not write")
        return Undone(Undo.RESTORED)


class GiveDirectory(GivenDirectory):
    """Give a directory to the service account `account`."""

    kind = "give-folder"
    description = text("give the directory {path} to {account}")
    account: str

    def owner(self) -> tuple[int, int]:
        """Return the ids of the account. Raises StepError `account-missing`."""
        found = accounts.find(self.account)
        if found is None:
            raise StepError(
                "account-missing",
                "the account {name} does not exist",
                hint="Run mstunnel-setup again; it creates the account.",
                name=self.account,
            )
        return found.uid, found.gid

    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        """Return whether the account exists and owns the directory."""
        return accounts.find(self.account) is not None and super().satisfied(host, outputs)


class GiveToAgent(GivenDirectory):
    """Give a directory to the agent, whose user id no account of this host has."""

    kind = "give-to-agent"
    description = text("let the agent write to {path}")

    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Remove the content without following links, then the directory, or restore its owner."""
        host.files.empty(self.path)
        return super().undo(host, record)

    def owner(self) -> tuple[int, int]:
        """Return the agent's user id; the group is not changed."""
        return AGENT_USER, -1


_MAILBOX = (paths.MESSAGES, paths.INBOX, paths.OUTBOX)


class OpenMailbox(Action):
    """Create the directories for messages between agent and monitor."""

    kind = "open-mailbox"
    key_template = f"mailbox:{paths.MESSAGES}"
    description = text("create the mailbox {messages}", messages=paths.MESSAGES)

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        states = [host.files.state(directory) for directory in _MAILBOX]
        return all(state is not None and state.kind == "directory" for state in states)

    @override
    def apply(self, host: Host, outputs: Outputs) -> None:
        for directory in _MAILBOX:
            host.files.make_directories(directory, 0o755)

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Remove the directories with the content of the inbox and the messages of the monitor.

        Other files and their directories are kept.
        """
        if host.files.state(paths.MESSAGES) is None:
            return Undone(Undo.ABSENT)
        host.files.empty(paths.INBOX)
        for message in (*(kind.reply for kind in mailbox.KINDS), mailbox.OFFER, mailbox.SUMMARY):
            host.files.remove(message)
        gone = [
            host.files.state(directory) is None or host.files.remove_directory(directory)
            for directory in reversed(_MAILBOX)
        ]
        if all(gone):
            return Undone(Undo.REMOVED)
        return Undone(Undo.KEPT, f"{paths.MESSAGES} contains files that mstunnel-setup did not write")
