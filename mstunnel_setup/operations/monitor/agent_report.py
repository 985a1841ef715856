"""What the agent reports as wrong, said once more by the monitor: the journal explains what that logs.

The agent cannot write into the journal itself, and is not to be believed: its report is judged as data.
"""

from dataclasses import dataclass

from mstunnel_setup.agent.log_lines import HEALTH_CHANGED
from mstunnel_setup.base.log_line import LogLine, Tell, error_line
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.exchange.health_report import HealthReport, read_health
from mstunnel_setup.exchange.health_state import State
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.agent_findings import agent_problem


@dataclass
class AgentReports:
    """The health of this server as of the last look, said when it changes; `tell` takes log lines."""

    files: Files
    tell: Tell
    _state: State = State.UNKNOWN
    _problem: LogLine | None = None

    def look(self) -> str:
        """Say what is new; returns what the agent reports in a few words, empty while it reports nothing."""
        report = read_health(self.files)
        if report is None:
            return ""
        troubled = "; ".join(f"{row.title}: {row.text}" for row in report.rows if row.state is report.state)
        why = "" if report.state is State.HEALTHY else text(": {troubled}", troubled=troubled)
        if report.state is not self._state:
            self.tell(HEALTH_CHANGED(state=report.state, why=why))
        self._state = report.state
        self._say_problem(report)
        return plain(f"{report.state}{why} ({report.at:%H:%M} UTC)")

    def _say_problem(self, report: HealthReport) -> None:
        failure = report.last_error
        line = error_line(agent_problem(failure)) if failure is not None else None
        if line is not None and line != self._problem:
            self.tell(line)
        self._problem = line
