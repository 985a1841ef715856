"""Actions that run containers: directories, unit file, Quadlet file, service, container without systemd."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import ClassVar

from typing_extensions import override

from mstunnel_setup.actions.files import MakeDirectory, WriteFile
from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.containers import control, quadlet
from mstunnel_setup.containers.engine import ContainerState
from mstunnel_setup.containers.launch import LOG_LINES, launch_failure, wait_until_up
from mstunnel_setup.containers.ports import HasEngine
from mstunnel_setup.containers.spec import CONFIGURATION_LABEL, ContainerSpec
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord
from mstunnel_setup.transaction.ports import HasFiles


@dataclass(frozen=True, kw_only=True)
class MakeStateDirectory(MakeDirectory):
    """Create a directory for a container's state; undo removes it with its content."""

    kind: ClassVar[str] = "make-state-directory"

    def describe(self) -> str:
        """What will be done."""
        return text("create directory {path} for the state of the container", path=self.path)

    def undo(self, ports: HasFiles, record: UndoRecord[HasFiles]) -> Undone:
        """Remove the directory with its content; links are not followed."""
        ports.files.empty(self.path)
        return super().undo(ports, record)


@dataclass(frozen=True, kw_only=True)
class _InstallUnitFile(Action[HasEngine]):
    """Write a file that systemd or a generator turns into a service; reload systemd."""

    path: str
    text: str

    @property
    def file(self) -> WriteFile:
        """The file part of this action."""
        return WriteFile(path=self.path, text=self.text)

    @override
    def describe(self) -> str:
        return text("install unit {path}", path=self.path)

    def satisfied(self, ports: HasEngine, outputs: Outputs) -> bool:
        """Whether the file matches."""
        return self.file.satisfied(ports, outputs)

    def capture(self, ports: HasEngine) -> JsonObject:
        """Save the current file, if there is one."""
        return self.file.capture(ports)

    def apply(self, ports: HasEngine, outputs: Outputs) -> JsonObject:
        """Write it, reload systemd."""
        self.file.apply(ports, outputs)
        ports.systemd.daemon_reload()
        return {}

    def changed(self, ports: HasEngine, record: UndoRecord[HasEngine]) -> str:
        """An edit of the file by others."""
        return self.file.changed(ports, _of_file(record))

    def undo(self, ports: HasEngine, record: UndoRecord[HasEngine]) -> Undone:
        """Restore the earlier file, unless others have changed it since; reload systemd."""
        undone = self.file.undo(ports, _of_file(record))
        if undone.outcome is not Undo.KEPT:
            ports.systemd.daemon_reload()
        return undone


@dataclass(frozen=True, kw_only=True)
class InstallUnit(_InstallUnitFile):
    """Write a unit file; reload systemd."""

    kind: ClassVar[str] = "install-unit"

    @property
    @override
    def key(self) -> str:
        return f"unit:{self.path}"


@dataclass(frozen=True, kw_only=True)
class InstallQuadlet(_InstallUnitFile):
    """Write a Quadlet file that Podman's generator accepts; reload systemd."""

    kind: ClassVar[str] = "install-quadlet"

    @property
    @override
    def key(self) -> str:
        return f"quadlet:{self.path}"

    def apply(self, ports: HasEngine, outputs: Outputs) -> JsonObject:
        """Check it, write it, reload systemd."""
        quadlet.check(ports.files, ports.processes, PurePosixPath(self.path).name, self.text)
        return super().apply(ports, outputs)

    def undo(self, ports: HasEngine, record: UndoRecord[HasEngine]) -> Undone:
        """Also remove a draft that an interrupted check left behind."""
        quadlet.discard(ports.files, PurePosixPath(self.path).name)
        return super().undo(ports, record)


@dataclass(frozen=True, kw_only=True)
class StartService(Action[HasEngine]):
    """Start the service `unit` and wait until its `container` is up with the configuration `label_digest`."""

    kind: ClassVar[str] = "start-service"
    depends_on_newer: ClassVar[bool] = True  # on unit and image
    unit: str
    container: str
    label_digest: str
    timeout: float = 600.0

    @property
    @override
    def key(self) -> str:
        return f"service:{self.unit}"

    @override
    def describe(self) -> str:
        return text("start service {unit}", unit=self.unit)

    @override
    def satisfied(self, ports: HasEngine, outputs: Outputs) -> bool:
        """Whether the service runs the container of that configuration."""
        if not ports.systemd.active(self.unit):
            return False
        return _runs(ports.engine.inspect(self.container), self.label_digest)

    @override
    def apply(self, ports: HasEngine, outputs: Outputs) -> JsonObject:
        """Start it, or restart it with the new configuration, and wait for it."""
        self.begin(ports)
        self.wait(ports)
        return {}

    def begin(self, ports: HasEngine) -> None:
        """Start it, or restart it with the new configuration."""
        _refuse_foreign(self.container, ports.engine.inspect(self.container))
        try:
            if ports.systemd.active(self.unit):
                ports.systemd.restart(self.unit)
            else:
                ports.systemd.start(self.unit)
        except EngineError as error:
            raise launch_failure(
                self.container, ports.engine.inspect(self.container), self._log(ports)
            ) from error

    def wait(self, ports: HasEngine) -> None:
        """Return once the container is up. Raises EngineError `container-failed`."""
        wait_until_up(
            ports,
            self.container,
            self.timeout,
            log=lambda: self._log(ports),
            restarts=lambda: ports.systemd.restarts(self.unit),
        )

    @override
    def undo(self, ports: HasEngine, record: UndoRecord[HasEngine]) -> Undone:
        if not ports.systemd.known(self.unit):
            return Undone(Undo.ABSENT)
        ports.systemd.stop(self.unit)
        return Undone(Undo.REMOVED)

    def _log(self, ports: HasEngine) -> str:
        return ports.systemd.log(self.unit, LOG_LINES)


