"""What the agent reports of itself: its status, and the health that `mst-cli health` shows.

Both are files; the metrics for other programs are a third one (`agent/metrics.py`).
"""

import platform
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, Field, ValidationError, WrapValidator

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.base.text import Text, joined, plain, text
from mstunnel_setup.io import messages
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.messages import UtcTime
from mstunnel_setup.tenant.wire import HealthThreshold

STATUS: Final = f"{paths.AGENT_STATE}/status.json"

# images/agent/healthcheck has the same limit.
_LATEST_ROUND: Final = timedelta(minutes=5)
LATEST_CHECK_IN: Final = timedelta(minutes=5)
"""How long ago the last check-in of a healthy agent may be."""


def _one_plain_line(value: object, validate: Callable[[object], str]) -> str:
    # The validation makes a text without its template of it.
    return value if isinstance(value, Text) and plain(value) == value else plain(validate(value))


PlainText = Annotated[str, WrapValidator(_one_plain_line)]
"""Text for terminals: the agent wrote it, so it is one line without control characters."""
# Values are filled in by name only: the agent, which sends the template, cannot have the host format more.
_TEMPLATE: Final = r"^(?:[^{}]|\{[a-z_]{1,40}(?::\.\df)?\})*$"


class ReportedText(BaseModel, frozen=True, extra="ignore", allow_inf_nan=False, defer_build=True):
    """The template of a text and its values, by which the host translates it."""

    template: Annotated[PlainText, Field(pattern=_TEMPLATE)]
    values: Mapping[str, "ReportedText | int | float | PlainText"] = Field(default_factory=dict)

    @classmethod
    def of(cls, said: Text) -> Self:
        """Take a text apart; values other than numbers are kept as texts."""
        values: dict[str, ReportedText | int | float | str] = {
            name: ReportedText.of(value)
            if isinstance(value, Text)
            else value
            if isinstance(value, int | float)
            else str(value)
            for name, value in (said.values or {}).items()
        }
        return cls(template=said.template, values=values)

    def text(self) -> Text:
        """Put it together again. Raises KeyError or ValueError for values that do not fit the template."""
        values = {
            name: value.text() if isinstance(value, ReportedText) else value
            for name, value in self.values.items()
        }
        return Text(self.template, values or None)


class SyncFailure(BaseModel, frozen=True, extra="ignore", defer_build=True):
    """What went wrong in the last round, and when. The host passes over `hint`, and has its own."""

    code: PlainText
    message: PlainText
    hint: PlainText
    at: UtcTime


class AgentStatus(BaseModel, frozen=True, extra="ignore", defer_build=True):
    """How the agent is doing. Times are UTC; `container` is the host name inside it, new for each one.

    `proxies` are the variables that it signed in with, without user names and passwords; None before it did.
    """

    container: str = Field(default_factory=platform.node)
    started: UtcTime
    last_round: UtcTime | None = None
    last_check_in: UtcTime | None = None
    last_error: SyncFailure | None = None
    proxies: dict[str, PlainText] | None = None


def write_status(files: Files, status: AgentStatus) -> None:
    """Replace the status file. It needs no version: only fields are added to it."""
    messages.write(files, STATUS, status)


def last_status(files: Files) -> AgentStatus | None:
    """What an agent has written last, in whichever container; None when there is nothing that can be read."""
    return messages.read_valid(files, STATUS, AgentStatus)


def read_status(files: Files) -> AgentStatus | None:
    """The status of the agent in this container; None when there is none that can be read."""
    found = last_status(files)
    return found if found is not None and found.container == platform.node() else None


def agent_condition(status: AgentStatus | None, now: datetime) -> tuple[bool, str]:
    """Whether the agent is healthy, and why: it went round less than 5 minutes ago, tenant or not.

    A tenant that is away is a row of the health report; restarting this container would not bring it back.
    """
    if status is None:
        return False, text("the agent is not running")
    alive = status.last_round or status.started
    # A clock that was set back must not keep an old round fresh.
    if abs(now - alive) >= _LATEST_ROUND:
        since = alive.isoformat(timespec="seconds")
        return False, text("the agent has been inactive since {alive}", alive=since)
    seen = text("has not checked in yet")
    if status.last_check_in:
        at = status.last_check_in.isoformat(timespec="seconds")
        seen = text("checked in at {last_check_in}", last_check_in=at)
    cause = text(": {message}", message=status.last_error.message) if status.last_error else ""
    return True, joined((seen, cause), "")


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
    """One threshold for each metric that has one: percent, percent, gigabytes free, milliseconds, days.

    Without one for certificates their lifetime decides (`certificates/expiry.py`).
    """

    cpu_usage: Threshold = Threshold(healthy=95, unhealthy=100)
    memory_usage: Threshold = Threshold(healthy=95, unhealthy=100)
    disk_space: Threshold = Threshold(healthy=5, unhealthy=3)
    latency: Threshold = Threshold(healthy=10, unhealthy=20)
    certificate_days: Threshold | None = None


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


class ReportedRow(BaseModel, frozen=True, extra="ignore", allow_inf_nan=False, defer_build=True):
    """One row of the table."""

    id: PlainText
    title: PlainText
    state: HealthState
    text: PlainText
    value: float | None = None


class HealthReport(BaseModel, frozen=True, extra="ignore", allow_inf_nan=False, defer_build=True):
    """All rows as of `at` (UTC), the limits they were judged by, and what the last round failed at.

    The report of a newer release is ignored: the next round, a minute later, writes another.
    """

    version: Literal[1] = 1
    at: UtcTime
    state: HealthState
    rows: tuple[ReportedRow, ...]
    thresholds: Thresholds
    last_error: SyncFailure | None = None
    texts: Mapping[str, ReportedText] = Field(default_factory=dict)
    """The texts of the rows that are made of templates, by the id of the row."""


def write_health(files: Files, report: HealthReport) -> None:
    """Replace the report."""
    texts = {}
    for row in report.rows:
        # One that the host would not accept is sent in English only.
        with suppress(ValidationError):
            if isinstance(row.text, Text):
                texts[row.id] = ReportedText.of(row.text)
    messages.write(files, REPORT, report.model_copy(update={"texts": texts}))


def read_health(files: Files) -> HealthReport | None:
    """Return the last report, its texts with their templates; None when there is none that can be read."""
    found = messages.read_valid(files, REPORT, HealthReport)
    if found is None:
        return None
    rows = [row.model_copy(update={"text": _with_template(row, found.texts)}) for row in found.rows]
    return found.model_copy(update={"rows": tuple(rows)})


def _with_template(row: ReportedRow, texts: Mapping[str, ReportedText]) -> str:
    """Return the text of a row, with its template if that makes the same English text."""
    with suppress(KeyError, ValueError):
        said = texts[row.id].text()
        if said == row.text:
            return said
    return row.text
