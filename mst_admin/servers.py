"""`mst-admin servers`: the health of all servers, once or repeatedly, as a table, JSON or CSV."""

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import wait
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from io import StringIO
from typing import Final, TypeVar

from pydantic import Field

from mst_admin.kinds.tunnel import ServerPlace, places
from mst_admin.metrics import METRICS
from mst_admin.results import Time, table
from mst_admin.session import READING, open_tenant
from mstunnel_setup import __version__
from mstunnel_setup.base.errors import NetworkError, SetupError, TenantError, UsageError, declare
from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.text import WIDTH, Verbatim, ago, joined, plain, text, width
from mstunnel_setup.containers.release_images import release_images
from mstunnel_setup.exchange.release_catalogue import Digests, ReleaseCatalogue, published
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.io.threads import DaemonPool
from mstunnel_setup.tenant.graph_admin import AdminGraph
from mstunnel_setup.tenant.wire import HealthStatus, TunnelServer

CSV_ALONE = declare(UsageError, "csv-alone", "--csv cannot be combined with {option}", "Remove one of them.")
_AT_ONCE: Final = 8
_LOOK_SECONDS: Final = 0.5
_NAMED: Final = 5
Item = TypeVar("Item")
Made = TypeVar("Made")


@dataclass(frozen=True)
class ServerReading:
    """A server with its latest figures by row; `problem` is the error if the tenant returned none."""

    place: ServerPlace
    figures: Mapping[str, int] = field(default_factory=dict)
    problem: SetupError | None = None


def at_once(work: Callable[[Item], Made], items: Iterable[Item]) -> list[Made]:
    """Return the results of `work` for each item, a few at a time because the tenant throttles.

    Raises the first error of an item. Ctrl-C does not wait for requests in progress.
    """
    with DaemonPool(_AT_ONCE) as pool:
        running = [pool.submit(work, item) for item in items]
        # Waits are short, because Python handles a signal that arrives just before a wait only after it.
        while wait(running, timeout=_LOOK_SECONDS).not_done:
            pass
        return [each.result() for each in running]


def read_figures(graph: AdminGraph, place: ServerPlace, names: Mapping[str, str]) -> ServerReading:
    """Read the figures of a server; `names` has the Graph names of metrics by row. Raises SignInError."""
    if place.server.last_checkin_date_time is None:
        return ServerReading(place)
    try:
        found = graph.metrics(place.site.id, place.server.id, names.values())
    except (NetworkError, TenantError) as error:
        return ServerReading(place, problem=error)
    return ServerReading(place, {row: found[name] for row, name in names.items() if name in found})


def missing_figures(seen: Sequence[ServerReading]) -> tuple[Problem, ...]:
    """Return the warning about servers without figures, if there are any."""
    without = [item for item in seen if item.problem is not None]
    if not without:
        return ()
    names = [item.place.server.display_name for item in without]
    more = text(" and {count} more", count=len(names) - _NAMED) if len(names) > _NAMED else ""
    reason = str(without[0].problem)
    return (
        warning(
            "figures-missing",
            "the tenant did not return the metrics of {servers}: {reason}",
            hint="Run the command again; until then they are shown as unknown.",
            servers=", ".join(names[:_NAMED]) + more,
            reason=reason,
        ),
    )


def release_of(server: TunnelServer, known: ReleaseCatalogue) -> str | None:
    """Return the name of the release that a server runs, or None if its images are of no known release."""
    if server.server_image_digest is None or server.agent_image_digest is None:
        return None
    digests, own = Digests(server.server_image_digest, server.agent_image_digest), release_images()
    if named := known.named(digests):
        return named[0].name
    return __version__ if own and Digests(own.gateway, own.agent) == digests else None


_HEAD: Final = ("SITE", "SERVER", "HEALTH", "CHECK-IN", "VERSION", "CERT", "SESSIONS")
_UNKNOWN: Final = "unknown"
_WORDS: Final = {
    HealthStatus.UPGRADE_IN_PROGRESS: "upgrading",
    HealthStatus.UPGRADE_FAILED: text("upgrade failed"),
    HealthStatus.UNKNOWN_FUTURE_VALUE: _UNKNOWN,
}
"""Short names in the table for some statuses of Graph."""
_FIGURES: Final = {
    "certificate_days": "tls-certificate",
    "sessions": "connections",
    "releases_behind": "server-version",
}
"""The metrics to read for each server, by their names in the result."""
_METRIC_NAMES: Final = {item.id: item.graph_name for item in METRICS if item.id in _FIGURES.values()}


