"""Units: configuration of others', files of ours, services that start at boot, and targets."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import ClassVar

from typing_extensions import override

from mstunnel_setup.actions.files import Composite, Link, WriteFile
from mstunnel_setup.actions.host import Host
from mstunnel_setup.base import paths
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.containers import quadlet
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord

TARGET_DIRECTORY = f"{paths.UNITS}/{paths.BOOT_TARGET}.wants"


@dataclass(frozen=True, kw_only=True)
class ConfigureUnit(Composite):
    """Write the file `path` that `unit` reads (a drop-in, the configuration of an engine); restart the unit.

    It is restarted if it runs.
    """

    kind: ClassVar[str] = "configure-unit"
    key_template: ClassVar[str] = "unit-file:{path}"
    description: ClassVar[str] = text("write {path} and apply it to {unit}")
    unit: str
    path: str
    text: str
    mode: int = 0o644

    @property
    def file(self) -> WriteFile:
        """The file alone."""
        return WriteFile(path=self.path, text=self.text, mode=self.mode)

    @property
    @override
    def parts(self) -> Mapping[str, Action]:
        return {"": self.file}

    @override
    def take_up(self, host: Host) -> None:
        if not host.systemd.running():
            return
        host.systemd.daemon_reload()
        if host.systemd.active(self.unit):
            host.systemd.restart(self.unit)


@dataclass(frozen=True, kw_only=True)
class InstallUnit(Composite):
    """Write a unit file; reload systemd."""

    kind: ClassVar[str] = "install-unit"
    key_template: ClassVar[str] = "unit:{path}"
    description: ClassVar[str] = text("install unit {path}")
    path: str
    text: str

    @property
    @override
    def parts(self) -> Mapping[str, Action]:
        return {"": WriteFile(path=self.path, text=self.text)}

    @override
    def take_up(self, host: Host) -> None:
        host.systemd.daemon_reload()


@dataclass(frozen=True, kw_only=True)
class InstallQuadlet(InstallUnit):
    """Write a Quadlet file that Podman's generator accepts; reload systemd."""

    kind: ClassVar[str] = "install-quadlet"
    key_template: ClassVar[str] = "quadlet:{path}"

    @override
    def prepare(self, host: Host, outputs: Outputs) -> None:
        quadlet.check(host.files, host.processes, PurePosixPath(self.path).name, self.text)

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Also remove a draft that an interrupted check left behind."""
        quadlet.discard(host.files, PurePosixPath(self.path).name)
        return super().undo(host, record)


@dataclass(frozen=True, kw_only=True)
class InstallService(Composite):
    """Install, enable and start the service `unit` (`NAME.service`); `text` is its unit file."""

    kind: ClassVar[str] = "install-service"
    key_template: ClassVar[str] = "service:{unit}"
    description: ClassVar[str] = text("install and start the service {unit}")
    unit: str
    text: str

    @property
    @override
    def parts(self) -> Mapping[str, Action]:
        """The unit file, and the link that `systemctl enable` would create."""
        file = f"{paths.UNITS}/{self.unit}"
        return {
            "file": WriteFile(path=file, text=self.text),
            "link": Link(path=f"{TARGET_DIRECTORY}/{self.unit}", target=file),
        }

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        """Whether the files match and the service runs."""
        return super().satisfied(host, outputs) and host.systemd.active(self.unit)

    @override
    def take_up(self, host: Host) -> None:
        host.systemd.daemon_reload()

    @override
    def apply(self, host: Host, outputs: Outputs) -> JsonObject:
        """Write the files, and start or restart the service."""
        super().apply(host, outputs)
        host.systemd.restart(self.unit)
        return {}

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Stop it and restore the earlier files."""
        if host.systemd.known(self.unit):
            host.systemd.stop(self.unit)
        return super().undo(host, record)


@dataclass(frozen=True, kw_only=True)
class ReachTarget(Action):
    """Start a target that other units wait for. It stays active until the next boot, which is harmless."""

    kind: ClassVar[str] = "reach-target"
    key_template: ClassVar[str] = "target:{unit}"
    description: ClassVar[str] = text("start {unit}")
    unit: str

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        return host.systemd.active(self.unit)

    @override
    def apply(self, host: Host, outputs: Outputs) -> JsonObject:
        host.systemd.start(self.unit)
        return {}

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Nothing to do: it ends with the next boot."""
        return Undone(Undo.ABSENT)
