"""The condition of the containers, and restarts of those that are down."""

from mstunnel_setup.actions import containers
from mstunnel_setup.base import paths
from mstunnel_setup.containers.checked_state import checked_state
from mstunnel_setup.containers.gateway_host import GatewayHost
from mstunnel_setup.exchange import log_lines
from mstunnel_setup.operations.monitor.agent_reports import AgentReports
from mstunnel_setup.operations.monitor.monitor_context import MonitorContext
from mstunnel_setup.operations.monitor.restart_decision import Condition, RestartDecision, silent

CONTAINERS = (paths.SERVER, paths.AGENT)


class ContainerRestarts:
    """The restarter of containers that are down. `all_healthy` is the result of the last check."""

    def __init__(self, context: MonitorContext, reports: AgentReports) -> None:
        self._context = context
        self._reports = reports
        self._decision = RestartDecision()
        self.all_healthy = False

    def look(self) -> None:
        """Check both containers, show their condition in the service's status, and restart as decided."""
        context = self._context
        host, unheard = context.host, silent(context.files, context.clock.now())
        seen: dict[str, Condition] = {
            name: condition(host, name, check=name in unheard) for name in CONTAINERS
        }
        # Without systemd no timer runs the health checks, so the monitor runs them here.
        self.all_healthy = set(seen.values()) == {"healthy"} and host.systemd.running()
        shown = [f"{name}: {seen[name]}" for name in seen]
        if self._reports.summary:
            shown.append(f"server health: {self._reports.summary}")
        context.service.status("; ".join(shown))
        for name in self._decision.look(seen, context.clock.monotonic()):
            context.tell(log_lines.RESTART(container=name, condition=seen[name]))
            containers.restart(host, name)


def condition(host: GatewayHost, container: str, *, check: bool = False) -> Condition:
    """Return the condition of a container; `check` runs its health check now."""
    unit = f"{container}.service"
    if host.systemd.known(unit) and not host.systemd.active(unit):
        return "failed" if host.systemd.failed(unit) else "stopped"
    found = checked_state(host, container)
    if found is None or found.status != "running":
        return "stopped"
    if check and found.health is not None:
        # Docker's health status counts only the checks that Docker runs itself.
        return "healthy" if host.engine.probe(container) else "unhealthy"
    return "healthy" if found.health is None else found.health
