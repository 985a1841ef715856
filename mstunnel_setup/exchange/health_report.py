"""The health report: a file that `mst-cli health` shows, beside the metrics for other programs."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from mstunnel_setup.base import paths
from mstunnel_setup.exchange.health_state import State
from mstunnel_setup.exchange.status_file import Failure, Words
from mstunnel_setup.exchange.thresholds import Thresholds
from mstunnel_setup.io import messages
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.messages import UtcTime

REPORT: Final = f"{paths.AGENT_STATE}/health.json"


class ReportedRow(BaseModel):
    """One row of the table."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    id: Words
    title: Words
    state: State
    text: Words
    value: float | None = None


class HealthReport(BaseModel):
    """All rows as of `at` (UTC), the limits they were judged by, and what the last round failed at.

    The report of a newer release is ignored: the next round, a minute later, writes another.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    version: Literal[1] = 1
    at: UtcTime
    state: State
    rows: tuple[ReportedRow, ...]
    thresholds: Thresholds
    last_error: Failure | None = None


def write_health(files: Files, report: HealthReport) -> None:
    """Replace the report."""
    files.make_directories(paths.AGENT_STATE)
    files.write(REPORT, report.model_dump_json(indent=2).encode() + b"\n")


def read_health(files: Files) -> HealthReport | None:
    """The last report, None when there is none that can be read: the agent may have put anything there."""
    try:
        return messages.read(files, REPORT, HealthReport)
    except FileError:
        return None
