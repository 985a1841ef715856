"""Actions that run containers: directories, unit file, Quadlet file, service, container without systemd."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from mstunnel_setup.actions import control
from mstunnel_setup.actions.control import LOG_LINES, launch_failure, wait_until_up
from mstunnel_setup.actions.files import MakeDirectory
from mstunnel_setup.actions.host import Host
from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.containers.engine import ContainerState
from mstunnel_setup.containers.spec import CONFIGURATION_LABEL, ContainerSpec
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord


@dataclass(frozen=True, kw_only=True)
class MakeStateDirectory(MakeDirectory):
    """Create a directory for a container's state; undo removes it with its content."""

    kind: ClassVar[str] = "make-state-directory"
    description: ClassVar[str] = text("create directory {path} for the state of the container")

    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Remove the directory with its content; links are not followed."""
        host.files.empty(self.path)
        return super().undo(host, record)


@dataclass(frozen=True, kw_only=True)
class StartService(Action):
    """Start the service `unit` and wait until its `container` is up with the configuration `label_digest`."""

    kind: ClassVar[str] = "start-service"
    key_template: ClassVar[str] = "service:{unit}"
    description: ClassVar[str] = text("start service {unit}")
    depends_on_newer: ClassVar[bool] = True  # on unit and image
    unit: str
    container: str
    label_digest: str
    timeout: float = 600.0

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        """Whether the service runs the container of that configuration."""
        if not host.systemd.active(self.unit):
            return False
        return _runs(host.engine.inspect(self.container), self.label_digest)

    @override
    def apply(self, host: Host, outputs: Outputs) -> JsonObject:
        """Start it, or restart it with the new configuration, and wait for it."""
        self.begin(host)
        self.wait(host)
        return {}

    def begin(self, host: Host) -> None:
        """Start it, or restart it with the new configuration."""
        _refuse_foreign(self.container, host.engine.inspect(self.container))
        try:
            if host.systemd.active(self.unit):
                host.systemd.restart(self.unit)
            else:
                host.systemd.start(self.unit)
        except EngineError as error:
            raise launch_failure(
                self.container, host.engine.inspect(self.container), self._log(host)
            ) from error

    def wait(self, host: Host) -> None:
        """Return once the container is up. Raises EngineError `container-failed`."""
        wait_until_up(
            host,
            self.container,
            self.timeout,
            log=lambda: self._log(host),
            restarts=lambda: host.systemd.restarts(self.unit),
        )

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        if not host.systemd.known(self.unit):
            return Undone(Undo.ABSENT)
        host.systemd.stop(self.unit)
        return Undone(Undo.REMOVED)

    def _log(self, host: Host) -> str:
        return host.systemd.log(self.unit, LOG_LINES)


@dataclass(frozen=True, kw_only=True)
class StartServices(Action):
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
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        """Whether each runs the container of its configuration."""
        return all(service.satisfied(host, outputs) for service in self.services)

    @override
    def apply(self, host: Host, outputs: Outputs) -> JsonObject:
        """Start those that do not run with their configuration, and wait for them."""
        due = [service for service in self.services if not service.satisfied(host, outputs)]
        if any(host.systemd.active(unit) for unit in self._units):
            for service in due:
                service.apply(host, outputs)
            return {}
        for service in due:
            service.begin(host)
        for service in due:
            service.wait(host)
        return {}

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        undone = [service.undo(host, record) for service in reversed(self.services)]
        return next((each for each in undone if each.outcome is Undo.REMOVED), undone[0])

    @property
    def _units(self) -> Sequence[str]:
        return [service.unit for service in self.services]


@dataclass(frozen=True, kw_only=True)
class RunContainer(Action):
    """Run a container without systemd; the engine restarts it when it ends."""

    kind: ClassVar[str] = "run-container"
    key_template: ClassVar[str] = "container:{spec.name}"
    depends_on_newer: ClassVar[bool] = True  # on its image
    spec: ContainerSpec
    timeout: float = 600.0

    @override
    def describe(self) -> str:
        return text("run container {name}", name=self.spec.name)

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        """Whether our container runs with that configuration."""
        state = host.engine.inspect(self.spec.name)
        return state is not None and state.ours and _runs(state, self._digest)

    @override
    def apply(self, host: Host, outputs: Outputs) -> JsonObject:
        """Replace our container of that name, start the new one and wait for it."""
        name = self.spec.name
        _refuse_foreign(name, host.engine.inspect(name))
        host.engine.remove(name)
        host.engine.create(self.spec)
        host.engine.start(name)
        wait_until_up(
            host,
            name,
            self.timeout,
            log=lambda: control.engine_log(host, name, LOG_LINES),
            restarts=lambda: control.engine_restarts(host, name),
        )
        return {}

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        state = host.engine.inspect(self.spec.name)
        if state is None:
            return Undone(Undo.ABSENT)
        if not state.ours:
            return Undone(
                Undo.KEPT, text("the container {name} was not created by mstunnel-setup", name=self.spec.name)
            )
        host.engine.remove(self.spec.name)
        return Undone(Undo.REMOVED)

    @property
    def _digest(self) -> str | None:
        return self.spec.labels.get(CONFIGURATION_LABEL)


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
