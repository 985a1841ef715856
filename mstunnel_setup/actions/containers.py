"""Images and containers: pulling and loading, starting and stopping, waiting until they are up."""

from abc import abstractmethod
from datetime import datetime

from typing_extensions import override

from mstunnel_setup.actions.files import MakeDirectory
from mstunnel_setup.actions.host import Host
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.base.text import printable, text
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.containers.container_spec import (
    CONFIGURATION_LABEL,
    ContainerSpec,
    digest_tag,
    split_reference,
)
from mstunnel_setup.containers.engine import ContainerEngine, ContainerState, Image, LogOptions, PullError
from mstunnel_setup.containers.gateway_host import GatewayHost
from mstunnel_setup.containers.image_origin import IMAGE_KEY
from mstunnel_setup.exchange.agent_settings import read_proxies, shown_proxies
from mstunnel_setup.exchange.health_report import last_status
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.systemd import Systemd
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord

LOG_LINES = 10
_POLL_SECONDS = 0.5
_PROBE_SECONDS = 1.0
# Podman counts these checks too: after the start period, three failures within three seconds make a container
# unhealthy. On a slow machine checks and start take longer alike, so the limit is their number.
_FAILED_PROBES = 45
# A container that keeps ending is given up after this number of restarts, but not before this time: a unit
# restarts it every five seconds, an engine at once.
_RESTARTS = 3
_CRASH_SECONDS = 15.0
# A container without a health check has to run this long before it counts as running.
_SETTLE_SECONDS = 2.0
_RELOAD_SECONDS = 10.0


def _manager(host: GatewayHost, container: str) -> tuple[Systemd | ContainerEngine, str]:
    """Return the manager of a container, systemd or the engine, and the container's name there."""
    unit = f"{container}.service"
    return (host.systemd, unit) if host.systemd.known(unit) else (host.engine, container)


def start(host: GatewayHost, container: str) -> None:
    """Start a container."""
    manager, name = _manager(host, container)
    manager.start(name)


def stop(host: GatewayHost, container: str) -> None:
    """Stop a container."""
    manager, name = _manager(host, container)
    manager.stop(name)


def restart(host: GatewayHost, container: str) -> None:
    """Stop and start a container."""
    manager, name = _manager(host, container)
    manager.restart(name)


def reload_gateway(host: GatewayHost) -> None:
    """Have the gateway reload changed files now instead of within 30 seconds. Raises EngineError."""
    host.engine.execute(paths.SERVER, ("sh", "-c", "kill -HUP 1"), _RELOAD_SECONDS)


def _restarts(host: GatewayHost, container: str, state: ContainerState | None) -> int:
    """Return the number of restarts by service or engine since the container was last started."""
    unit = f"{container}.service"
    if host.systemd.known(unit):
        return host.systemd.restarts(unit)
    return state.restarts if state is not None else 0


def wait_until_up(host: GatewayHost, name: str, timeout: float) -> None:
    """Return once the container `name` is healthy, or, without a health check, keeps running.

    The health check is run from here: Podman without systemd does not run it, and otherwise the first one may
    be a whole interval away. Raises EngineError `container-failed` with the last lines of its log if the
    container stays unhealthy, ends repeatedly, or is not up after `timeout` seconds.
    """
    failed = 0
    # The start of the current run of a container without a health check.
    started: datetime | None = None
    since = 0.0
    begun = probe_at = host.clock.monotonic()
    while True:
        now = host.clock.monotonic()
        state = host.engine.inspect(name)
        if state is None or state.status != "running":
            started = None
        elif state.health is None and state.started_at != started:
            started, since = state.started_at, now
        elif state.health == "healthy" or (state.health is None and now - since >= _SETTLE_SECONDS):
            return
        unhealthy = state is not None and state.health == "unhealthy"
        crashing = now - begun >= _CRASH_SECONDS and _restarts(host, name, state) >= _RESTARTS
        if now - begun >= timeout or crashing or (unhealthy and failed >= _FAILED_PROBES):
            raise launch_failure(host, name, state)
        if state is None or state.status != "running" or state.health is None or now < probe_at:
            host.clock.sleep(_POLL_SECONDS)
        elif host.engine.probe(name):
            return
        else:
            failed += 1
            probe_at = now + _PROBE_SECONDS


