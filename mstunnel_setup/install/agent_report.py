"""The agent's report of its health, as far as an installation needs it; `agent.health_report` writes it."""

from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict

from mstunnel_setup.base import paths
from mstunnel_setup.base.text import plain
from mstunnel_setup.io import messages
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.messages import UtcTime

_REPORT: Final = f"{paths.AGENT_STATE}/health.json"
_CHECK_IN: Final = "last-check-in"
_LENIENT: Final = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, defer_build=True)

Words = Annotated[str, AfterValidator(plain)]


class Row(BaseModel):
    """One row of the table of health."""

    model_config = _LENIENT

    id: str
    state: str


class Refusal(BaseModel):
    """What the agent's last round failed at, in its words; what it advises is passed over."""

    model_config = _LENIENT

    code: str
    message: Words


class AgentReport(BaseModel):
    """The report of a round that ended at `at` (UTC)."""

    model_config = _LENIENT

    at: UtcTime
    rows: tuple[Row, ...]
    last_error: Refusal | None = None

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
