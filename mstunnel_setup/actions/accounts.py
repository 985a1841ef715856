"""The service account of a rootless gateway, as actions of root: account, subordinate ids, group, linger."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, TypeAlias

from typing_extensions import override

from mstunnel_setup.actions.ports import HasProcesses
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.io import accounts
from mstunnel_setup.io.errors import ProcessError
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord
from mstunnel_setup.transaction.ports import HasClock

IdKind: TypeAlias = Literal["subuid", "subgid"]

IDS = 65536
"""Number of subordinate ids of each kind that containers need."""
JOURNAL_GROUP = "systemd-journal"
"""Its members can read the system's journal, which contains the logs of the containers."""
LINGERING = "/var/lib/systemd/linger"

_SECONDS = 300.0
_PAUSE = 0.1
# Directories that our programs and Podman create in the home of the account.
_OWN_DIRECTORIES = frozenset({".cache", ".config", ".local"})


def creation(name: str) -> tuple[str, ...]:
    """The command that creates the account, without login (useradd(8))."""
    return ("useradd", "--create-home", "--shell", "/usr/sbin/nologin", name)


def id_range(name: str, kind: IdKind, first: int, verb: str = "add") -> tuple[str, ...]:
    """The command that gives the account subordinate ids from `first` on, or removes them (usermod(8))."""
    return ("usermod", f"--{verb}-{kind}s", f"{first}-{first + IDS - 1}", name)


def lingering(name: str) -> tuple[str, ...]:
    """The command that lets the account's services run from boot on, without a login (loginctl(1))."""
    return ("loginctl", "enable-linger", name)


class HasAccounts(HasProcesses, HasClock, Protocol):
    """Files, programs and the clock: what changes of accounts need."""


@dataclass(frozen=True, kw_only=True)
class CreateAccount(Action[HasAccounts]):
    """Create the account with its home and subordinate ids. Undo removes it, unless others use its home."""

    kind: ClassVar[str] = "create-account"
    name: str

    @property
    @override
    def key(self) -> str:
        return f"account:{self.name}"

    @override
    def describe(self) -> str:
        return text("create service account {name} (no login)", name=self.name)

    @override
    def satisfied(self, ports: HasAccounts, outputs: Outputs) -> bool:
        return accounts.find(self.name) is not None

    @override
    def apply(self, ports: HasAccounts, outputs: Outputs) -> JsonObject:
        """Create it; again, if an interrupted run has not created the home. Raises StepError."""
        found = accounts.find(self.name)
        if found is not None and ports.files.state(found.home) is None:
            _run(ports, self.name, ("userdel", self.name))
            found = None
        if found is None:
            _run(ports, self.name, creation(self.name))
        return {}

    @override
    def undo(self, ports: HasAccounts, record: UndoRecord[HasAccounts]) -> Undone:
        """Remove account and home; both are kept when others put files there, or a program is running."""
        found = accounts.find(self.name)
        if found is None:
            return Undone(Undo.ABSENT)
        known = _OWN_DIRECTORIES | set(ports.files.names("/etc/skel"))
        others = sorted(set(ports.files.names(found.home)) - known)
        if others:
            return Undone(Undo.KEPT, f"the account {self.name}: {found.home} contains {', '.join(others)}")
        done = ports.processes.run(("userdel", "--remove", self.name), timeout=_SECONDS, check=False)
        if accounts.find(self.name) is not None:
            return Undone(Undo.KEPT, f"the account {self.name}: {done.error.strip() or 'userdel failed'}")
        return Undone(Undo.REMOVED)


@dataclass(frozen=True, kw_only=True)
class GiveIds(Action[HasAccounts]):
    """Give an existing account a range of subordinate ids, from `first` on."""

    kind: ClassVar[str] = "give-ids"
    name: str
    ids: IdKind
    first: int

    @property
    def key(self) -> str:
        """The account and the kind of ids."""
        return f"{self.ids}:{self.name}"

    @override
    def describe(self) -> str:
        return text("give {name} {ids} ids in /etc/{ids_2}", name=self.name, ids=IDS, ids_2=self.ids)

    @override
    def satisfied(self, ports: HasAccounts, outputs: Outputs) -> bool:
        return self._line in (ports.files.read(f"/etc/{self.ids}") or b"").decode().splitlines()

    def apply(self, ports: HasAccounts, outputs: Outputs) -> JsonObject:
        """Add it, unless an interrupted run has done so."""
        if not self.satisfied(ports, outputs):
            _run(ports, self.name, id_range(self.name, self.ids, self.first))
        return {}

    def undo(self, ports: HasAccounts, record: UndoRecord[HasAccounts]) -> Undone:
        """Remove it."""
        if not self.satisfied(ports, record.outputs):
            return Undone(Undo.ABSENT)
        _run(ports, self.name, id_range(self.name, self.ids, self.first, "del"))
        return Undone(Undo.REMOVED)

    @property
    def _line(self) -> str:
        return f"{self.name}:{self.first}:{IDS}"


