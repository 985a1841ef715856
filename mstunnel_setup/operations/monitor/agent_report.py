"""Logs what the agent reports as wrong, for the journal, which the agent itself cannot write to.

The report is untrusted: it is validated as data, and the hints are the host's.
"""

from dataclasses import dataclass

from mstunnel_setup.base.log_line import LogLine, Tell, error_line
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.exchange.health_report import HealthState, read_health
from mstunnel_setup.exchange.log_lines import HEALTH_CHANGED
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.health import agent_problem


@dataclass
class AgentReports:
    """Logs the health of this server, and what the agent fails at, when it changes."""

    files: Files
    tell: Tell
    _state: HealthState = HealthState.UNKNOWN
    _problem: LogLine | None = None

    def look(self) -> str:
        """Log what is new; returns the health and its reasons on one line, empty without a report."""
        report = read_health(self.files)
        if report is None:
            return ""
        troubled = "; ".join(f"{row.title}: {row.text}" for row in report.rows if row.state is report.state)
        why = "" if report.state is HealthState.HEALTHY else text(": {troubled}", troubled=troubled)
        if report.state is not self._state:
            self.tell(HEALTH_CHANGED(state=report.state, why=why))
        self._state = report.state
        failure = report.last_error
        line = error_line(agent_problem(failure)) if failure is not None else None
        if line is not None and line != self._problem:
            self.tell(line)
        self._problem = line
        return plain(f"{report.state}{why} ({report.at:%H:%M} UTC)")
