"""`mst-cli agent|server status|logs`: state and log of one container."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, TypeAlias

from pydantic import Field

from mstunnel_setup.base.errors import EngineError, ExitCode, SetupError, declare
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.text import text, verbatim
from mstunnel_setup.containers.checked_state import checked_state
from mstunnel_setup.containers.engine import ContainerState, LogOptions
from mstunnel_setup.containers.gateway_host import GatewayHost
from mstunnel_setup.containers.image_origin import loaded_from
from mstunnel_setup.install.installed import open_gateway, open_host
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.operations.gateway_log import since
from mstunnel_setup.transaction.receipt import Receipt, remembered

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


class ContainerStatus(Report):
    """State and health of one container. The exit code is 7 unless the container is healthy."""

    state: str = Field(
        description="In the engine's word: running, exited, created …; absent when there is no container."
    )
    health: ContainerHealth


class LogReport(Report):
    """A container's log. With --follow each line is printed before the envelope, as {"line": …}."""

    lines: tuple[str, ...]


def state(operator: Operator, container: str) -> Result[ContainerStatus]:
    """Return state and health of a container, printed as the two lines that existing scripts look for."""
    with open_host(operator) as host:
        found = checked_state(host, container)
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
def existing_container(operator: Operator, container: str) -> Iterator[GatewayHost]:
    """Open this host. Raises EngineError `container-missing` without the container or a service for it."""
    with open_gateway(operator) as host:
        if not host.systemd.known(f"{container}.service") and host.engine.inspect(container) is None:
            raise CONTAINER_MISSING(container=container)
        yield host


def missing_image(host: GatewayHost, receipt: Receipt, container: str) -> EngineError | None:
    """Return the error for a container whose image was removed, e.g. by `podman system prune --all`."""
    reference = remembered(receipt, container.replace("mstunnel-", "images."))
    if not isinstance(reference, str) or host.engine.image(reference) is not None:
        return None
    archive, present = loaded_from(receipt, reference), False
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
