"""The host beside an agent: its monitor looks as soon as something is handed over, its gateway takes it."""

from typing import Any

from mstunnel_setup.agent.loop import Agent
from mstunnel_setup.base import paths
from mstunnel_setup.exchange.gateway_report import REPORT
from mstunnel_setup.exchange.mailbox import AgentRequest, Reply
from mstunnel_setup.gateway.options import GatewayOptions
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.monitor.configuration import Configurations, digest_of

_DIRECTORIES = (
    *(paths.INBOX, paths.OUTBOX, paths.SERVER_STATE, paths.STATE, paths.AGENT_STATE),
    paths.LOCK.rpartition("/")[0],
)


def host_side(files: Files, clock: Clock) -> Configurations:
    """The monitor of a host whose gateway takes everything, where an agent is installed."""
    for directory in _DIRECTORIES:
        files.make_directories(directory)
    files.write(paths.GATEWAY_SETTINGS, GatewayOptions().model_dump_json().encode())

    def taken() -> None:
        digest = digest_of(files.read(paths.OCSERV_CONF) or b"")
        files.write(REPORT, f"time {clock.now():%s}\nconfiguration {digest} applied \n".encode())

    return Configurations(files, clock, taken, lambda _line: None)


def with_host(agent: Agent) -> Agent:
    """The agent, on a host whose monitor need not be waited for."""
    monitor = host_side(agent.files, agent.clock)
    configuration: Any = agent.configuration
    await_reply = configuration.await_reply

    def at_once(request: AgentRequest, _patience: float) -> Reply | None:
        monitor.look()
        # The gateway first answers with its report, after the monitor's signal.
        monitor.look()
        found: Reply | None = await_reply(request, 0)
        return found

    configuration.await_reply = at_once
    return agent