@dataclass(frozen=True, kw_only=True)
class JoinGroup(Action[HasAccounts]):
    """Make the account a member of a group."""

    kind: ClassVar[str] = "join-group"
    name: str
    group: str

    @property
    def key(self) -> str:
        """The group and the account."""
        return f"member:{self.group}:{self.name}"

    @override
    def describe(self) -> str:
        return text("make {name} a member of {group}", name=self.name, group=self.group)

    @override
    def satisfied(self, ports: HasAccounts, outputs: Outputs) -> bool:
        return accounts.is_member(self.name, self.group)

    @override
    def apply(self, ports: HasAccounts, outputs: Outputs) -> JsonObject:
        _run(ports, self.name, ("usermod", "--append", "--groups", self.group, self.name))
        return {}

    def undo(self, ports: HasAccounts, record: UndoRecord[HasAccounts]) -> Undone:
        """Remove it from the group (gpasswd(1))."""
        if not self.satisfied(ports, record.outputs):
            return Undone(Undo.ABSENT)
        _run(ports, self.name, ("gpasswd", "--delete", self.name, self.group))
        return Undone(Undo.REMOVED)


@dataclass(frozen=True, kw_only=True)
class EnableLinger(Action[HasAccounts]):
    """Let the services of the account run from boot on, without a login."""

    kind: ClassVar[str] = "enable-linger"
    name: str

    @property
    @override
    def key(self) -> str:
        return f"linger:{self.name}"

    @override
    def describe(self) -> str:
        return text("let the services of {name} run without a login", name=self.name)

    @override
    def satisfied(self, ports: HasAccounts, outputs: Outputs) -> bool:
        """Whether lingering is enabled in systemd-logind."""
        return ports.files.state(f"{LINGERING}/{self.name}") is not None

    @override
    def apply(self, ports: HasAccounts, outputs: Outputs) -> JsonObject:
        """Enable it, and wait for the service manager of the account. Raises StepError."""
        _run(ports, self.name, lingering(self.name))
        if not _within(ports, lambda: ports.files.state(self._manager) is not None):
            raise StepError(
                "linger-failed",
                "the service manager of the account {name} does not start",
                hint="Check `journalctl --unit systemd-logind --unit 'user@*'`.",
                name=self.name,
            )
        return {}

    def undo(self, ports: HasAccounts, record: UndoRecord[HasAccounts]) -> Undone:
        """Disable it; without a login this ends every program of the account."""
        if not self.satisfied(ports, record.outputs):
            return Undone(Undo.ABSENT)
        if accounts.find(self.name) is None:
            # logind does not know a removed account, and keeps its file.
            ports.files.remove(f"{LINGERING}/{self.name}")
            return Undone(Undo.REMOVED)
        _run(ports, self.name, ("loginctl", "disable-linger", self.name))
        _within(ports, lambda: ports.files.state(self._manager) is None)
        return Undone(Undo.REMOVED)

    @property
    def _manager(self) -> str:
        found = accounts.find(self.name)
        return f"/run/user/{'' if found is None else found.uid}/systemd/private"


def _within(ports: HasAccounts, reached: Callable[[], bool]) -> bool:
    end = ports.clock.monotonic() + _SECONDS
    while not reached():
        if ports.clock.monotonic() > end:
            return False
        ports.clock.sleep(_PAUSE)
    return True


def _run(ports: HasAccounts, name: str, command: Sequence[str]) -> None:
    try:
        ports.processes.run(command, timeout=_SECONDS)
    except ProcessError as error:
        raise StepError(
            "account-refused",
            "cannot change the account {name}: {reason}",
            hint="Run `{command}` to find the cause, then run mstunnel-setup again.",
            name=name,
            reason=error.message,
            command=" ".join(command),
        ) from error
