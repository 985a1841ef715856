"""The agent's reports: its status, and the health that `mst-cli health` shows.

Both are files. A third one has the metrics for other programs (`agent/metrics.py`).
"""

import platform
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self

from pydantic import BaseModel, Field, ValidationError, WrapValidator

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.base.text import Text, joined, plain, text
from mstunnel_setup.io import messages
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.messages import UtcTime

if TYPE_CHECKING:
    from mstunnel_setup.tenant.wire import HealthThreshold

STATUS: Final = f"{paths.AGENT_STATE}/status.json"

AGENT_LOGS: Final = text("`mst-cli agent logs --tail 20` shows why.")
ENROL_AGAIN: Final = text("Run `mst-cli reenroll`; site and certificate stay.")

# images/agent/healthcheck has the same limit.
_LATEST_ROUND: Final = timedelta(minutes=5)
LATEST_CHECK_IN: Final = timedelta(minutes=5)
"""The maximum age of a healthy agent's last check-in."""


def _one_plain_line(value: object, validate: Callable[[object], str]) -> str:
    # Validation would turn a Text into a plain string without its template.
    return value if isinstance(value, Text) and plain(value) == value else plain(validate(value))


PlainText = Annotated[str, WrapValidator(_one_plain_line)]
"""Text for terminals: the agent wrote it, so it is one line without control characters."""
# Values are filled in by name only, so that the agent, which sends the template, cannot format anything else.
_TEMPLATE: Final = r"^(?:[^{}]|\{[a-z_]{1,40}(?::\.\df)?\})*$"


class ReportedText(BaseModel, frozen=True, extra="ignore", allow_inf_nan=False, defer_build=True):
    """The template of a text and its values, which the host needs to translate it."""

    template: Annotated[PlainText, Field(pattern=_TEMPLATE)]
    values: Mapping[str, "ReportedText | int | float | PlainText"] = Field(default_factory=dict)

    @classmethod
    def of(cls, said: Text) -> Self:
        """Split a text into template and values; values other than numbers are kept as texts."""
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
        """Return the text. Raises KeyError or ValueError for values that do not fit the template."""
        values = {
            name: value.text() if isinstance(value, ReportedText) else value
            for name, value in self.values.items()
        }
        return Text(self.template, values or None)


class SyncFailure(BaseModel, frozen=True, extra="ignore", defer_build=True):
    """The error of the last round, and its time. The host ignores `hint` and uses its own."""

    code: PlainText
    message: PlainText
    hint: PlainText
    at: UtcTime


class AgentStatus(BaseModel, frozen=True, extra="ignore", defer_build=True):
    """The status of the agent. Times are UTC; `container` is its host name, new for each container.

    `proxies` are the variables with which it signed in, without user names and passwords; None before that.
    """

    container: str = Field(default_factory=platform.node)
    started: UtcTime
    last_round: UtcTime | None = None
    last_check_in: UtcTime | None = None
    last_error: SyncFailure | None = None
    proxies: dict[str, PlainText] | None = None


def write_status(files: Files, status: AgentStatus) -> None:
    """Replace the status file. It has no version: fields are only ever added."""
    messages.write(files, STATUS, status)


def last_status(files: Files) -> AgentStatus | None:
    """Return the last status of an agent in any container; None without a readable one."""
    return messages.read_valid(files, STATUS, AgentStatus)


def read_status(files: Files) -> AgentStatus | None:
    """Return the status of the agent in this container; None without a readable one."""
    found = last_status(files)
    return found if found is not None and found.container == platform.node() else None


def agent_condition(status: AgentStatus | None, now: datetime) -> tuple[bool, str]:
    """Return whether the agent is healthy, and why: its last round began less than 5 minutes ago.

    An unreachable tenant is a row of the health report; restarting this container would not help.
    """
    if status is None:
        return False, text("the agent is not running")
    alive = status.last_round or status.started
    # After the clock was set back, an old round must not count as recent.
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
    """The health of one row, or of the server as a whole."""

    HEALTHY = "healthy"
    WARNING = "warning"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


