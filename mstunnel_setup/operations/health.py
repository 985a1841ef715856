"""`mst-cli health`: one verdict over containers, certificate and the agent's table, for monitoring."""

from collections.abc import Iterator, Sequence

from mstunnel_setup.actions import control
from mstunnel_setup.actions.host import Scope
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import ExitCode
from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import Line, text
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.exchange.health_report import HealthReport, ReportedRow, read_health
from mstunnel_setup.exchange.health_state import State
from mstunnel_setup.install.errors import CONTAINER_UNHEALTHY
from mstunnel_setup.install.installed import journal_of, open_gateway
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.operations.agent_findings import SAID_ELSEWHERE, of_settled_server, row_notice, rows_of
from mstunnel_setup.operations.certificate.errors import (
    CERTIFICATE_EXPIRED,
    CERTIFICATE_NOT_IN_USE,
    CERTIFICATE_REVOKED,
)
from mstunnel_setup.operations.certificate.summary import (
    certificate_facts,
    certificate_lines,
    certificate_notices,
)
from mstunnel_setup.operations.component import health as container_health

_CONTAINERS = (paths.SERVER, paths.AGENT)
# A warning that leaves the gateway working does not change the exit code.
_SERIOUS = frozenset(item.code for item in (CERTIFICATE_NOT_IN_USE, CERTIFICATE_EXPIRED, CERTIFICATE_REVOKED))


def health(operator: Operator) -> Result:
    """Containers, certificate, every row of the table.

    Exit code 7 for a container, 4 for a certificate, 3 for another row that is unhealthy, else 0.
    Raises UsageError `not-installed`.
    """
    with open_gateway(operator) as ports:
        facts = certificate_facts(ports, journal_of(Scope.ALL, operator).receipt)
        containers = {name: container_health(control.state_of(ports, name)) for name in _CONTAINERS}
        report = of_settled_server(read_health(ports.files), ports.engine.inspect(paths.SERVER))
        rows = rows_of(report, ports.clock.now())
        notices = (*_sick(containers), *certificate_notices(facts), *_of_agent(report, rows))
    data: JsonObject = {
        "containers": {**containers},
        "certificate": facts,
        "reported": None if report is None else report.at.isoformat(timespec="seconds"),
        "rows": [row.model_dump(mode="json") for row in rows],
        "healthy": not _code(notices),
    }
    lines = [(name, value) for name, value in (*containers.items(), *certificate_lines(facts))]
    lines += [(row.title, text("{value}: {words}", value=row.state.value, words=row.text)) for row in rows]
    shown = [Line(f"{name:30} {value}", name, value) for name, value in lines]
    return Result("warning" if notices else "ok", data, notices, text=shown, exit_code=_code(notices))


def _sick(containers: dict[str, str]) -> Iterator[Problem]:
    for name, state in containers.items():
        if state != "healthy":
            component = name.removeprefix("mstunnel-")
            yield CONTAINER_UNHEALTHY(container=name, state=state, component=component).problem


def _of_agent(report: HealthReport | None, rows: Sequence[ReportedRow]) -> Iterator[Problem]:
    if report is None:
        yield warning(
            "agent-not-reported",
            "the agent has not written a health report yet",
            hint="It writes one within a minute of its start; see `mst-cli agent logs`.",
        )
    elif rows != report.rows:
        yield warning(
            "agent-silent",
            "the agent has not reported since {since:%Y-%m-%d %H:%M} UTC",
            hint="See why with `mst-cli agent logs --tail 20`, then run `mst-cli agent restart`.",
            since=report.at,
        )
    for row in rows:
        if row.id not in SAID_ELSEWHERE and row.state in (State.WARNING, State.UNHEALTHY):
            yield row_notice(row, report.last_error if report else None)


def _code(notices: Sequence[Problem]) -> ExitCode:
    codes = {notice.code for notice in notices}
    if CONTAINER_UNHEALTHY.code in codes:
        return ExitCode.ENGINE
    if codes & _SERIOUS:
        return ExitCode.CERTIFICATE
    return ExitCode.CHECK if "health-unhealthy" in codes else ExitCode.DONE
