"""What the agent has found wrong on this server, each with the command that fixes it."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from mstunnel_setup.base.errors import TenantError
from mstunnel_setup.base.problem import Problem
from mstunnel_setup.base.text import text
from mstunnel_setup.containers.engine import ContainerState
from mstunnel_setup.exchange.health_report import HealthReport, ReportedRow
from mstunnel_setup.exchange.health_state import State
from mstunnel_setup.exchange.status_file import Failure
from mstunnel_setup.install.agent_report import AGENT_LOGS, agent_hints

_SILENT_AFTER: Final = timedelta(minutes=5)
# A start may take a minute, and the agent judges what the gateway has written up to 20 seconds before.
_SETTLED_AFTER: Final = timedelta(seconds=90)
_ENROL_AGAIN: Final = text("Run `mst-cli reenroll`; site and certificate stay.")

# Of these errors of the agent our own hints are for an installation.
_UNKNOWN_IDENTITY: Final = ("server-unknown", "application-unknown", "credential-unknown", "secret-wrong")
_ROWS: Final[Mapping[str, str]] = {
    "last-check-in": text(
        "Test the connection to the tenant with `mst-readiness network`; {agent_logs}", agent_logs=AGENT_LOGS
    ),
    "connections": text("Add a server to the site: `mstunnel-setup --site NAME` there."),
    "cpu-usage": text("See what takes it with `top`; another server in the site shares the load."),
    "cpu-cores": text("Give this machine at least four cores."),
    "memory-usage": text("See what takes it with `top`; another server in the site shares the load."),
    "disk-space": text(
        "Free disk space where `df /etc/mstunnel` shows; `journalctl --vacuum-size=500M` removes old logs."
    ),
    "latency": text(
        "Check the route to the internal network, or set a nearer page: "
        "`mst-admin site update NAME --probe-url URL`."
    ),
    "agent-certificate": _ENROL_AGAIN,
    "internal-network": text(
        "Fix DNS, route or proxy (`mst-cli env set`), or set another page: "
        "`mst-admin site update NAME --probe-url URL`."
    ),
    "upgradeability": text("Test the connection to the registry with `mst-readiness network`."),
    "server-version": text("Run `mst-cli upgrade apply`."),
    "server-container": text("Run `mst-cli server restart`; `mst-cli server logs --tail 20` shows why."),
    "server-configuration": text(
        "Correct it with `mst-admin config update NAME` or in the admin center, then run "
        "`mst-cli config pull`."
    ),
}
# Devices are not served as the site wants them, or soon will not be.
_SERIOUS: Final = frozenset(
    {"last-check-in", "agent-certificate", "internal-network", "server-container", "server-configuration"}
)
SAID_ELSEWHERE: Final = frozenset({"tls-certificate", "tls-revocation"})
"""Rows that the commands of the host look at themselves, and report themselves."""


def rows_of(report: HealthReport | None, now: datetime) -> tuple[ReportedRow, ...]:
    """The agent's rows; what it said too long ago is not known any more."""
    if report is None:
        return ()
    if abs(now - report.at) <= _SILENT_AFTER:
        return report.rows
    content = text("not looked at since {at:%Y-%m-%d %H:%M} UTC", at=report.at)
    return tuple(
        row.model_copy(update={"state": State.UNKNOWN, "text": content, "value": None}) for row in report.rows
    )


def of_settled_server(report: HealthReport | None, server: ContainerState | None) -> HealthReport | None:
    """The report, without what it says of a server that had not started yet or was still starting."""
    started = server.started_at if server else None
    if report is None or started is None or report.at >= started + _SETTLED_AFTER:
        return report
    unknown = {"state": State.UNKNOWN, "text": "the server was started a moment ago", "value": None}
    rows = tuple(
        row.model_copy(update=unknown) if row.id == "server-container" else row for row in report.rows
    )
    return report.model_copy(update={"rows": rows})


def agent_troubles(report: HealthReport | None, now: datetime) -> Iterator[Problem]:
    """What the agent fails at now, and every row that is unhealthy."""
    if report is None or rows_of(report, now) != report.rows:
        return
    if report.last_error is not None:
        yield agent_problem(report.last_error)
    for row in report.rows:
        if row.state is State.UNHEALTHY and row.id not in SAID_ELSEWHERE:
            yield row_notice(row, report.last_error)


def is_serious(report: HealthReport | None, now: datetime) -> bool:
    """Whether a row is unhealthy without which the site is not served as it should be."""
    return any(row.id in _SERIOUS and row.state is State.UNHEALTHY for row in rows_of(report, now))


def row_notice(row: ReportedRow, error: Failure | None) -> Problem:
    """A row that is not well; `error` is what the agent fails at, which explains why the tenant is away."""
    hint = _ROWS.get(row.id, text("See its limits with `mst-cli help health`."))
    if error is not None and row.id == "last-check-in":
        hint = _fix_of(error)
    return Problem(f"health-{row.state.value}", text("{title}: {seen}", title=row.title, seen=row.text), hint)


def agent_problem(error: Failure) -> Problem:
    """What the agent fails at, in its words, and what to do about it in ours.

    A code that we do not declare is not passed on: it is `agent-problem`.
    """
    found = TenantError(
        "agent-problem",
        "the agent cannot sync with the tenant: {reason}",
        hint="`mst-cli agent logs --tail 20` shows why.",
        reason=error.message,
    )
    code = error.code if error.code in agent_hints() else found.code
    return Problem(code, found.message, _fix_of(error))


def _fix_of(error: Failure) -> str:
    """How to fix an error of the agent, with a command in it."""
    hint = _ENROL_AGAIN if error.code in _UNKNOWN_IDENTITY else agent_hints().get(error.code, "")
    return hint if "`" in hint else f"{hint} {AGENT_LOGS}".lstrip()
