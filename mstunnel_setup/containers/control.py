"""Start, stop and look at a container of ours, through its service where there is one."""

from dataclasses import replace

from mstunnel_setup.containers.engine import ContainerState
from mstunnel_setup.containers.ports import HasEngine

_UNDECIDED = "starting"


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
