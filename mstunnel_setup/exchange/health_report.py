"""The health report: a file that `mst-cli health` shows, beside the metrics for other programs."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, Literal

from pydantic import BaseModel, ValidationError

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.exchange.status_file import PlainText, SyncFailure
from mstunnel_setup.io import messages
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.messages import UtcTime
from mstunnel_setup.tenant.wire import HealthThreshold


class HealthState(StrEnum):
    """Health of one row, or of the server as a whole."""

    HEALTHY = "healthy"
    WARNING = "warning"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


class Threshold(BaseModel, frozen=True, extra="forbid", defer_build=True):
    """`healthy` up to here, `unhealthy` from there on, a warning between them; in the metric's own unit."""

    healthy: float
    unhealthy: float


class Thresholds(BaseModel, frozen=True, extra="forbid", defer_build=True):
    """One threshold for each metric that has one: percent, percent, gigabytes free, milliseconds, days."""

    cpu_usage: Threshold = Threshold(healthy=95, unhealthy=100)
    memory_usage: Threshold = Threshold(healthy=95, unhealthy=100)
    disk_space: Threshold = Threshold(healthy=5, unhealthy=3)
    latency: Threshold = Threshold(healthy=10, unhealthy=20)
    certificate_days: Threshold = Threshold(healthy=30, unhealthy=0)


# No public source tells Intune's names of the metrics, so they are known by the word they must contain.
_WORDS: Final = {"cpu": "cpu_usage", "memory": "memory_usage", "disk": "disk_space", "latency": "latency"}


def read_thresholds(files: Files) -> Thresholds:
    """Defaults and what an administrator has set on this server. Raises StepError `thresholds-invalid`."""
    content = files.read(paths.HEALTH_THRESHOLDS)
    if content is None:
        return Thresholds()
    try:
        return Thresholds.model_validate_json(content)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise StepError(
            "thresholds-invalid",
            "{path} cannot be read{where}",
            hint="Correct it as `mst-cli help health` describes, or remove it.",
            path=paths.HEALTH_THRESHOLDS,
            where=f" (at {place})" if place else "",
        ) from error


def with_tenant(local: Thresholds, tenant: Iterable[HealthThreshold]) -> Thresholds:
    """The thresholds of the tenant over those of the server; metrics it does not name stay as they are."""
    found: dict[str, Threshold] = {}
    for item in tenant:
        name = next((field for word, field in _WORDS.items() if word in item.id.casefold()), None)
        if name and item.healthy_threshold is not None and item.unhealthy_threshold is not None:
            found[name] = Threshold(healthy=item.healthy_threshold, unhealthy=item.unhealthy_threshold)
    return local.model_copy(update=found)


REPORT: Final = f"{paths.AGENT_STATE}/health.json"


class ReportedRow(BaseModel, frozen=True, extra="ignore", allow_inf_nan=False):
    """One row of the table."""

    id: PlainText
    title: PlainText
    state: HealthState
    text: PlainText
    value: float | None = None


class HealthReport(BaseModel, frozen=True, extra="ignore", allow_inf_nan=False):
    """All rows as of `at` (UTC), the limits they were judged by, and what the last round failed at.

    The report of a newer release is ignored: the next round, a minute later, writes another.
    """

    version: Literal[1] = 1
    at: UtcTime
    state: HealthState
    rows: tuple[ReportedRow, ...]
    thresholds: Thresholds
    last_error: SyncFailure | None = None


def write_health(files: Files, report: HealthReport) -> None:
    """Replace the report."""
    messages.write(files, REPORT, report)


def read_health(files: Files) -> HealthReport | None:
    """The last report, None when there is none that can be read."""
    return messages.read_valid(files, REPORT, HealthReport)
