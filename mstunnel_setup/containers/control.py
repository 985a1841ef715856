"""Start, stop and look at a container of ours, through its service where there is one."""

from dataclasses import replace

from mstunnel_setup.containers.engine import ContainerState, LogOptions
from mstunnel_setup.containers.ports import HasEngine

_UNDECIDED = "starting"
_LOG_TIMEOUT = 180.0


def state_of(ports: HasEngine, name: str) -> ContainerState | None:
    """The state of a container; after a health check where the engine makes none, or has not yet."""
    state = ports.engine.inspect(name)
    if state is None or state.status != "running" or state.health is None:
        return state
    if ports.systemd.running() and state.health != _UNDECIDED:
        return state
    passed = ports.engine.probe(name)
    state = ports.engine.inspect(name)
    # Docker itself counts only the checks that it makes.
    well = passed and state is not None and state.health == _UNDECIDED
    return replace(state, health="healthy") if well and state is not None else state


def start(ports: HasEngine, container: str) -> None:
    """Start a container."""
    if ports.systemd.known(f"{container}.service"):
        ports.systemd.start(f"{container}.service")
    else:
        ports.engine.start(container)


def stop(ports: HasEngine, container: str) -> None:
    """Stop a container."""
    if ports.systemd.known(f"{container}.service"):
        ports.systemd.stop(f"{container}.service")
    else:
        ports.engine.stop(container)


def restart(ports: HasEngine, container: str) -> None:
    """Stop and start a container."""
    if ports.systemd.known(f"{container}.service"):
        ports.systemd.restart(f"{container}.service")
    else:
        ports.engine.restart(container)


def restarts(ports: HasEngine, container: str) -> int:
    """How often its service, or the engine, has restarted the container since it was last started."""
    unit = f"{container}.service"
    return ports.systemd.restarts(unit) if ports.systemd.known(unit) else engine_restarts(ports, container)


def engine_restarts(ports: HasEngine, container: str) -> int:
    """How often the engine has restarted the container."""
    state = ports.engine.inspect(container)
    return state.restarts if state is not None else 0


def last_log(ports: HasEngine, container: str, lines: int) -> str:
    """The last lines of its log, also of a container that its service has removed."""
    unit = f"{container}.service"
    return (
        ports.systemd.log(unit, lines) if ports.systemd.known(unit) else engine_log(ports, container, lines)
    )


def engine_log(ports: HasEngine, container: str, lines: int) -> str:
    """The last lines of the log that the engine has of a container."""
    command = ports.engine.logs_command(container, LogOptions(lines=lines))
    done = ports.processes.run(command, timeout=_LOG_TIMEOUT, check=False)
    return done.output + done.error