class Threshold(BaseModel, frozen=True, extra="forbid", defer_build=True):
    """Limits in the metric's unit: `healthy` up to the first, `unhealthy` from the second, else a warning."""

    healthy: float
    unhealthy: float


class Thresholds(BaseModel, frozen=True, extra="forbid", defer_build=True):
    """The thresholds of the metrics: percent, percent, gigabytes free, milliseconds, days.

    Without a threshold for certificates, their lifetime determines it (`certificates/expiry.py`).
    """

    cpu_usage: Threshold = Threshold(healthy=95, unhealthy=100)
    memory_usage: Threshold = Threshold(healthy=95, unhealthy=100)
    disk_space: Threshold = Threshold(healthy=5, unhealthy=3)
    latency: Threshold = Threshold(healthy=10, unhealthy=20)
    certificate_days: Threshold | None = None


# No public source lists Intune's metric names, so each is recognized by a word in it.
_WORDS: Final = {"cpu": "cpu_usage", "memory": "memory_usage", "disk": "disk_space", "latency": "latency"}


def read_thresholds(files: Files) -> Thresholds:
    """Return the defaults with this server's settings. Raises StepError `thresholds-invalid`."""
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


def with_tenant(local: Thresholds, tenant: "Iterable[HealthThreshold]") -> Thresholds:
    """Return the server's thresholds, overridden by those of the tenant."""
    found: dict[str, Threshold] = {}
    for item in tenant:
        name = next((field for word, field in _WORDS.items() if word in item.id.casefold()), None)
        if name and item.healthy_threshold is not None and item.unhealthy_threshold is not None:
            found[name] = Threshold(healthy=item.healthy_threshold, unhealthy=item.unhealthy_threshold)
    return local.model_copy(update=found)


REPORT: Final = f"{paths.AGENT_STATE}/health.json"


class ReportedRow(BaseModel, frozen=True, extra="ignore", allow_inf_nan=False, defer_build=True):
    """One row of the health table."""

    id: PlainText
    title: PlainText
    state: HealthState
    text: PlainText
    value: float | None = None


class HealthReport(BaseModel, frozen=True, extra="ignore", allow_inf_nan=False, defer_build=True):
    """All rows as of `at` (UTC), the limits that applied, and the error of the last round.

    The report of a newer release is ignored: the next round, a minute later, writes another.
    """

    version: Literal[1] = 1
    at: UtcTime
    state: HealthState
    rows: tuple[ReportedRow, ...]
    thresholds: Thresholds
    last_error: SyncFailure | None = None
    texts: Mapping[str, ReportedText] = Field(default_factory=dict)
    """The row texts that are made of templates, by row id."""


def write_health(files: Files, report: HealthReport) -> None:
    """Replace the report, with the templates of its texts."""
    texts = {}
    for row in report.rows:
        # A text that the host would not accept is sent in English only.
        with suppress(ValidationError):
            if isinstance(row.text, Text):
                texts[row.id] = ReportedText.of(row.text)
    messages.write(files, REPORT, report.model_copy(update={"texts": texts}))


def read_health(files: Files) -> HealthReport | None:
    """Return the last report, its texts with their templates; None without a readable one."""
    found = messages.read_valid(files, REPORT, HealthReport)
    if found is None:
        return None
    rows = [row.model_copy(update={"text": _with_template(row, found.texts)}) for row in found.rows]
    return found.model_copy(update={"rows": tuple(rows)})


def _with_template(row: ReportedRow, texts: Mapping[str, ReportedText]) -> str:
    """Return the text of a row, with its template if that yields the same English text."""
    with suppress(KeyError, ValueError):
        said = texts[row.id].text()
        if said == row.text:
            return said
    return row.text
