"""Our services on the host: unit file, link that starts it at boot, and the running service."""

from dataclasses import dataclass
from typing import ClassVar

from mstunnel_setup.actions.files import Link, WriteFile
from mstunnel_setup.actions.host import Host
from mstunnel_setup.base import paths
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord

TARGET_DIRECTORY = f"{paths.UNITS}/{paths.BOOT_TARGET}.wants"


@dataclass(frozen=True, kw_only=True)
class InstallService(Action):
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
        return f"install and start the service {self.unit}"

    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        """Whether the files match and the service runs."""
        placed = self.file.satisfied(host, outputs) and self.link.satisfied(host, outputs)
        return placed and host.systemd.active(self.unit)

    def capture(self, host: Host) -> JsonObject:
        """Save the current files, if any."""
        return {"file": self.file.capture(host), "link": self.link.capture(host)}

    def changed(self, host: Host, record: UndoRecord) -> str:
        """An edit of the unit file or of the link by others."""
        versions = _versions(record)
        file = self.file.changed(host, _part(record, "file", [item.file for item in versions]))
        return file or self.link.changed(host, _part(record, "link", [item.link for item in versions]))

    def apply(self, host: Host, outputs: Outputs) -> JsonObject:
        """Write the files, and start or restart the service."""
        self.file.apply(host, outputs)
        self.link.apply(host, outputs)
        host.systemd.daemon_reload()
        host.systemd.restart(self.unit)
        return {}

    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Stop it and restore the earlier files; a unit file that others changed since is kept."""
        if host.systemd.known(self.unit):
            host.systemd.stop(self.unit)
        versions = _versions(record)
        link = self.link.undo(host, _part(record, "link", [item.link for item in versions]))
        file = self.file.undo(host, _part(record, "file", [item.file for item in versions]))
        host.systemd.daemon_reload()
        return link if link.outcome is Undo.KEPT else file


def _versions(record: UndoRecord) -> list[InstallService]:
    return [version for version in record.versions if isinstance(version, InstallService)]


def _part(record: UndoRecord, name: str, versions: list[WriteFile] | list[Link]) -> UndoRecord:
    before = record.before[name]
    return UndoRecord(before if isinstance(before, dict) else {}, versions, record.outputs)
