"""`mst-cli agent|server stop|status|logs`."""

from collections.abc import Iterator
from contextlib import contextmanager

from mstunnel_setup.actions import control
from mstunnel_setup.actions.host import Host
from mstunnel_setup.base.errors import ExitCode
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import text, verbatim
from mstunnel_setup.containers.engine import ContainerState, LogOptions
from mstunnel_setup.install.installed import open_gateway, open_host
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.operations.errors import CONTAINER_MISSING
from mstunnel_setup.operations.since import since

_ABSENT = "absent"
# The journal has those of every earlier container.
_JOURNAL_LINES = 1000


def state(operator: Operator, container: str) -> Result:
    """State and health of a container, in the two lines that scripts in the field look for."""
    with open_host(operator) as ports:
        found = control.state_of(ports, container)
    data = {"state": _ABSENT if found is None else found.status, "health": health(found)}
    code = ExitCode.DONE if data["health"] == "healthy" else ExitCode.ENGINE
    lines = verbatim(f"State: {data['state']}\nHealth: {data['health']}")
    return Result("ok" if code is ExitCode.DONE else "warning", data, text=lines, exit_code=code)


def health(found: ContainerState | None) -> str:
    """Health in the engine's word; only a container that runs can be healthy."""
    if found is None or found.status != "running":
        return "unhealthy"
    return found.health or text("not reported")


def stop(operator: Operator, container: str) -> Result:
    """Stop a container; it stays down until it is started by hand or the server reboots."""
    with existing_container(operator, container) as ports:
        control.stop(ports, container)
    return Result("changed", {"container": container, "action": "stopped"}, text=[f"{container} stopped."])


def logs(operator: Operator, container: str, options: LogOptions) -> Result:
    """The lines of the log, as they come; as JSON all at once unless it is followed.

    Those of a container that is gone come from the journal, the last 1000 unless `options` say otherwise.
    """
    with existing_container(operator, container) as ports:
        command = _log_command(ports, container, options)
    lines = operator.processes.lines(command)
    if operator.json and not options.follow:
        return Result(data={"lines": [*lines]})
    operator.sinks.stream(lines)
    return Result()


def _log_command(ports: Host, container: str, options: LogOptions) -> tuple[str, ...]:
    """The engine's command; the journal's for a container that its service removed when it ended."""
    if ports.engine.inspect(container) is not None or not ports.systemd.running():
        return ports.engine.logs_command(container, options)
    began = None if options.since is None else since(options.since, ports.clock.now())
    return ports.systemd.log_command(
        f"{container}.service",
        lines=options.lines or _JOURNAL_LINES,
        since=began,
        follow=options.follow,
        timestamps=options.timestamps,
    )


@contextmanager
def existing_container(operator: Operator, container: str) -> Iterator[Host]:
    """The ports of this host. Raises EngineError `container-missing` where nothing would start it."""
    with open_gateway(operator) as ports:
        if not ports.systemd.known(f"{container}.service") and ports.engine.inspect(container) is None:
            raise CONTAINER_MISSING(container=container)
        yield ports
