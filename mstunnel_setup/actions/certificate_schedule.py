"""A certificate that is taken into use later: a persistent systemd timer, which survives a reboot."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Protocol

from mstunnel_setup.actions.files import Link, WriteFile
from mstunnel_setup.base import paths, rendering
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.io.systemd import Systemd
from mstunnel_setup.transaction.action import Action, Codec, Undo, Undone, UndoRecord
from mstunnel_setup.transaction.ports import HasFiles
from mstunnel_setup.transaction.receipt import Receipt

UNITS = paths.UNITS
WANTED = f"{UNITS}/timers.target.wants"
# systemd remembers here when a persistent timer ran last: systemd.timer(5), Persistent=.
_STAMPS = paths.TIMER_STAMPS
_LOCKED = 9


class HasTimers(HasFiles, Protocol):
    """Files and the service manager."""

    @property
    def systemd(self) -> Systemd:
        """The service manager."""
        ...


@dataclass(frozen=True, kw_only=True)
class ScheduleImport(Action[HasTimers]):
    """Have `program` take the generation `fingerprint` into use at the time `at` (ISO 8601, UTC).

    `copied` says that chain and key came from elsewhere and belong into their usual places afterwards;
    `instead_of` is the newer generation that an administrator agreed to give up for it, empty for none;
    `engine` is the one the gateway runs on. Without a `timer`, where no systemd runs, the monitor looks for
    what the journal holds.
    """

    kind: ClassVar[str] = "schedule-import"
    name: str
    at: str
    fingerprint: str
    program: str
    copied: bool = False
    instead_of: str = ""
    engine: str = "podman"
    timer: bool = True

    @property
    def key(self) -> str:
        """The name of the pending import."""
        return f"import:{self.name}"

    @property
    def due(self) -> datetime:
        """When it is taken into use."""
        return datetime.fromisoformat(self.at).astimezone(UTC)

    @property
    def unit(self) -> str:
        """The name of both units, without suffix."""
        return f"mstunnel-import-{self.name}"

    @property
    def parts(self) -> tuple[WriteFile, WriteFile, Link]:
        """The files that make it happen: service, timer, and what starts the timer at boot."""
        service = rendering.render(
            "systemd/mstunnel-import.service",
            name=self.name,
            program=self.program,
            locked=_LOCKED,
            engine=self.engine,
            rootless=paths.ROOTLESS,
        )
        timer = rendering.render("systemd/mstunnel-import.timer", name=self.name, at=self.due)
        return (
            WriteFile(path=f"{UNITS}/{self.unit}.service", text=service),
            WriteFile(path=f"{UNITS}/{self.unit}.timer", text=timer),
            Link(path=f"{WANTED}/{self.unit}.timer", target=f"{UNITS}/{self.unit}.timer"),
        )

    def describe(self) -> str:
        """What will be done."""
        return text(
            "activate the certificate {name} at {due:%Y-%m-%d %H:%M} UTC", name=self.name, due=self.due
        )

    def satisfied(self, ports: HasTimers, outputs: Outputs) -> bool:
        """Whether the units are there and the timer runs; without one, whether the journal has it."""
        if not self.timer:
            return self.key in outputs
        placed = all(part.satisfied(ports, outputs) for part in self.parts)
        return placed and ports.systemd.active(f"{self.unit}.timer")

    def capture(self, ports: HasTimers) -> JsonObject:
        """The units are named after their content and belong to us alone; a file may stand for the link."""
        *_, link = self.parts
        return link.capture(ports) if self.timer else {}

    def changed(self, ports: HasTimers, record: UndoRecord[HasTimers]) -> str:
        """A change of the link by others."""
        *_, link = self.parts
        return link.changed(ports, UndoRecord(record.before, [link])) if self.timer else ""

    def apply(self, ports: HasTimers, outputs: Outputs) -> JsonObject:
        """Write the units and start the timer; without one the journal record is the effect."""
        if not self.timer:
            return {}
        for part in self.parts:
            part.apply(ports, outputs)
        ports.systemd.daemon_reload()
        ports.systemd.start(f"{self.unit}.timer")
        return {}

    def undo(self, ports: HasTimers, record: UndoRecord[HasTimers]) -> Undone:
        """Stop the timer and remove what was written, also systemd's note of when it ran."""
        if not self.timer:
            return Undone(Undo.REMOVED)
        if ports.systemd.known(f"{self.unit}.timer"):
            ports.systemd.stop(f"{self.unit}.timer")
        *units, link = self.parts
        undone = link.undo(ports, UndoRecord(record.before, [link]))
        for path in (*(unit.path for unit in reversed(units)), f"{_STAMPS}/stamp-{self.unit}.timer"):
            # Also where nothing is: a writer that was killed has left its temporary file.
            ports.files.remove(path)
        ports.systemd.daemon_reload()
        # An import that failed.
        ports.systemd.forget_failure(f"{self.unit}.service")
        return undone if undone.outcome is Undo.KEPT else Undone(Undo.REMOVED)


_CODEC = Codec([ScheduleImport])


def pending_imports(receipt: Receipt) -> tuple[ScheduleImport, ...]:
    """The certificates that wait for their time, in the order they were handed in."""
    found = (entry.versions[-1] for entry in receipt.entries.values())
    loaded = (_CODEC.load(data) for data in found if data["kind"] == ScheduleImport.kind)
    return tuple(action for action in loaded if isinstance(action, ScheduleImport))
