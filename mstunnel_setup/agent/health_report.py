"""The health report: a file that `mst-cli health` shows, beside the metrics for other programs."""

from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from mstunnel_setup import paths
from mstunnel_setup.agent.health_rows import State
from mstunnel_setup.agent.status_file import Failure
from mstunnel_setup.agent.thresholds import Thresholds
from mstunnel_setup.host.files import Files

REPORT: Final = f"{paths.AGENT_STATE}/health.json"


class ReportedRow(BaseModel):
    """One row of the table."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    title: str
    state: State
    text: str
    value: float | None = None


class HealthReport(BaseModel):
    """All rows as of `at` (UTC), the limits they were judged by, and what the last round failed at.

    The report of a newer release is ignored: the next round, a minute later, writes another.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Literal[1] = 1
    at: datetime
    state: State
    rows: tuple[ReportedRow, ...]
    thresholds: Thresholds
    last_error: Failure | None = None


def write_health(files: Files, report: HealthReport) -> None:
    """Replace the report."""
    files.make_directories(paths.AGENT_STATE)
    files.write(REPORT, report.model_dump_json(indent=2).encode() + b"\n")


def read_health(files: Files) -> HealthReport | None:
    """The last report, None when there is none that can be read."""
    try:
        return HealthReport.model_validate_json(files.read(REPORT) or b"")
    except ValidationError:
        return None
