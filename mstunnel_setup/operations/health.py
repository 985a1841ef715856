"""`mst-cli health`: one verdict over containers, certificate and the agent's table, for monitoring."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from pydantic import Field

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import ExitCode
from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.result import Moment, Report, Result
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.base.text import Line, text
from mstunnel_setup.containers.checked_state import CONTAINER_UNHEALTHY, checked_state
from mstunnel_setup.containers.engine import ContainerState
from mstunnel_setup.exchange.health_report import (
    HealthReport,
    HealthState,
    ReportedRow,
    SyncFailure,
    read_health,
)
from mstunnel_setup.exchange.health_rows import ROWS, SEE_LIMITS
from mstunnel_setup.install.agent_hints import agent_problem, fix_of
from mstunnel_setup.install.installed import journal_of, open_gateway
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.operations.certificate.summary import CertificateSummary
from mstunnel_setup.operations.component import ContainerHealth, container_health
from mstunnel_setup.operations.file_systems import DISK_FULL, file_system_notices, judge_file_systems

_SILENT_AFTER: Final = timedelta(minutes=5)
# A start takes up to a minute, and the agent's data from the gateway is up to another minute old.
_SETTLED_AFTER: Final = timedelta(minutes=2)
_HINTS: Final = {row.id: row.hint for row in ROWS}
_SERIOUS: Final = frozenset(row.id for row in ROWS if row.serious)
REPORTED_BY_HOST: Final = frozenset(row.id for row in ROWS if row.host_reports)
# A warning about a certificate that still works does not change the exit code.
_UNUSABLE_CERTIFICATE: Final = frozenset(
    {"certificate-not-in-use", "certificate-expired", "certificate-revoked"}
)
_CERTIFICATE_ENDS: Final = "certificate-nearly-expired"
SERIOUS_CERTIFICATE: Final = _UNUSABLE_CERTIFICATE | {_CERTIFICATE_ENDS}
"""Codes of certificate findings with exit code 4: devices cannot connect, or soon will not."""


def rows_of(report: HealthReport | None, now: datetime) -> tuple[ReportedRow, ...]:
    """Return the agent's rows; a report that is too old counts as unknown."""
    if report is None or abs(now - report.at) <= _SILENT_AFTER:
        return report.rows if report else ()
    content = text("not checked since {at:%Y-%m-%d %H:%M} UTC", at=report.at)
    unknown = {"state": HealthState.UNKNOWN, "text": content, "value": None}
    return tuple(row.model_copy(update=unknown) for row in report.rows)


def of_settled_server(report: HealthReport | None, server: ContainerState | None) -> HealthReport | None:
    """Return the report without the rows about a server that was not running or still starting."""
    started = server.started_at if server else None
    if report is None or started is None or report.at >= started + _SETTLED_AFTER:
        return report
    content = text("the server was started a moment ago")
    unknown = {"state": HealthState.UNKNOWN, "text": content, "value": None}
    rows = [row.model_copy(update=unknown) if row.id == "server-container" else row for row in report.rows]
    return report.model_copy(update={"rows": tuple(rows)})


def agent_troubles(report: HealthReport | None, now: datetime) -> Iterator[Problem]:
    """Yield the agent's current failure and every unhealthy row."""
    if report is None or rows_of(report, now) != report.rows:
        return
    if report.last_error is not None:
        yield agent_problem(report.last_error)
    for row in report.rows:
        if row.state is HealthState.UNHEALTHY and row.id not in REPORTED_BY_HOST:
            yield row_notice(row, report.last_error)


def is_serious(report: HealthReport | None, now: datetime) -> bool:
    """Return whether a row is unhealthy that the site needs for normal service."""
    return any(row.id in _SERIOUS and row.state is HealthState.UNHEALTHY for row in rows_of(report, now))


