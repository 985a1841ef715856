"""The lab's judgement of a server's report, and the history of its metrics."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mst_admin.metrics import METRICS
from mstunnel_lab.admin_center.servers import HEIGHT, WIDTH, chart, health_checks, threshold_status
from mstunnel_lab.health import HealthOutput, ReportedHealth
from mstunnel_lab.store import Point, Store
from mstunnel_setup.exchange.gateway_report import GatewayReport, Probe
from mstunnel_setup.exchange.health_report import Threshold, Thresholds
from mstunnel_setup.exchange.health_rows import judge_rows
from mstunnel_setup.tenant.wire import HealthThreshold
from tests.unit.agent.seen import NO_FIGURES, observation
from tests.unit.mstunnel_lab.conftest import SITES

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)

LATENCY = next(metric for metric in METRICS if metric.id == "latency")


MORE_IS_WORSE = HealthThreshold(id="cpuUsage", healthy_threshold=95, unhealthy_threshold=100)
MORE_IS_BETTER = HealthThreshold(id="diskSpace", healthy_threshold=5, unhealthy_threshold=3)


@pytest.mark.parametrize(
    ("threshold", "value", "status"),
    [
        (MORE_IS_WORSE, 95, "healthy"),
        (MORE_IS_WORSE, 96, "warning"),
        (MORE_IS_WORSE, 99, "warning"),
        (MORE_IS_WORSE, 100, "unhealthy"),
        (MORE_IS_BETTER, 5.1, "healthy"),
        (MORE_IS_BETTER, 5, "warning"),
        (MORE_IS_BETTER, 3, "warning"),
        (MORE_IS_BETTER, 2.9, "unhealthy"),
        (HealthThreshold(id="cpuUsage"), 100, None),
        (None, 100, None),
    ],
)
def test_status_of_a_value_follows_its_threshold(
    threshold: HealthThreshold | None, value: float, status: str | None
) -> None:
    assert threshold_status(value, threshold) == status


FIELDS = {
    "cpu": ("cpu_usage", "cpuUsage"),
    "memory": ("memory_usage", "memoryUsage"),
    "disk": ("disk_space", "diskSpace"),
    "latency": ("latency", "latency"),
}


@given(st.sampled_from([*FIELDS]), st.integers(1, 100), st.integers(0, 100), st.integers(0, 100))
def test_lab_and_agent_give_a_figure_the_same_status(word: str, value: int, one: int, other: int) -> None:
    better, worse = sorted((one, other), reverse=word == "disk")
    field, name = FIELDS[word]
    own = Thresholds().model_copy(update={field: Threshold(healthy=better, unhealthy=worse)})
    machine = replace(NO_FIGURES, cpu_percent=value, memory_percent=value, disk_free_bytes=value * 1024**3)
    probe = Probe(NOW, "http://x/", {"http_code": 200, "time_connect": value / 1000})
    report = GatewayReport(at=NOW, connections=1, probe=probe)
    seen = observation(NOW, machine=machine, report=report, probe_url="http://x/")
    rows = {row.id: row.state.value for row in judge_rows(seen, own)}
    bounds = HealthThreshold(id=name, healthy_threshold=better, unhealthy_threshold=worse)
    row = next(metric.id for metric in METRICS if metric.graph_name == name)
    figure = 1000 * (value / 1000) if word == "latency" else value
    assert threshold_status(figure, bounds) == rows[row]


DISK = {"metrics": {"disk-space": 40 * 1024**3}}
PROBE = {"id": "internal-network", "status": "unhealthy", "text": "http://x/: status 502"}
BUSY = {"metrics": {"cpu-usage": 60}, "checks": [{"id": "cpu-usage", "status": "healthy", "text": "60 %"}]}


@pytest.mark.parametrize(
    ("report", "title", "value", "status"),
    [
        (BUSY, "CPU usage", "60 %", "warning"),  # the tenant's thresholds override the server's own status
        (DISK, "Disk space", "40 GB", "unknown"),
        ({"metrics": {"throughput": 310_000_000}}, "Throughput", "310 Mbit/s", "unknown"),
        ({"metrics": {"latency": 4}}, "Latency", "4 ms", "unknown"),
        ({"checks": [PROBE]}, "Internal network accessibility", PROBE["text"], "unhealthy"),
        ({"checks": [PROBE]}, "Server logs", "not reported", "unknown"),
    ],
)
def test_reported_figures_have_their_status(report: Any, title: str, value: str, status: str) -> None:
    own = {"cpuUsage": HealthThreshold(id="cpuUsage", healthy_threshold=50, unhealthy_threshold=75)}
    lines = health_checks(ReportedHealth.model_validate({"status": "healthy", **report}), NOW, own, NOW)
    (found,) = (line for line in lines if line.title == title)
    assert (found.value, found.status) == (value, status)


ROWS = [
    {"id": "last-check-in", "title": "Last check-in", "state": "healthy", "text": "now", "value": None},
    {"id": "cpu-usage", "title": "CPU usage", "state": "warning", "text": "60 %", "value": 60.4},
    {"id": "latency", "title": "Latency", "state": "healthy", "text": "4 ms", "value": 0.0042},
    {"id": "server-logs", "title": "Server logs", "state": "unknown", "text": "none", "value": None},
    {"id": "file-system", "title": "/etc/mstunnel", "state": "unhealthy", "text": "full", "value": None},
]


def test_output_of_mst_cli_health_is_shown() -> None:
    printed = {"schema": "mstunnel/1", "data": {"healthy": True, "rows": ROWS}}
    health = HealthOutput.model_validate(printed).reported()
    assert (health.status, health.metrics) == ("warning", {"cpu-usage": 60, "latency": 4})
    assert [check.id for check in health.checks] == ["cpu-usage", "latency", "server-logs"]


@pytest.mark.parametrize(
    ("ago", "status"), [(0, "healthy"), (300, "healthy"), (301, "unhealthy"), (None, "unhealthy")]
)
def test_status_of_the_last_check_in(ago: int | None, status: str) -> None:
    seen = None if ago is None else NOW - timedelta(seconds=ago)
    assert health_checks(None, seen, {}, NOW)[0].status == status


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "lab.sqlite")
    yield opened
    opened.close()


def test_trends_are_averages_of_blocks(store: Store) -> None:
    for at, value in ((0, 10), (599, 20), (600, 50), (1800, 7)):
        store.add_trend("gw", {"cpuUsage": value}, at, 600)
    store.add_trend("other", {"cpuUsage": 99}, 0, 600)
    assert store.trend("gw", "cpuUsage", 0, 1800) == (Point(0, 15), Point(600, 50), Point(1800, 7))
    assert store.trend("gw", "cpuUsage", 1, 1799) == (Point(600, 50),)
    assert store.trend("gw", "latency", 0, 1800) == ()
    store.forget_trends("gw")
    assert store.trend("gw", "cpuUsage", 0, 1800) == ()
    assert len(store.trend("other", "cpuUsage", 0, 1800)) == 1


def test_old_trends_are_deleted(store: Store) -> None:
    for block in range(300):
        store.add_trend("gw", {"cpuUsage": block}, block * 600, 600)
    found = store.trend("gw", "cpuUsage", 0, 10**6)
    assert (len(found), found[0].at) == (241, 59 * 600)


POINTS = st.lists(
    st.tuples(st.integers(0, 1000), st.floats(0, 1e9, allow_nan=False)), max_size=30, unique_by=lambda p: p[0]
)


@given(POINTS)
def test_every_point_is_drawn_inside_the_chart(raw: list[tuple[int, float]]) -> None:
    points = [Point(at, value) for at, value in sorted(raw)]
    drawn = chart(LATENCY, points, 0, 1000)
    assert len(drawn.dots) == len(drawn.rows) == len(points)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in drawn.dots)
    marks = [mark.at for mark in drawn.values]
    assert marks == sorted(marks, reverse=True)
    assert all(0 <= mark <= HEIGHT for mark in marks)


def test_chart_has_a_summary_and_scale() -> None:
    drawn = chart(LATENCY, [Point(0, 4), Point(500, 12.4)], 0, 1000)
    assert drawn.summary == "Lowest 4 ms, highest 12 ms, last 12 ms."
    assert [mark.text for mark in drawn.values] == ["0", "5", "10", "15", "20"]


@pytest.fixture(scope="module")
def server(lab: Any) -> Iterator[str]:
    path = f"{SITES}/{lab.site_id('Osaka')}/microsoftTunnelServers"
    figures = {"cpu-usage": 40, "latency": 3, "throughput": 31_400_000, "disk-space": 7 * 1024**3}
    report = {"status": "healthy", "metrics": figures}
    created = lab.create(path, {"displayName": "gw"}, "app:agent")
    one = f"{path}/{created['id']}"
    lab.control("PATCH", f"servers/{created['id']}", report)
    lab.control("PATCH", "servers/gw", {**report, "metrics": {"cpu-usage": 60}})
    yield one
    lab.graph("admin", "DELETE", one)


def last(lab: Any, server: str, *names: str) -> Any:
    answer = lab.graph("admin", "POST", f"{server}/getHealthMetrics", {"metricNames": names}).json()
    assert answer["@odata.context"].endswith("#Collection(microsoft.graph.keyLongValuePair)")
    return {item["name"]: item["value"] for item in answer["value"]}


def over_time(lab: Any, server: str, name: str) -> Any:
    begin, end = datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(minutes=1)
    body = {"startDateTime": begin.isoformat(), "endDateTime": end.isoformat(), "metricName": name}
    found = lab.graph("admin", "POST", f"{server}/getHealthMetricTimeSeries", body).json()["value"]
    assert all(point["dateTime"].endswith(":00Z") for point in found)
    return [point["value"] for point in found]


def test_metrics_of_a_server_are_read_through_graph(lab: Any, server: str) -> None:
    """Check the last reported values and averages over time, in the units of thresholds."""
    assert last(lab, server, "cpuUsage", "latency", "diskSpace") == {"cpuUsage": 60}
    assert sum(over_time(lab, server, "cpuUsage")) in {50, 100}  # one or two blocks of a minute
    assert over_time(lab, server, "throughput")[-1] == 31
    assert over_time(lab, server, "diskSpace")[-1] == 7
    # A check-in without a report adds no value.
    lab.graph("app:agent", "PATCH", server, {"displayName": "gw"})
    assert over_time(lab, server, "latency") == [3]
    health = {"status": "healthy", "metrics": {"throughput": 10**7}}
    lab.control("PATCH", "servers/gw", health)
    assert last(lab, server, "throughput", "diskSpace") == {"throughput": 10}
