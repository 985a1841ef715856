"""The agent's health report, in the monitor's log and in the status of its service."""

from dataclasses import dataclass, field

from mstunnel_setup.base.log_line import LogLine, Tell, error_line
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.exchange import log_lines
from mstunnel_setup.exchange.health_report import HealthState, read_health
from mstunnel_setup.install.agent_hints import agent_problem
from mstunnel_setup.io.files import Files


@dataclass
class AgentReports:
    """The logger of this server's health and of the agent's errors, when they change.

    The agent cannot write to the journal. Its report is untrusted: it is validated as data, and the hints
    come from the host. `summary` is the health with its reasons on one line, empty without a report.
    """

    files: Files
    tell: Tell
    summary: str = field(default="", init=False)
    _state: HealthState = field(default=HealthState.UNKNOWN, init=False)
    _problem: LogLine | None = field(default=None, init=False)

    def look(self) -> None:
        """Log changes of the report, and set `summary`."""
        self.summary = ""
        report = read_health(self.files)
        if report is None:
            return
        troubled = "; ".join(f"{row.title}: {row.text}" for row in report.rows if row.state is report.state)
        why = "" if report.state is HealthState.HEALTHY else text(": {troubled}", troubled=troubled)
        if report.state is not self._state:
            self.tell(log_lines.HEALTH_CHANGED(state=report.state, why=why))
        self._state = report.state
        line = error_line(agent_problem(report.last_error)) if report.last_error is not None else None
        if line is not None and line != self._problem:
            self.tell(line)
        self._problem = line
        self.summary = plain(f"{report.state}{why!s} ({report.at:%H:%M} UTC)")