@dataclass(frozen=True, kw_only=True)
class StartServices(Action[HasEngine]):
    """Start several services and wait until the container of each is up.

    Where none of them runs they start at the same time. Otherwise each waits for the one before it: a new
    agent only replaces one that works when the new server does.
    """

    kind: ClassVar[str] = "start-services"
    depends_on_newer: ClassVar[bool] = True  # on units and images
    services: tuple[StartService, ...]

    @property
    @override
    def key(self) -> str:
        return f"services:{','.join(self._units)}"

    @override
    def describe(self) -> str:
        units = ", ".join(self._units)
        return text("start services {units}", units=units)

    @override
    def satisfied(self, ports: HasEngine, outputs: Outputs) -> bool:
        """Whether each runs the container of its configuration."""
        return all(service.satisfied(ports, outputs) for service in self.services)

    @override
    def apply(self, ports: HasEngine, outputs: Outputs) -> JsonObject:
        """Start those that do not run with their configuration, and wait for them."""
        due = [service for service in self.services if not service.satisfied(ports, outputs)]
        if any(ports.systemd.active(unit) for unit in self._units):
            for service in due:
                service.apply(ports, outputs)
            return {}
        for service in due:
            service.begin(ports)
        for service in due:
            service.wait(ports)
        return {}

    @override
    def undo(self, ports: HasEngine, record: UndoRecord[HasEngine]) -> Undone:
        undone = [service.undo(ports, record) for service in reversed(self.services)]
        return next((each for each in undone if each.outcome is Undo.REMOVED), undone[0])

    @property
    def _units(self) -> Sequence[str]:
        return [service.unit for service in self.services]


@dataclass(frozen=True, kw_only=True)
class RunContainer(Action[HasEngine]):
    """Run a container without systemd; the engine restarts it when it ends."""

    kind: ClassVar[str] = "run-container"
    depends_on_newer: ClassVar[bool] = True  # on its image
    spec: ContainerSpec
    timeout: float = 600.0

    @property
    def key(self) -> str:
        """The name of the container."""
        return f"container:{self.spec.name}"

    @override
    def describe(self) -> str:
        return text("run container {name}", name=self.spec.name)

    @override
    def satisfied(self, ports: HasEngine, outputs: Outputs) -> bool:
        """Whether our container runs with that configuration."""
        state = ports.engine.inspect(self.spec.name)
        return state is not None and state.ours and _runs(state, self._digest)

    @override
    def apply(self, ports: HasEngine, outputs: Outputs) -> JsonObject:
        """Replace our container of that name, start the new one and wait for it."""
        name = self.spec.name
        _refuse_foreign(name, ports.engine.inspect(name))
        ports.engine.remove(name)
        ports.engine.create(self.spec)
        ports.engine.start(name)
        wait_until_up(
            ports,
            name,
            self.timeout,
            log=lambda: control.engine_log(ports, name, LOG_LINES),
            restarts=lambda: control.engine_restarts(ports, name),
        )
        return {}

    @override
    def undo(self, ports: HasEngine, record: UndoRecord[HasEngine]) -> Undone:
        state = ports.engine.inspect(self.spec.name)
        if state is None:
            return Undone(Undo.ABSENT)
        if not state.ours:
            return Undone(
                Undo.KEPT, text("the container {name} was not created by mstunnel-setup", name=self.spec.name)
            )
        ports.engine.remove(self.spec.name)
        return Undone(Undo.REMOVED)

    @property
    def _digest(self) -> str | None:
        return self.spec.labels.get(CONFIGURATION_LABEL)


def _of_file(record: UndoRecord[HasEngine]) -> UndoRecord[HasFiles]:
    """The record of a unit or Quadlet file, as one of a plain file."""
    versions = [version.file for version in record.versions if isinstance(version, _InstallUnitFile)]
    return UndoRecord(record.before, versions, record.outputs)


def _runs(state: ContainerState | None, digest: str | None) -> bool:
    if state is None or state.status != "running" or state.health == "unhealthy":
        return False
    return state.labels.get(CONFIGURATION_LABEL) == digest


def _refuse_foreign(name: str, state: ContainerState | None) -> None:
    """A unit would replace any container of the same name, also a foreign one."""
    if state is not None and not state.ours:
        raise EngineError(
            "container-foreign",
            "the container {name} was not created by mstunnel-setup",
            hint=("Rename it (`podman rename`, `docker rename`) or remove it, then run the command again."),
            name=name,
        )