def row_notice(row: ReportedRow, error: SyncFailure | None) -> Problem:
    """Return the problem for an unhealthy row; `error` is the agent's failure.

    If the agent cannot reach the tenant, `error` says why.
    """
    hint = _HINTS.get(row.id, SEE_LIMITS)
    if error is not None and row.id == "last-check-in":
        hint = fix_of(error)
    return Problem(
        f"health-{row.state.value}", text("{title}: {seen}", title=text(row.title), seen=row.text), hint
    )


class ContainersHealth(Report):
    """Health of both containers."""

    server: ContainerHealth = Field(serialization_alias=paths.SERVER)
    agent: ContainerHealth = Field(serialization_alias=paths.AGENT)


class HealthVerdict(Report):
    """One verdict over containers and certificate, for monitoring."""

    containers: ContainersHealth
    certificate: CertificateSummary
    reported: Moment | None = Field(description="Time of the agent's last report.")
    rows: tuple[ReportedRow, ...] = Field(
        description="The agent's health table, and the file systems that the gateway writes to."
    )
    healthy: bool


def health(operator: Operator) -> Result[HealthVerdict]:
    """Judge containers, certificate and every row of the agent's table.

    The exit code is 7 for a container, 4 for a certificate that devices refuse, 3 for one that is nearly
    expired or for another unhealthy row, else 0. Raises CheckError `not-installed`.
    """
    with open_gateway(operator) as host:
        journal = journal_of(Scope.ALL, operator, despite_damage=True)
        summary = CertificateSummary.read(host, journal.receipt)
        containers = ContainersHealth(
            server=container_health(checked_state(host, paths.SERVER)),
            agent=container_health(checked_state(host, paths.AGENT)),
        )
        states = ((paths.SERVER, containers.server), (paths.AGENT, containers.agent))
        report = of_settled_server(read_health(host.files), host.engine.inspect(paths.SERVER))
        rows = rows_of(report, host.clock.now())
        file_systems = judge_file_systems(host.files)
    sick = (
        CONTAINER_UNHEALTHY(container=name, state=state, component=name.removeprefix("mstunnel-")).problem
        for name, state in states
        if state != "healthy"
    )
    notices = (
        *sick,
        *summary.notices(),
        *_of_agent(report, rows),
        *file_system_notices(file_systems),
    )
    rows += file_systems
    codes, code = {notice.code for notice in notices}, ExitCode.DONE
    if CONTAINER_UNHEALTHY.code in codes:
        code = ExitCode.ENGINE
    elif codes & _UNUSABLE_CERTIFICATE:
        code = ExitCode.CERTIFICATE
    elif codes & {"health-unhealthy", _CERTIFICATE_ENDS, DISK_FULL.code}:
        code = ExitCode.CHECK
    found = HealthVerdict(
        containers=containers,
        certificate=summary,
        reported=None if report is None else report.at.isoformat(timespec="seconds"),
        rows=rows,
        healthy=code is ExitCode.DONE,
    )
    lines = [*states, *summary.lines()]
    lines += [
        (text(row.title), text("{state}: {words}", state=text(row.state.value), words=row.text))
        for row in rows
    ]
    shown = [Line(f"{name!s:30} {value!s}", name, value) for name, value in lines]
    return Result("warning" if notices else "ok", found, notices, text=shown, exit_code=code)


def _of_agent(report: HealthReport | None, rows: Sequence[ReportedRow]) -> Iterator[Problem]:
    if report is None:
        yield warning(
            "agent-not-reported",
            "the agent has not written a health report yet",
            hint="It writes one within a minute of its start; see `mst-cli agent logs`.",
        )
        return
    if rows != report.rows:
        yield warning(
            "agent-silent",
            "the agent has not reported since {since:%Y-%m-%d %H:%M} UTC",
            hint="See why with `mst-cli agent logs --tail 20`, then run `mst-cli agent restart`.",
            since=report.at,
        )
    for row in rows:
        if row.id not in REPORTED_BY_HOST and row.state in (HealthState.WARNING, HealthState.UNHEALTHY):
            yield row_notice(row, report.last_error)
