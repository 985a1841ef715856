"""The state of a container, with a health check that is current."""

from dataclasses import replace

from mstunnel_setup.base.errors import EngineError, declare
from mstunnel_setup.containers.engine import ContainerState
from mstunnel_setup.containers.gateway_host import GatewayHost

CONTAINER_UNHEALTHY = declare(
    EngineError,
    "container-unhealthy",
    "container {container} is {state}",
    "See why with `mst-cli {component} logs --tail 20`, then run `mst-cli {component} restart`.",
)


def checked_state(host: GatewayHost, name: str) -> ContainerState | None:
    """Return the state of a container, after a health check if the engine has not made one."""
    state = host.engine.inspect(name)
    if state is None or state.status != "running" or state.health is None:
        return state
    if host.systemd.running() and state.health != "starting":
        return state
    passed = host.engine.probe(name)
    state = host.engine.inspect(name)
    # Docker counts only its own checks.
    if passed and state is not None and state.health == "starting":
        return replace(state, health="healthy")
    return state
