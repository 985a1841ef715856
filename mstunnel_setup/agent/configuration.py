"""Requests that the host serves the configuration of the site, and follows the replies.

The agent writes data, once for each change; the monitor of the host validates, renders and serves it.
"""

from dataclasses import dataclass, field
from typing import Final

from mstunnel_setup.agent.metrics import Counters
from mstunnel_setup.base.log_line import Priority, Tell, error_line
from mstunnel_setup.base.problem import Problem
from mstunnel_setup.base.text import text
from mstunnel_setup.exchange.log_lines import (
    CONFIGURATION_APPLIED,
    CONFIGURATION_HANDED_OVER,
    CONFIGURATION_REFUSED,
    CONFIGURATION_WAITS,
)
from mstunnel_setup.exchange.mailbox import AgentRequest, Reply, reply_to, send
from mstunnel_setup.gateway import rendering
from mstunnel_setup.gateway.configuration import ServerConfiguration
from mstunnel_setup.gateway.fields import Document
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files

# The monitor looks within eight seconds; the gateway tests a configuration, and may restart ocserv, in a few.
_PATIENCE_SECONDS: Final = 30.0
_PAUSE_SECONDS: Final = 0.5
# Longer than any work of the monitor but an upgrade, during which nothing else is changed.
_SILENT_SECONDS: Final = 300.0
_SILENT: Final = text(
    "the monitor of the host has not taken it: run `systemctl start mstunnel_monitor` on the host, or have "
    "its init run mstunnel_monitor"
)


@dataclass
class ConfigurationRequests:
    """Keeps the host informed of what the tenant wants.

    `refusal` is why that is not in use, None when it is.
    """

    files: Files
    clock: Clock
    tell: Tell
    counters: Counters
    refusal: str | None = field(default=None, init=False)
    _warnings: tuple[Problem, ...] = field(default=(), init=False)
    _reply: Reply | None = field(default=None, init=False)
    _silent_since: float | None = field(default=None, init=False)

    def request(self, document: Document, probe_url: str) -> str:
        """Request the configuration where it is another one, and follow what becomes of it.

        Returns the digest of the request. Raises FileError, and TenantError `configuration-invalid` for what
        cannot be served.
        """
        configuration = ServerConfiguration.from_wire(document)
        request = AgentRequest.to_configure(document, probe_url)
        changed = send(self.files, request)
        if changed:
            self.tell(CONFIGURATION_HANDED_OVER())
        self._follow(self.await_reply(request, _PATIENCE_SECONDS if changed else 0))
        self._say_warnings(configuration)
        return request.digest

    def await_reply(self, request: AgentRequest, patience: float) -> Reply | None:
        """The host's reply; waits so many seconds while there is none, or it is still being carried out."""
        end = self.clock.monotonic() + patience
        while True:
            reply = reply_to(self.files, request)
            if (reply and reply.state != "applying") or self.clock.monotonic() >= end:
                return reply
            self.clock.sleep(_PAUSE_SECONDS)

    def _follow(self, reply: Reply | None) -> None:
        """Set `refusal`; log and count a new reply."""
        if reply is None:
            now = self.clock.monotonic()
            since = now if self._silent_since is None else self._silent_since
            self._silent_since = since
            self.refusal = _SILENT if now - since >= _SILENT_SECONDS else None
            return
        self._silent_since = None
        self.refusal = reply.reason if reply.state in ("refused", "waiting") else None
        if reply == self._reply:
            return
        self._reply = reply
        if reply.state == "accepted":
            self.counters.configurations_applied += 1
            self.tell(CONFIGURATION_APPLIED())
        elif reply.state == "refused":
            self.counters.configurations_refused += 1
            self.tell(CONFIGURATION_REFUSED(reason=reply.reason, advice=reply.hint or ""))
        elif reply.state == "waiting":
            self.tell(CONFIGURATION_WAITS(reason=reply.reason))

    def _say_warnings(self, configuration: ServerConfiguration) -> None:
        """Log warnings when they are new, not every minute; a port that is not served yet is one."""
        port = rendering.open_port(rendering.current(self.files))
        waiting = rendering.port_waiting(configuration.listen_port, port)
        warnings = (*configuration.warnings, *((waiting,) if waiting else ()))
        for warning in warnings:
            if warning not in self._warnings:
                self.tell(error_line(warning, Priority.WARNING))
        self._warnings = warnings
        if waiting and self.refusal is None:
            self.refusal = waiting.message