def launch_failure(host: GatewayHost, name: str, state: ContainerState | None) -> EngineError:
    """Return the error for a container that does not start, with the last lines of its log.

    The log of its service remains available when the container is removed.
    """
    unit = f"{name}.service"
    if host.systemd.known(unit):
        log = host.systemd.log(unit, LOG_LINES)
    else:
        command = host.engine.logs_command(name, LogOptions(lines=LOG_LINES))
        done = host.processes.run(command, timeout=180, check=False)
        log = done.output + done.error
    lines = [line for line in printable(log).splitlines() if line.strip()][-LOG_LINES:]
    tail = "".join(f"\n  {line}" for line in lines) or " nothing"
    found = (
        "missing" if state is None else f"{state.status} and {state.health}" if state.health else state.status
    )
    return EngineError(
        "container-failed",
        "the container {name} does not start; it is {state}. Last lines of its log:{log}",
        hint="Fix what the log reports, then run the command again.",
        name=name,
        state=found,
        log=tail,
    )


class MakeStateDirectory(MakeDirectory):
    """Create a directory for a container's state; undo removes it with its content."""

    kind = "make-state-directory"
    description = text("create directory {path} for the state of the container")

    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Remove the directory with its content, without following links."""
        host.files.empty(self.path)
        return super().undo(host, record)


class StartService(Action):
    """Start the service `unit` and wait until its `container` is up with the configuration `label_digest`."""

    kind = "start-service"
    key_template = "service:{unit}"
    description = text("start service {unit}")
    depends_on_newer = True  # on unit and image
    unit: str
    container: str
    label_digest: str
    timeout: float = 600.0

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        if not host.systemd.active(self.unit):
            return False
        return _runs(host, self.container, self.label_digest)

    @override
    def apply(self, host: Host, outputs: Outputs) -> None:
        """Start the service, or restart it with the new configuration."""
        _refuse_foreign(self.container, host.engine.inspect(self.container))
        try:
            if host.systemd.active(self.unit):
                host.systemd.restart(self.unit)
            else:
                host.systemd.start(self.unit)
        except EngineError as error:
            raise launch_failure(host, self.container, host.engine.inspect(self.container)) from error
        wait_until_up(host, self.container, self.timeout)

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        if not host.systemd.known(self.unit):
            return Undone(Undo.ABSENT)
        host.systemd.stop(self.unit)
        return Undone(Undo.REMOVED)


class StartServices(Action):
    """Start several services and wait until the container of each is up.

    If none of them runs, they start at the same time. Otherwise each starts once the one before it is up: a
    new agent must not replace a working one unless the new server works.
    """

    kind = "start-services"
    depends_on_newer = True  # on units and images
    services: tuple[StartService, ...]

    @property
    @override
    def key(self) -> str:
        return f"services:{','.join(service.unit for service in self.services)}"

    @override
    def describe(self) -> str:
        return text("start services {units}", units=", ".join(service.unit for service in self.services))

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        return all(service.satisfied(host, outputs) for service in self.services)

    @override
    def apply(self, host: Host, outputs: Outputs) -> None:
        """Start the services that do not run with their configuration, and wait for them."""
        if any(host.systemd.active(service.unit) for service in self.services):
            for service in self.services:
                if not service.satisfied(host, outputs):
                    service.apply(host, outputs)
            return
        for service in self.services:
            _refuse_foreign(service.container, host.engine.inspect(service.container))
        try:
            host.systemd.start(*(service.unit for service in self.services))
        except EngineError as error:
            stopped = (each for each in self.services if not host.systemd.active(each.unit))
            container = next(stopped, self.services[0]).container
            raise launch_failure(host, container, host.engine.inspect(container)) from error
        for service in self.services:
            wait_until_up(host, service.container, service.timeout)

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        undone = [service.undo(host, record) for service in reversed(self.services)]
        return next((each for each in undone if each.outcome is Undo.REMOVED), undone[0])


class RunContainer(Action):
    """Run a container without systemd; the engine restarts it when it ends."""

    kind = "run-container"
    key_template = "container:{spec.name}"
    depends_on_newer = True  # on its image
    spec: ContainerSpec
    timeout: float = 600.0

    @override
    def describe(self) -> str:
        return text("run container {name}", name=self.spec.name)

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        state = host.engine.inspect(self.spec.name)
        digest = self.spec.labels.get(CONFIGURATION_LABEL)
        return state is not None and state.ours and _runs(host, self.spec.name, digest)

    @override
    def apply(self, host: Host, outputs: Outputs) -> None:
        """Replace our container of that name, start the new one and wait for it."""
        name = self.spec.name
        _refuse_foreign(name, host.engine.inspect(name))
        host.engine.remove(name)
        host.engine.create(self.spec)
        host.engine.start(name)
        wait_until_up(host, name, self.timeout)

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


def _runs(host: Host, container: str, digest: str | None) -> bool:
    state = host.engine.inspect(container)
    if state is None or state.status != "running" or state.health == "unhealthy":
        return False
    if container == paths.AGENT and not _agent_has_proxies(host.files):
        return False
    return state.labels.get(CONFIGURATION_LABEL) == digest


def _agent_has_proxies(files: Files) -> bool:
    """Return whether the agent uses the proxies of `env.sh`, according to its last report.

    A proxy that was set after its start and removed again does not change the label.
    """
    status = last_status(files)
    return status is None or status.proxies in (None, shown_proxies(read_proxies(files)))


def _refuse_foreign(name: str, state: ContainerState | None) -> None:
    """Refuse a container of this name that is not ours: a unit would replace it."""
    if state is not None and not state.ours:
        raise EngineError(
            "container-foreign",
            "the container {name} was not created by mstunnel-setup",
            hint=("Rename it (`podman rename`, `docker rename`) or remove it, then run the command again."),
            name=name,
        )


# Seconds before the second attempt of a pull, and before the third.
_PAUSES = (1.0, 4.0)


class _BringImage(Action):
    """Make the image `reference` (`name@sha256:...`) available on this host."""

    key_template = IMAGE_KEY
    reference: str

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        return host.engine.image(self.reference) is not None

    def capture(self, host: Host) -> JsonObject:
        """Return whether the image was there before."""
        return {"present": host.engine.image(self.reference) is not None}

    @override
    def clear_attempt(self, host: Host) -> None:
        """Remove the attempt: after a power failure an engine may consider a damaged image complete."""
        host.engine.repair_images()
        for name in (digest_tag(self.reference), self.reference):
            host.engine.remove_image(name)

    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Remove the image, unless it was there before or another container uses it."""
        if record.before["present"]:
            return Undone(Undo.KEPT, f"{self.reference} was there before the installation")
        present = host.engine.image(self.reference) is not None
        # The image was pulled or loaded. The reference finds it by either name, so it comes last.
        names = (digest_tag(self.reference), self.reference)
        if not all(host.engine.remove_image(name) for name in names):
            return Undone(Undo.KEPT, f"{self.reference} is used by a container that is not ours")
        return Undone(Undo.REMOVED if present else Undo.ABSENT)

    @override
    def apply(self, host: Host, outputs: Outputs) -> JsonObject:
        """Pull or load the image."""
        try:
            image = self._bring(host)
        except BaseException:
            # This ends the progress display.
            host.progress(0, 0)
            raise
        return {"id": image.id, "created": image.created.isoformat() if image.created else None}

    @abstractmethod
    def _bring(self, host: Host) -> Image:
        """Return the image after pulling or loading it."""

    @property
    def _short_reference(self) -> str:
        name, digest = split_reference(self.reference)
        return f"{name}@{digest.removeprefix('sha256:')[:12]}"


class PullImage(_BringImage):
    """Pull an image from its registry, within `deadline` seconds in all."""

    kind = "pull-image"
    deadline: float = 1800.0

    @override
    def describe(self) -> str:
        return text("pull image {reference}", reference=self._short_reference)

    @override
    def _bring(self, host: Host) -> Image:
        """Pull the image, again after temporary failures; the engine reuses or discards completed layers."""
        until = host.clock.monotonic() + self.deadline
        for pause in _PAUSES:
            try:
                return host.engine.pull(self.reference, until - host.clock.monotonic(), host.progress)
            except PullError as failure:
                if failure.permanent or host.clock.monotonic() + pause >= until:
                    raise
            host.clock.sleep(pause)
        return host.engine.pull(self.reference, until - host.clock.monotonic(), host.progress)


class LoadImage(_BringImage):
    """Load an image from an archive file in OCI format; only the digest in `reference` is accepted."""

    kind = "load-image"
    archive: str

    @override
    def describe(self) -> str:
        return text(
            "load image {reference} from {archive}", reference=self._short_reference, archive=self.archive
        )

    @override
    def _bring(self, host: Host) -> Image:
        """Load the image; a wrong archive leaves nothing behind."""
        return host.engine.load(self.archive, self.reference, host.progress)
