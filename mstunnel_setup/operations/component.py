"""`mst-cli agent|server start|stop|restart|status|logs`: control of one container."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from mstunnel_setup.actions import containers
from mstunnel_setup.actions.containers import launch_failure, wait_until_up
from mstunnel_setup.actions.host import Host, Scope
from mstunnel_setup.actions.store_answer import remembered
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import EngineError, ExitCode, SetupError, UsageError, ValuesError, declare
from mstunnel_setup.base.problem import Problem
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.text import joined, text, verbatim
from mstunnel_setup.containers.engine import ContainerState, LogOptions
from mstunnel_setup.gateway.ocserv_conf import gateway_port
from mstunnel_setup.gateway.options import Authentication, read_gateway_options
from mstunnel_setup.install.installed import journal_of, open_gateway, open_host
from mstunnel_setup.install.serving import serves
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.operations.environment_check import check_environment
from mstunnel_setup.operations.gateway_log import since
from mstunnel_setup.transaction.receipt import Receipt

CONTAINER_MISSING = declare(
    EngineError, "container-missing", "there is no container {container}", "Run mstunnel-setup to create it."
)
CONTAINER_IMAGE_MISSING = declare(
    EngineError,
    "container-image-missing",
    "the image of {container} is no longer on this host: {image}, {origin}",
    "{hint}",
)
ContainerHealth: TypeAlias = Annotated[
    str, Field(json_schema_extra={"enum": ["starting", "healthy", "unhealthy", "not reported"]})
]
"""Health as the engine reports it, or that it reports nothing."""

# The system journal also holds the lines of all earlier containers, so only the last are shown by default.
_JOURNAL_LINES = 1000
_PATIENCE = 180.0


class ContainerStatus(Report):
    """State and health of one container. The exit code is 7 unless the container is healthy."""

    state: str = Field(
        description="In the engine's word: running, exited, created …; absent when there is no container."
    )
    health: ContainerHealth


class ContainerAction(Report):
    """The action carried out on a container."""

    container: str
    action: Literal["started", "stopped", "restarted"]


class LogReport(Report):
    """A container's log. With --follow each line is printed before the envelope, as {"line": …}."""

    lines: tuple[str, ...]


def state(operator: Operator, container: str) -> Result[ContainerStatus]:
    """Return state and health of a container, printed as the two lines that existing scripts look for."""
    with open_host(operator) as host:
        found = containers.state_of(host, container)
    report = ContainerStatus(
        state="absent" if found is None else found.status, health=container_health(found)
    )
    code = ExitCode.DONE if report.health == "healthy" else ExitCode.ENGINE
    lines = verbatim(f"State: {report.state}\nHealth: {report.health}")
    return Result("ok" if code is ExitCode.DONE else "warning", report, text=lines, exit_code=code)


def container_health(found: ContainerState | None) -> ContainerHealth:
    """Return the health that the engine reports; only a running container can be healthy."""
    if found is None or found.status != "running":
        return "unhealthy"
    return found.health or text("not reported")


def stop(operator: Operator, container: str) -> Result[ContainerAction]:
    """Stop a container until an administrator starts it or the server reboots."""
    with existing_container(operator, container) as host:
        containers.stop(host, container)
    return _done(container, "stopped")


def logs(operator: Operator, container: str, options: LogOptions) -> Result[LogReport | None]:
    """Return the lines of the log as they arrive; as JSON all at once unless they are followed.

    The lines of a removed container come from the journal: the last 1000 unless `options` say otherwise.
    """
    with existing_container(operator, container) as host:
        command, from_journal = host.engine.logs_command(container, options), False
        if host.engine.inspect(container) is None and host.systemd.running():
            # The systemd service removed the container when it ended.
            from_journal = True
            command = host.systemd.log_command(
                f"{container}.service",
                lines=_JOURNAL_LINES if options.lines is None else options.lines,
                since=None if options.since is None else since(options.since, host.clock.now()),
                follow=options.follow,
                timestamps=options.timestamps,
            )
    lines = operator.processes.lines(command)
    if from_journal:
        # conmon(8) keeps the line feed in the message, so journalctl prints a blank line after each.
        lines = filter(str.strip, lines)
    if operator.json and not options.follow:
        return Result(report=LogReport(lines=tuple(lines)))
    operator.sinks.stream(lines)
    return Result()


