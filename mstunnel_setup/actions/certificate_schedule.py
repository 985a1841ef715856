"""A certificate that is taken into use later: a persistent systemd timer, which survives a reboot."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from typing_extensions import override

from mstunnel_setup.actions.files import Composite, Link, WriteFile
from mstunnel_setup.actions.host import Host
from mstunnel_setup.base import paths, rendering
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.transaction.action import Action, Codec, Undo, Undone, UndoRecord
from mstunnel_setup.transaction.receipt import Receipt

UNITS = paths.UNITS
WANTED = f"{UNITS}/timers.target.wants"
# systemd remembers here when a persistent timer ran last: systemd.timer(5), Persistent=.
_STAMPS = paths.TIMER_STAMPS
_LOCKED = 9


@dataclass(frozen=True, kw_only=True)
class ScheduleImport(Composite):
    """Have `program` take the generation `fingerprint` into use at the time `at` (ISO 8601, UTC).

    `copied` says that chain and key came from elsewhere and belong into their usual places afterwards;
    `instead_of` is the newer generation that an administrator agreed to give up for it, empty for none;
    `engine` is the one the gateway runs on. Without a `timer`, where no systemd runs, the monitor looks for
    what the journal holds.
    """

    kind: ClassVar[str] = "schedule-import"
    key_template: ClassVar[str] = "import:{name}"
    name: str
    at: str
    fingerprint: str
    program: str
    copied: bool = False
    instead_of: str = ""
    engine: str = "podman"
    timer: bool = True

    @property
    def due(self) -> datetime:
        """When it is taken into use."""
        return datetime.fromisoformat(self.at).astimezone(UTC)

    @property
    def unit(self) -> str:
        """The name of both units, without suffix."""
        return f"mstunnel-import-{self.name}"

    @property
    def units(self) -> tuple[WriteFile, WriteFile]:
        """Service and timer. They are named after their content and belong to us alone."""
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
        )

    @property
    @override
    def parts(self) -> Mapping[str, Action]:
        """What starts the timer at boot; a file may stand in its place."""
        link = Link(path=f"{WANTED}/{self.unit}.timer", target=f"{UNITS}/{self.unit}.timer")
        return {"": link} if self.timer else {}

    @override
    def describe(self) -> str:
        return text(
            "activate the certificate {name} at {due:%Y-%m-%d %H:%M} UTC", name=self.name, due=self.due
        )

    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        """Whether the units are there and the timer runs; without one, whether the journal has it."""
        if not self.timer:
            return self.key in outputs
        if not all(unit.satisfied(host, outputs) for unit in self.units):
            return False
        return super().satisfied(host, outputs) and host.systemd.active(f"{self.unit}.timer")

    @override
    def apply(self, host: Host, outputs: Outputs) -> JsonObject:
        """Write the units and start the timer; without one the journal record is the effect."""
        if self.timer:
            for unit in self.units:
                unit.apply(host, outputs)
            super().apply(host, outputs)
            host.systemd.daemon_reload()
            host.systemd.start(f"{self.unit}.timer")
        return {}

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Stop the timer and remove what was written, also systemd's note of when it ran."""
        if not self.timer:
            return Undone(Undo.REMOVED)
        if host.systemd.known(f"{self.unit}.timer"):
            host.systemd.stop(f"{self.unit}.timer")
        undone = super().undo(host, record)
        for path in (*(unit.path for unit in reversed(self.units)), f"{_STAMPS}/stamp-{self.unit}.timer"):
            # Also where nothing is: a writer that was killed has left its temporary file.
            host.files.remove(path)
        host.systemd.daemon_reload()
        return undone if undone.outcome is Undo.KEPT else Undone(Undo.REMOVED)


_CODEC = Codec([ScheduleImport])


def pending_imports(receipt: Receipt) -> tuple[ScheduleImport, ...]:
    """The certificates that wait for their time, in the order they were handed in."""
    found = (entry.versions[-1] for entry in receipt.entries.values())
    loaded = (_CODEC.load(data) for data in found if data["kind"] == ScheduleImport.kind)
    return tuple(action for action in loaded if isinstance(action, ScheduleImport))
