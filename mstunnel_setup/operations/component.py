"""`mst-cli agent|server start|stop|restart|status|logs`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mstunnel_setup.base.errors import ExitCode
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import text
from mstunnel_setup.containers import control
from mstunnel_setup.containers.engine import ContainerState, LogOptions
from mstunnel_setup.install.installed import open_gateway, open_host
from mstunnel_setup.install.ports import Ports
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.operations.errors import CONTAINER_MISSING

_ABSENT = "absent"


def state(operator: Operator, container: str) -> Result:
    """State and health of a container, in the two lines that scripts in the field look for."""
    with open_host(operator) as ports:
        found = control.state_of(ports, container)
    data = {"state": _ABSENT if found is None else found.status, "health": health(found)}
    code = ExitCode.DONE if data["health"] == "healthy" else ExitCode.ENGINE
    lines = [text("State: {state}", state=data["state"]), text("Health: {health}", health=data["health"])]
    return Result("ok" if code is ExitCode.DONE else "warning", data, text=lines, exit_code=code)


def health(found: ContainerState | None) -> str:
    """Health in the engine's word; only a container that runs can be healthy."""
    if found is None or found.status != "running":
        return "unhealthy"
    return found.health or text("not reported")


def start(operator: Operator, container: str) -> Result:
    """Start a container that is stopped."""
    return _switch(operator, container, "started", control.start)


def stop(operator: Operator, container: str) -> Result:
    """Stop a container; it stays down until it is started by hand or the server reboots."""
    return _switch(operator, container, "stopped", control.stop)


def restart(operator: Operator, container: str) -> Result:
    """Stop and start a container."""
    return _switch(operator, container, "restarted", control.restart)


def logs(operator: Operator, container: str, options: LogOptions) -> Result:
    """The lines of the engine's log, as they come; as JSON all at once unless it is followed."""
    with _existing(operator, container) as ports:
        command = ports.engine.logs_command(container, options)
    lines = operator.processes.lines(command)
    if operator.json and not options.follow:
        return Result(data={"lines": [*lines]})
    operator.sinks.stream(lines)
    return Result()


def _switch(operator: Operator, container: str, done: str, switch: Callable[[Ports, str], None]) -> Result:
    with _existing(operator, container) as ports:
        switch(ports, container)
    return Result("changed", {"container": container, "action": done}, text=[f"{container} {done}."])


@contextmanager
def _existing(operator: Operator, container: str) -> Iterator[Ports]:
    with open_gateway(operator) as ports:
        if not ports.systemd.known(f"{container}.service") and ports.engine.inspect(container) is None:
            raise CONTAINER_MISSING(container=container)
        yield ports