@contextmanager
def existing_container(operator: Operator, container: str) -> Iterator[Host]:
    """Open this host. Raises EngineError `container-missing` without the container or a service for it."""
    with open_gateway(operator) as host:
        if not host.systemd.known(f"{container}.service") and host.engine.inspect(container) is None:
            raise CONTAINER_MISSING(container=container)
        yield host


def missing_image(host: Host, receipt: Receipt, container: str) -> EngineError | None:
    """Return the error for a container whose image was removed, e.g. by `podman system prune --all`."""
    reference = remembered(receipt, container.replace("mstunnel-", "images."))
    if not isinstance(reference, str) or host.engine.image(reference) is not None:
        return None
    archive, present = containers.loaded_from(receipt, reference), False
    origin = text("which was pulled from {registry}", registry=reference.partition("/")[0])
    hint = text("Run `mst-cli install`, which pulls it again.")
    if archive:
        with suppress(SetupError):
            present = host.files.given.state(archive) is not None
        origin = text("which was loaded from {archive}", archive=archive)
        hint = text("Run `mst-cli install`, which loads it again.")
        if not present:
            hint = text(
                "Copy the archive to {archive} again and run `mst-cli install`, or give its new path: "
                "`mst-cli install --offline FILE`.",
                archive=archive,
            )
    return CONTAINER_IMAGE_MISSING(container=container, image=reference, origin=origin, hint=hint)


def _require_image(operator: Operator, host: Host, container: str) -> None:
    """Raise EngineError `container-image-missing` unless the container could start again."""
    if error := missing_image(host, journal_of(Scope.ALL, operator, despite_damage=True).receipt, container):
        raise error


def start(operator: Operator, container: str) -> Result[ContainerAction]:
    """Start a stopped container and wait until it is healthy and its server answers.

    While the host boots, a proxy may come up later than the gateway: problems in `env.sh` are warnings, or
    the reason in the EngineError, NetworkError or CertificateError for a container that does not serve.
    """
    with existing_container(operator, container) as host:
        _require_image(operator, host, container)
        try:
            warnings = _environment_warnings(host, container)
        except SetupError as error:
            warnings = (error.problem,)
        try:
            _prove(host, container, containers.start)
        except SetupError as error:
            reasons = [item.message for item in warnings if item.code != "setting-unknown"]
            raise type(error)(error.code, joined((*reasons, error.message), "; "), error.hint) from error
    return _done(container, "started", warnings)


def restart(operator: Operator, container: str) -> Result[ContainerAction]:
    """Stop and start a container and wait until it is healthy and its server answers.

    Raises the problems in `env.sh` while the old container still runs, and EngineError, NetworkError or
    CertificateError for a new container that does not serve.
    """
    with existing_container(operator, container) as host:
        _require_image(operator, host, container)
        try:
            warnings = _environment_warnings(host, container)
        except SetupError as error:
            kind = UsageError if isinstance(error, ValuesError) else type(error)
            why = text("{container} was not restarted: {problem}", container=container, problem=error.message)
            raise kind(error.code, why, error.hint) from error
        _prove(host, container, containers.restart)
    return _done(container, "restarted", warnings)


def _done(
    container: str, action: Literal["started", "stopped", "restarted"], warnings: tuple[Problem, ...] = ()
) -> Result[ContainerAction]:
    lines = {
        "started": text("{container} started.", container=container),
        "stopped": text("{container} stopped.", container=container),
        "restarted": text("{container} restarted.", container=container),
    }
    return Result(
        "changed", ContainerAction(container=container, action=action), warnings, text=[lines[action]]
    )


def _environment_warnings(host: Host, container: str) -> tuple[Problem, ...]:
    """Return the problems in `env.sh` that the container can run with; raise the first one it cannot.

    ocserv downloads the tenant's keys when it starts and ends if that fails; everything else is retried.
    """
    found = check_environment(host.files)
    if found.unreachable and container == paths.SERVER:
        fetches_keys = True
        with suppress(SetupError):
            fetches_keys = read_gateway_options(host.files).authentication is Authentication.OIDC
        if fetches_keys:
            raise found.unreachable[0]
    return (*found.unknown, *(error.problem for error in found.unreachable))


def _prove(host: Host, container: str, switch: Callable[[Host, str], None]) -> None:
    """Start the container with `switch` and return when it serves. Raises SetupError."""
    try:
        switch(host, container)
    except EngineError as error:
        raise launch_failure(host, container, host.engine.inspect(container)) from error
    wait_until_up(host, container, _PATIENCE)
    if container == paths.SERVER:
        serves(host, gateway_port(host.files))