class ServerRow(Report):
    """One server; null is what the tenant does not know. The fields are also the columns of CSV."""

    site: str
    site_id: str
    name: str
    id: str
    health: HealthStatus = Field(description="As Graph has it.")
    last_check_in: Time | None = Field(description="Time of the last check-in (UTC); null: never.")
    version: str | None = Field(description="Name of the release; null: its images are no known release.")
    server_image_digest: str | None
    agent_image_digest: str | None
    certificate_days: int | None = Field(description="Days until the TLS certificate expires.")
    sessions: int | None = Field(description="Connections at the last check-in.")
    releases_behind: int | None = Field(description="Newer releases.")

    def cells(self, now: datetime) -> tuple[str, ...]:
        """Return the row of the table."""
        digest = (self.server_image_digest or "").removeprefix("sha256:")[:8]
        return (
            self.site,
            self.name,
            _WORDS.get(self.health, self.health.value),
            ago(abs(now - self.last_check_in)) if self.last_check_in else "never",
            self.version or digest or _UNKNOWN,
            _UNKNOWN if self.certificate_days is None else f"{self.certificate_days} d",
            _UNKNOWN if self.sessions is None else str(self.sessions),
        )


class ServersReport(Report):
    """Servers of all sites; with --watch one envelope for each reading."""

    at: Time = Field(description="When the tenant was read (UTC).")
    servers: tuple[ServerRow, ...]


def servers(
    operator: Operator, settings: Settings, site: str | None, *, as_csv: bool
) -> Result[ServersReport]:
    """Return the health of the servers of a site or of all sites. Raises UsageError `csv-alone`."""
    if as_csv and operator.json:
        raise CSV_ALONE(option="--output json")
    return _read(operator, open_tenant(operator, settings, READING), site, as_csv=as_csv)


def watch(
    operator: Operator, settings: Settings, site: str | None, seconds: float, *, as_csv: bool
) -> Result[ServersReport]:
    """Show the health of servers repeatedly until Ctrl-C or a closed output.

    A failed reading is reported and the last values stay on screen. Raises UsageError `csv-alone`.
    """
    if as_csv:
        raise CSV_ALONE(option="--watch")
    graph = open_tenant(operator, settings, READING)
    result = _read(operator, graph, site)
    while operator.sinks.show(result):
        operator.clock.sleep(seconds)
        try:
            result = _read(operator, graph, site)
        except (NetworkError, TenantError) as error:
            result = replace(result, status="error", warnings=(), errors=(error.problem,))
    return result


def _read(
    operator: Operator, graph: AdminGraph, site: str | None, *, as_csv: bool = False
) -> Result[ServersReport]:
    seen = at_once(partial(read_figures, graph, names=_METRIC_NAMES), places(graph, site))
    now, known = operator.clock.now(), published()
    rows = [
        ServerRow(
            site=site.display_name,
            site_id=site.id,
            name=server.display_name,
            id=server.id,
            health=server.tunnel_server_health_status or HealthStatus.UNKNOWN,
            last_check_in=server.last_checkin_date_time,
            version=release_of(server, known),
            server_image_digest=server.server_image_digest,
            agent_image_digest=server.agent_image_digest,
            **{name: item.figures.get(metric) for name, metric in _FIGURES.items()},
        )
        for item in seen
        for site, server in (item.place,)
    ]
    report = ServersReport(at=now, servers=tuple(rows))
    text = [*map(Verbatim, _csv(report))] if as_csv else _table(rows, now)
    return Result(report=report, warnings=missing_figures(seen), text=text)


def _table(rows: Sequence[ServerRow], now: datetime) -> list[str]:
    cells = [row.cells(now) for row in rows]
    # The names of sites and servers are truncated to the width that the terminal leaves for them.
    widths = [max(map(width, column)) for column in zip(_HEAD, *cells, strict=True)]
    room = WIDTH - sum(widths[2:]) - 2 * (len(_HEAD) - 1)
    site = min(widths[0], max(room // 2, room - widths[1]))
    fitted = [(_cut(row[0], site), _cut(row[1], room - site), *row[2:]) for row in cells]
    lines = table(fitted, _HEAD, text("There is no server yet."))
    if not rows:
        return lines
    found = Counter(row[2] for row in cells).most_common()
    counts = joined((text("{count} {state}", count=count, state=word) for word, count in found), ", ")
    plural = "" if len(rows) == 1 else "s"
    total = text("{rows} server{plural}: {counts}.", rows=len(rows), plural=plural, counts=counts)
    return [*lines, "", total]


def _cut(name: str, columns: int) -> str:
    """Truncate a name to `columns` of a terminal; a full-width character takes two."""
    shown = plain(name, columns)
    while width(shown) > columns:
        shown = plain(shown, len(shown) - 1)
    return shown


def _csv(report: ServersReport) -> list[str]:
    """Return CSV with a header and one line for each server; an empty cell means unknown."""

    def cell(value: object) -> str:
        text = "" if value is None else plain(value)
        # A spreadsheet runs a cell that begins with these as a formula, and a gateway chooses its own name.
        return f"'{text}" if isinstance(value, str) and text.startswith(("=", "+", "-", "@")) else text

    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["at", *ServerRow.model_fields])
    at = report.at.isoformat(timespec="seconds")
    writer.writerows([at, *map(cell, row.data.values())] for row in report.servers)
    return stream.getvalue().splitlines()
