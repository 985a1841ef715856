"""The agent's report of its health, as far as a host needs it, and what to do about an error in it.

`agent.health_report` writes the report. The hints are our own words, never those of the report: a compromised
agent writes what it likes, and what is printed as a hint is what root does next.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files as package_files
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict

from mstunnel_setup.base import paths
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.io import messages
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.messages import UtcTime

AGENT_LOGS: Final = text("`mst-cli agent logs --tail 20` shows why.")
_REPORT: Final = f"{paths.AGENT_STATE}/health.json"
_CHECK_IN: Final = "last-check-in"
_LENIENT: Final = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, defer_build=True)


class ReportRow(BaseModel):
    """One row of the table of health."""

    model_config = _LENIENT

    id: str
    state: str


class ReportedError(BaseModel):
    """Why the agent's last round failed, in its words; its advice is ignored."""

    model_config = _LENIENT

    code: str
    message: Annotated[str, AfterValidator(plain)]


class AgentReport(BaseModel):
    """The report of a round that ended at `at` (UTC)."""

    model_config = _LENIENT

    at: UtcTime
    rows: tuple[ReportRow, ...]
    last_error: ReportedError | None = None

    @property
    def checked_in(self) -> bool:
        """Whether the agent's check-ins succeed."""
        return all(row.state == "healthy" for row in self.rows if row.id == _CHECK_IN)


def read_report(files: Files) -> AgentReport | None:
    """The last report; None when there is none that can be read: the agent may have put anything there."""
    try:
        return messages.read(files, _REPORT, AgentReport)
    except FileError:
        return None


@cache
def agent_hints() -> Mapping[str, str]:
    """The hints of all errors that an agent can report, by code; empty where one needs values of the agent.

    The file is generated from the source (scripts/docs.py).
    """
    file = package_files("mstunnel_setup") / "data/agent-hints.json"
    hints: Mapping[str, str] = json.loads(file.read_text("utf-8"))
    return hints
