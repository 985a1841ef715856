"""Hands the server configuration over to the host, which judges, renders and serves it; hears the verdict.

The agent writes data, once for each change. What becomes of it the monitor of the host says in its outbox.
"""

from dataclasses import dataclass, field
from typing import Final

from mstunnel_setup.agent.log_lines import (
    CONFIGURATION_APPLIED,
    CONFIGURATION_HANDED_OVER,
    CONFIGURATION_REFUSED,
    CONFIGURATION_WAITS,
)
from mstunnel_setup.agent.metrics import Counters
from mstunnel_setup.base import paths
from mstunnel_setup.base.log_line import Priority, Tell, error_line
from mstunnel_setup.base.problem import Problem
from mstunnel_setup.base.text import text
from mstunnel_setup.exchange import configuration as handover
from mstunnel_setup.exchange.configuration import Verdict
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
class HandOver:
    """Keeps the host informed of what the tenant wants.

    `refusal` is why that is not in use, None when it is.
    """

    files: Files
    clock: Clock
    tell: Tell
    counters: Counters
    refusal: str | None = field(default=None, init=False)
    _warnings: tuple[Problem, ...] = field(default=(), init=False)
    _heard: Verdict | None = field(default=None, init=False)
    _silent_since: float | None = field(default=None, init=False)

    def give(self, document: Document, probe_url: str) -> str:
        """Leave the configuration for the host where it is another one, and hear what becomes of it.

        Returns the name of the data. Raises FileError, and TenantError `configuration-invalid` for what
        cannot be served.
        """
        configuration = ServerConfiguration.from_wire(document)
        content = handover.encode(document, probe_url)
        changed = self.files.read(paths.CONFIGURATION_HANDED) != content
        # Before the step `launch` there is no mailbox.
        if changed and self.files.state(paths.INBOX) is not None:
            self.files.write(paths.CONFIGURATION_HANDED, content)
            self.tell(CONFIGURATION_HANDED_OVER())
        digest = handover.name_of(content)
        self._judge(self._verdict(digest, _PATIENCE_SECONDS if changed else 0))
        self._say_waiting(configuration)
        return digest

    def _judge(self, verdict: Verdict | None) -> None:
        """Understand the verdict, and say it when it is new."""
        now = self.clock.monotonic()
        if verdict is not None:
            self._silent_since = None
            self.refusal = verdict.reason if verdict.state in ("refused", "waiting") else None
        else:
            since = now if self._silent_since is None else self._silent_since
            self._silent_since = since
            self.refusal = _SILENT if now - since >= _SILENT_SECONDS else None
        if verdict is not None and verdict != self._heard:
            self._say(verdict)
        self._heard = verdict or self._heard

    def _say(self, verdict: Verdict) -> None:
        if verdict.state == "accepted":
            self.counters.configurations_applied += 1
            self.tell(CONFIGURATION_APPLIED())
        elif verdict.state == "refused":
            self.counters.configurations_refused += 1
            self.tell(CONFIGURATION_REFUSED(reason=verdict.reason, advice=verdict.hint))
        elif verdict.state == "waiting":
            self.tell(CONFIGURATION_WAITS(reason=verdict.reason))

    def _say_waiting(self, configuration: ServerConfiguration) -> None:
        """Warnings when they are new, not every minute; a port that is not served yet is one."""
        port = rendering.open_port(rendering.current(self.files))
        waiting = rendering.port_waiting(configuration.listen_port, port)
        warnings = (*configuration.warnings, *((waiting,) if waiting else ()))
        for warning in warnings:
            if warning not in self._warnings:
                self.tell(error_line(warning, Priority.WARNING))
        self._warnings = warnings
        if waiting and self.refusal is None:
            self.refusal = waiting.message

    def _verdict(self, digest: str, patience: float) -> Verdict | None:
        """The host's verdict on the data; waits while the host is still processing it."""
        end = self.clock.monotonic() + patience
        while True:
            verdict = handover.read_verdict(self.files, digest)
            if (verdict and verdict.state != "applying") or self.clock.monotonic() >= end:
                return verdict
            self.clock.sleep(_PAUSE_SECONDS)
