"""systemd units, and files that a program of the host reads."""

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import PurePosixPath
from typing import ClassVar, Final, Literal

from typing_extensions import override

from mstunnel_setup.actions.files import Composite, CopyFile, Link, WriteFile
from mstunnel_setup.actions.host import Host
from mstunnel_setup.base import paths
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import Outputs
from mstunnel_setup.containers import quadlet
from mstunnel_setup.io.errors import ProcessError
from mstunnel_setup.transaction.action import Action, OneWayAction, Undo, Undone, UndoRecord

TARGET_DIRECTORY = f"{paths.UNITS}/{paths.BOOT_TARGET}.wants"


class ConfigureUnit(Composite):
    """Write the file `path` that `unit` reads, and restart the unit if it runs.

    The file is a drop-in or the configuration of an engine.
    """

    kind = "configure-unit"
    key_template = "unit-file:{path}"
    description = text("write {path} and apply it to {unit}")
    unit: str
    path: str
    text: str
    mode: int = 0o644

    @property
    def file(self) -> WriteFile:
        """The action that writes only the file."""
        return WriteFile(path=self.path, text=self.text, mode=self.mode)

    @property
    @override
    def parts(self) -> Mapping[str, Action]:
        return {"": self.file}

    @override
    def take_up(self, host: Host) -> None:
        if not host.systemd.running():
            return
        host.systemd.reload_if_changed(self.unit)
        if host.systemd.active(self.unit):
            host.systemd.restart(self.unit)


class InstallUnit(Composite):
    """Write a unit file and reload systemd."""

    kind = "install-unit"
    key_template = "unit:{path}"
    description = text("install unit {path}")
    path: str
    text: str

    @property
    @override
    def parts(self) -> Mapping[str, Action]:
        return {"": WriteFile(path=self.path, text=self.text)}

    @override
    def take_up(self, host: Host) -> None:
        host.systemd.daemon_reload()


class InstallQuadlet(InstallUnit):
    """Write a Quadlet file that Podman's generator accepts, and reload systemd."""

    kind = "install-quadlet"
    key_template = "quadlet:{path}"

    @override
    def prepare(self, host: Host, outputs: Outputs) -> None:
        quadlet.check(host.files, host.processes, PurePosixPath(self.path).name, self.text)

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Remove the file, and a draft that an interrupted check left behind."""
        quadlet.discard(host.files, PurePosixPath(self.path).name)
        return super().undo(host, record)


class InstallService(Composite):
    """Install, enable and start the service `unit` (`NAME.service`); `text` is its unit file."""

    kind = "install-service"
    key_template = "service:{unit}"
    description = text("install and start the service {unit}")
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
        return super().satisfied(host, outputs) and host.systemd.active(self.unit)

    @override
    def take_up(self, host: Host) -> None:
        host.systemd.reload_if_changed(self.unit)

    @override
    def apply(self, host: Host, outputs: Outputs) -> None:
        super().apply(host, outputs)
        host.systemd.restart(self.unit)

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        if host.systemd.known(self.unit):
            host.systemd.stop(self.unit)
        return super().undo(host, record)


class ReachTarget(OneWayAction):
    """Start a target that other units wait for. It stays active until the next boot, which is harmless."""

    kind = "reach-target"
    key_template = "target:{unit}"
    description = text("start {unit}")
    unit: str

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        return host.systemd.active(self.unit)

    @override
    def apply(self, host: Host, outputs: Outputs) -> None:
        host.systemd.start(self.unit)


class EnableInitScript(Action):
    """Enable an init script of OpenRC or System V init. Only release 0.2.0 did; now it is only disabled."""

    kind = "enable-init-script"
    key_template = "init-script:{name}"
    description = text("enable /etc/init.d/{name} at boot")
    init: Literal["openrc", "sysv"]
    name: str = "mstunnel"
    now: bool = False

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        return True

    @override
    def apply(self, host: Host, outputs: Outputs) -> None:
        return

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Stop and disable it with the init system's program; keep the links if that fails."""
        script = f"/etc/init.d/{self.name}"
        if self.now and host.files.state(script) is not None:
            with suppress(ProcessError):  # the links are removed even if stopping hangs
                host.processes.run((script, "stop"), timeout=300)
        # Links of System V have the prefix S and two digits (update-rc.d(8)).
        openrc = self.init == "openrc"
        directory, prefix = ("/etc/runlevels/default", "") if openrc else ("/etc/rc2.d", "S..")
        names = host.files.names(directory) if host.files.state(directory) is not None else ()
        if not any(re.fullmatch(f"{prefix}{self.name}", name) for name in names):
            return Undone(Undo.ABSENT)
        disable = ("rc-update", "del", self.name, "default")
        try:
            host.processes.run(disable if openrc else ("update-rc.d", "-f", self.name, "remove"), timeout=300)
        except ProcessError as error:
            return Undone(Undo.KEPT, f"the links to {script}: {error.message!s}")
        return Undone(Undo.REMOVED)


AUDIT_LOADER: Final = "augenrules"


class LoadedFile(Composite):
    """Write the file `path` and have `loader` (program and arguments) read it, as it does at each boot.

    The installation continues if the program refuses the file or was uninstalled.
    """

    loader: ClassVar[tuple[str, ...]]
    path: str

    @override
    def take_up(self, host: Host) -> None:
        if host.processes.find(self.loader[0]) is not None:
            host.processes.run(self.loader, timeout=60, check=False)


class WriteAuditRules(LoadedFile):
    """Write the audit rules `path` and load all rules of the host; only root can read them.

    Locked rules, and rules refused because of others, take effect at the next boot: a gateway does not
    require auditing.
    """

    kind = "write-audit-rules"
    key_template = "audit:{path}"
    description = text("write the audit rules {path} and load them")
    loader = (AUDIT_LOADER, "--load")
    text: str

    @property
    @override
    def parts(self) -> Mapping[str, Action]:
        return {"": WriteFile(path=self.path, text=self.text, mode=0o640)}


class WriteMessageCatalogue(LoadedFile):
    """Copy the file `source` to `path` and update the journal's catalogue.

    Only release 0.2.0 did; now it is only undone.
    """

    kind = "write-message-catalogue"
    key_template = "catalogue:{path}"
    description = text("copy {source} to {path} and update the journal's catalogue")
    loader = ("journalctl", "--update-catalog")
    source: str
    digest: str

    @property
    @override
    def parts(self) -> Mapping[str, Action]:
        return {"": CopyFile(path=self.path, source=self.source, digest=self.digest)}
