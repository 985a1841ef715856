"""What the agent has found wrong on this server, each with the command that fixes it."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from mstunnel_setup.base.errors import TenantError
from mstunnel_setup.base.result import Notice
from mstunnel_setup.exchange.health_report import HealthReport, HealthState, ReportedRow
from mstunnel_setup.exchange.status_file import SyncFailure
from mstunnel_setup.install.agent_hints import AGENT_LOGS, agent_hints

_SILENT_AFTER: Final = timedelta(minutes=5)
_ENROL_AGAIN: Final = "Run `mst-cli reenroll`; site and certificate stay."

# Of these errors of the agent our own hints are for an installation.
_UNKNOWN_IDENTITY: Final = ("server-unknown", "application-unknown", "credential-unknown", "secret-wrong")
_ROWS: Final[Mapping[str, str]] = {
    "last-check-in": f"Test the connection to the tenant with `mst-readiness network`; {AGENT_LOGS}",
    "connections": "Add a server to the site: `mstunnel-setup --site NAME` there.",
    "cpu-usage": "See what takes it with `top`; another server in the site shares the load.",
    "cpu-cores": "Give this machine at least four cores.",
    "memory-usage": "See what takes it with `top`; another server in the site shares the load.",
    "disk-space": "Free disk space where `df /etc/mstunnel` shows; `journalctl --vacuum-size=500M` removes "
    "old logs.",
    "latency": "Check the route to the internal network, or set a nearer page: "
    "`mst-admin site update NAME --probe-url URL`.",
    "agent-certificate": _ENROL_AGAIN,
    "internal-network": "Fix DNS, route or proxy (`mst-cli env set`), or set another page: "
    "`mst-admin site update NAME --probe-url URL`.",
    "upgradeability": "Test the connection to the registry with `mst-readiness network`.",
    "server-version": "Run `mst-cli upgrade apply`.",
    "server-container": "Run `mst-cli server restart`; `mst-cli server logs --tail 20` shows why.",
    "server-configuration": "Correct it with `mst-admin config update NAME` or in the admin center, then run "
    "`mst-cli config pull`.",
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
    text = f"not looked at since {report.at:%Y-%m-%d %H:%M} UTC"
    return tuple(
        row.model_copy(update={"state": HealthState.UNKNOWN, "text": text, "value": None})
        for row in report.rows
    )


def agent_troubles(report: HealthReport | None, now: datetime) -> Iterator[Notice]:
    """What the agent fails at now, and every row that is unhealthy."""
    if report is None or rows_of(report, now) != report.rows:
        return
    if report.last_error is not None:
        yield agent_problem(report.last_error)
    for row in report.rows:
        if row.state is HealthState.UNHEALTHY and row.id not in SAID_ELSEWHERE:
            yield row_notice(row, report.last_error)


def is_serious(report: HealthReport | None, now: datetime) -> bool:
    """Whether a row is unhealthy without which the site is not served as it should be."""
    return any(row.id in _SERIOUS and row.state is HealthState.UNHEALTHY for row in rows_of(report, now))


def row_notice(row: ReportedRow, error: SyncFailure | None) -> Notice:
    """A row that is not well; `error` is what the agent fails at, which explains why the tenant is away."""
    hint = _ROWS.get(row.id, "See its limits with `mst-cli help health`.")
    if error is not None and row.id == "last-check-in":
        hint = _fix_of(error)
    return Notice(f"health-{row.state.value}", f"{row.title}: {row.text}", hint)


def agent_problem(error: SyncFailure) -> Notice:
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
    return Notice(code, found.message, _fix_of(error))


def _fix_of(error: SyncFailure) -> str:
    """How to fix an error of the agent, with a command in it."""
    hint = _ENROL_AGAIN if error.code in _UNKNOWN_IDENTITY else agent_hints().get(error.code, "")
    return hint if "`" in hint else f"{hint} {AGENT_LOGS}".lstrip()
