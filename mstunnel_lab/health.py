"""The health that a server reports: a control path takes it, because Graph has no way to write it."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, Field, StrictInt, StrictStr

from mst_admin.metrics import METRICS
from mstunnel_setup.tenant.wire import HealthStatus

MetricName = Annotated[StrictStr, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]*$", max_length=100)]
_LARGEST: Final = 100
_NAMES: Final = frozenset(metric.id for metric in METRICS)
_ORDER: Final = (HealthStatus.UNKNOWN, HealthStatus.HEALTHY, HealthStatus.WARNING, HealthStatus.UNHEALTHY)


def known_member(value: StrEnum) -> StrEnum:
    """Refuse the member to which later ones are mapped when they are read: it cannot be written."""
    if value == "unknownFutureValue":
        raise ValueError("is not a member of the enumeration")
    return value


KnownStatus = Annotated[HealthStatus, AfterValidator(known_member)]


class ReportedCheck(BaseModel, frozen=True, extra="forbid"):
    """One row of a server's own health table: its verdict, and the words that go with it."""

    id: MetricName
    status: KnownStatus
    text: Annotated[StrictStr, Field(max_length=300)] = ""


class ReportedHealth(BaseModel, frozen=True, extra="forbid"):
    """The health of a server. `metrics` maps a row to its figure, not yet divided by `HealthRow.scale`."""

    status: KnownStatus
    server_image_digest: Annotated[StrictStr, Field(max_length=1500)] | None = None
    agent_image_digest: Annotated[StrictStr, Field(max_length=1500)] | None = None
    metrics: Annotated[dict[MetricName, StrictInt], Field(max_length=_LARGEST)] = Field(default_factory=dict)
    checks: Annotated[tuple[ReportedCheck, ...], Field(max_length=_LARGEST)] = ()


class _Row(BaseModel, frozen=True, extra="ignore"):
    id: str
    state: HealthStatus
    text: str = ""
    value: float | None = None


class _Verdict(BaseModel, frozen=True, extra="ignore"):
    rows: tuple[_Row, ...]


class HealthOutput(BaseModel, frozen=True, extra="ignore"):
    """The part of what `mst-cli health --output json` prints that the lab shows."""

    data: _Verdict

    def reported(self) -> ReportedHealth:
        """Return it as a server's report, whose status is that of its worst row."""
        rows = [row for row in self.data.rows if row.id in _NAMES]
        worst = max((row.state for row in rows if row.state in _ORDER), key=_ORDER.index, default=_ORDER[0])
        # Figures are whole numbers, and the agent gives the latency in seconds.
        figures = {
            row.id: round(row.value * (1000 if row.id == "latency" else 1))
            for row in rows
            if row.value is not None
        }
        checks = tuple(ReportedCheck(id=row.id, status=row.state, text=row.text[:300]) for row in rows)
        return ReportedHealth(status=worst, metrics=figures, checks=checks)
