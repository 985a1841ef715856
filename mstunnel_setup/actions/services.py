"""Our services on the host: unit file, link that starts it at boot, and the running service."""

from dataclasses import dataclass
from typing import ClassVar

from mstunnel_setup.actions.files import Link, WriteFile
from mstunnel_setup.actions.ports import HasUnits
from mstunnel_setup.base import paths
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord
from mstunnel_setup.transaction.ports import HasFiles

TARGET_DIRECTORY = f"{paths.UNITS}/{paths.BOOT_TARGET}.wants"


@dataclass(frozen=True, kw_only=True)
class InstallService(Action[HasUnits]):
    """Install, enable and start the service `unit` (`NAME.service`); `text` is its unit file."""

    kind: ClassVar[str] = "install-service"
    unit: str
    text: str

    @property
    def key(self) -> str:
        """The unit."""
        return f"service:{self.unit}"

    @property
    def file(self) -> WriteFile:
        """The unit file."""
        return WriteFile(path=f"{paths.UNITS}/{self.unit}", text=self.text)

    @property
    def link(self) -> Link:
        """The link that `systemctl enable` would create."""
        return Link(path=f"{TARGET_DIRECTORY}/{self.unit}", target=self.file.path)

    def describe(self) -> str:
        """What will be done."""
        return text("install and start the service {unit}", unit=self.unit)

    def satisfied(self, ports: HasUnits, outputs: Outputs) -> bool:
        """Whether the files match and the service runs."""
        placed = self.file.satisfied(ports, outputs) and self.link.satisfied(ports, outputs)
        return placed and ports.systemd.active(self.unit)

    def capture(self, ports: HasUnits) -> JsonObject:
        """Save the current files, if any."""
        return {"file": self.file.capture(ports), "link": self.link.capture(ports)}

    def changed(self, ports: HasUnits, record: UndoRecord[HasUnits]) -> str:
        """An edit of the unit file or of the link by others."""
        versions = _versions(record)
        file = self.file.changed(ports, _part(record, "file", [item.file for item in versions]))
        return file or self.link.changed(ports, _part(record, "link", [item.link for item in versions]))

    def apply(self, ports: HasUnits, outputs: Outputs) -> JsonObject:
        """Write the files, and start or restart the service."""
        self.file.apply(ports, outputs)
        self.link.apply(ports, outputs)
        ports.systemd.daemon_reload()
        ports.systemd.restart(self.unit)
        return {}

    def undo(self, ports: HasUnits, record: UndoRecord[HasUnits]) -> Undone:
        """Stop it and restore the earlier files; a unit file that others changed since is kept."""
        if ports.systemd.known(self.unit):
            ports.systemd.stop(self.unit)
        versions = _versions(record)
        link = self.link.undo(ports, _part(record, "link", [item.link for item in versions]))
        file = self.file.undo(ports, _part(record, "file", [item.file for item in versions]))
        ports.systemd.daemon_reload()
        return link if link.outcome is Undo.KEPT else file


def _versions(record: UndoRecord[HasUnits]) -> list[InstallService]:
    return [version for version in record.versions if isinstance(version, InstallService)]


def _part(
    record: UndoRecord[HasUnits], name: str, versions: list[WriteFile] | list[Link]
) -> UndoRecord[HasFiles]:
    before = record.before[name]
    return UndoRecord(before if isinstance(before, dict) else {}, versions, record.outputs)
