"""`mst-admin servers`, `health` and `server list` against a real lab tenant with several sites."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mst_admin import servers as fleet_commands
from mst_admin.health import TrendPoint, judge_server, names_in_graph, sparkline
from mstunnel_lab import remote
from mstunnel_setup.base.errors import ExitCode
from mstunnel_setup.base.text import width
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.tenant.graph import SITES
from mstunnel_setup.tenant.wire import (
    DeploymentMode,
    HealthThreshold,
    TunnelServer,
)
from tests.cases import every
from tests.unit.mst_admin.labs import HERE, READER, MstAdmin, Tenant, running
from tests.unit.operators import operator_of
from tests.unit.schemas import validate

MST_ADMIN = str(Path(sys.executable).with_name("mst-admin"))
LONG = "a-gateway-with-a-name-that-no-table-of-eighty-columns-can-hold.contoso.com"
FIGURES = {"connections": 12, "tls-certificate": 364, "cpu-usage": 60, "throughput": 31 * 10**6}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    """Return a tenant with two sites and four servers, whose pages have two entries."""
    directory = tmp_path_factory.mktemp("fleet")
    seed = directory / "seed.yaml"
    seed.write_text((HERE / "seed.yaml").read_text(encoding="utf-8") + "page_size: 2\n", encoding="utf-8")
    with running(directory / "lab", seed) as tenant:
        site = {item.display_name: item.id for item in tenant.graph().objects(SITES)}
        report(tenant, site["Berlin"], "gw1", "healthy", FIGURES)
        report(tenant, site["Berlin"], "gw2", "unhealthy", {"cpu-usage": 100})
        tenant.graph().create_server(site["Berlin"], "=gw3()", DeploymentMode.STANDALONE_ROOTFUL)
        report(tenant, site["東京"], LONG, "upgradeFailed", FIGURES)
        yield tenant


def report(tenant: Tenant, site: str, name: str, status: str, metrics: Mapping[str, int]) -> None:
    """Register a server, let it check in, and let the lab show its health."""
    made = tenant.graph().create_server(site, name, DeploymentMode.STANDALONE_ROOTFUL)
    tenant.graph().update_server(site, made.id, TunnelServer(display_name=name))
    remote.control(tenant.directory, "PATCH", f"servers/{made.id}", {"status": status, "metrics": metrics})


@pytest.fixture
def admin(command: Callable[[Tenant], MstAdmin], fleet: Tenant) -> MstAdmin:
    """Return an `mst-admin` for the fleet."""
    return command(fleet)


def test_servers_of_all_sites_are_shown_with_health(admin: MstAdmin) -> None:
    rows = admin("servers").data["servers"]
    seen = [(row["site"], row["name"], row["health"], row["sessions"]) for row in rows]
    assert seen == [
        ("Berlin", "=gw3()", "unknown", None),
        ("Berlin", "gw1", "healthy", 12),
        ("Berlin", "gw2", "unhealthy", None),
        ("東京", LONG, "upgradeFailed", 12),
    ]
    assert [row["certificate_days"] for row in rows] == [None, 364, None, 364]
    assert rows[0]["last_check_in"] is None
    assert rows[0]["version"] is rows[0]["server_image_digest"] is rows[0]["releases_behind"] is None


def test_an_application_that_only_reads_may_look(admin: MstAdmin) -> None:
    assert len(admin("servers", client=READER).data["servers"]) == 4
    assert admin("health", "gw1", client=READER).data["name"] == "gw1"


def test_one_site_can_be_chosen(admin: MstAdmin) -> None:
    assert [row["name"] for row in admin("servers", "--site", "東京").data["servers"]] == [LONG]
    assert admin("servers", "--site", "Nowhere").codes("errors") == ["name-unknown"]


def test_the_table_fits_a_terminal_and_names_what_is_unknown(admin: MstAdmin) -> None:
    lines = admin.text("servers").splitlines()
    assert lines[0].split() == ["SITE", "SERVER", "HEALTH", "CHECK-IN", "VERSION", "CERT", "SESSIONS"]
    assert [line for line in lines if len(line) > 80] == []
    assert lines[1].split() == ["Berlin", "=gw3()", "unknown", "never", "unknown", "unknown", "unknown"]
    assert re.fullmatch(r"Berlin +gw1 +healthy +\d+ s +unknown +364 d +12", lines[2])
    assert re.fullmatch(r"東京 +a-gateway\S+… +upgrade failed +\d+ s +unknown +364 d +12", lines[4])
    assert lines[-1] == "4 servers: 1 unknown, 1 healthy, 1 unhealthy, 1 upgrade failed."


def test_the_table_fits_a_terminal_with_full_width_names_too(admin: MstAdmin) -> None:
    graph = admin.tenant.graph()
    (site,) = graph.objects(SITES, "東京")
    graph.update(SITES, site.id, {"displayName": "東京" * 20})
    lines = admin.text("servers").splitlines()
    graph.update(SITES, site.id, {"displayName": "東京"})
    assert any(re.match("(東京)+東?… ", line) for line in lines)
    assert [line for line in lines if width(line) > 80] == []


def test_csv_has_one_line_per_server_and_no_formula(admin: MstAdmin) -> None:
    rows = list(csv.DictReader(admin.text("servers", "--csv").splitlines()))
    assert [row["name"] for row in rows] == ["'=gw3()", "gw1", "gw2", LONG]
    assert (rows[1]["health"], rows[1]["sessions"], rows[1]["certificate_days"]) == ("healthy", "12", "364")
    assert (rows[0]["sessions"], rows[0]["last_check_in"]) == ("", "")
    assert len({row["at"] for row in rows}) == 1
    for alone in (("servers", "--csv"), ("servers", "--watch", "--csv")):
        assert admin(*alone).codes("errors") == ["csv-alone"]


def test_number_of_requests_of_a_reading(
    admin: MstAdmin,
) -> None:
    admin("servers", "--verbose")
    shown = admin("servers", "--verbose").errors
    requests = [line for line in shown.splitlines() if "microsoftTunnelSites" in line]
    # One page has both sites; Berlin's third server is on a second page.
    assert len([line for line in requests if "GET" in line]) == 2
    assert len([line for line in requests if "getHealthMetrics" in line]) == 3


@pytest.fixture
def fault(fleet: Tenant) -> Iterator[Callable[..., None]]:
    """Set the responses of the lab to the next requests for a path."""

    def add(path: str, **how: object) -> None:
        remote.control(fleet.directory, "POST", "faults", {"faults": [{"path": path, **how}]})

    yield add
    remote.control(fleet.directory, "DELETE", "faults")


def test_missing_figures_are_unknown_and_reported(admin: MstAdmin, fault: Callable[..., None]) -> None:
    fault("*/getHealthMetrics", status=500, times=3)
    found = admin("servers")
    assert (found.code, found.status, found.codes()) == (0, "ok", ["figures-missing"])
    assert {row["sessions"] for row in found.data["servers"]} == {None}
    assert "gw1, gw2" in found.envelope["warnings"][0]["message"]


def watch(tenant: Tenant) -> list[str]:
    """Return the command line of a watch that runs in a separate process."""
    return [MST_ADMIN, "servers", "--watch", "--answers", str(tenant.answers()), "--unattended"]


def test_ctrl_c_ends_a_watch_with_an_envelope_for_each_reading(fleet: Tenant) -> None:
    command = [*watch(fleet), "--output", "json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=120)
    validate(first)
    assert [row["name"] for row in first["data"]["servers"]][1] == "gw1"
    assert process.returncode == ExitCode.INTERRUPTED
    # A signal during a write may cause a line to be written twice.
    assert json.loads(rest.splitlines()[-1])["errors"][0]["code"] == "interrupted"
    assert errors == ""


WAITING = """
import os, time
from mst_admin.servers import at_once

def request(seconds):
    os.write(1, b"under way\\n")
    time.sleep(seconds)

at_once(request, [120, 120])
"""


def test_ctrl_c_does_not_wait_for_requests_under_way() -> None:
    command = [sys.executable, "-c", WAITING]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "under way\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT


class Interrupted(Clock):
    """A clock that calls a function of the test between two readings, then raises KeyboardInterrupt."""

    def __init__(self, *steps: Callable[[], None]) -> None:
        self._steps = iter(steps)

    def sleep(self, seconds: float) -> None:
        assert seconds == 30
        step = next(self._steps, None)
        if step is None:
            raise KeyboardInterrupt
        step()


def test_a_watch_outlives_a_tenant_that_does_not_answer(
    fleet: Tenant, fault: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    away: Callable[[], None] = lambda: fault("*/microsoftTunnelSites", status=500)  # noqa: E731
    clock = Interrupted(away, lambda: None)
    operator = replace(operator_of(tmp_path, json=True, clock=clock), answers=fleet.answers())
    with pytest.raises(KeyboardInterrupt):
        fleet_commands.watch(operator, {}, None, 30, as_csv=False)
    first, second, third = map(json.loads, capsys.readouterr().out.splitlines())
    assert [each["status"] for each in (first, second, third)] == ["ok", "error", "ok"]
    assert second["errors"][0]["code"] == "graph-unavailable"
    assert second["data"] == first["data"]
    assert third["errors"] == []


def test_a_watch_on_a_terminal_redraws_in_place(fleet: Tenant) -> None:
    reader, terminal = os.openpty()
    process = subprocess.Popen(watch(fleet), stdout=terminal, stderr=subprocess.DEVNULL)
    shown = b""
    while b"4 servers" not in shown:
        shown += os.read(reader, 4096)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) == ExitCode.INTERRUPTED
    assert shown.startswith(b"\x1b[H\x1b[2JSITE")


def test_one_server_is_shown_row_by_row(admin: MstAdmin) -> None:
    found = admin("health", "gw1")
    rows = {row["id"]: row for row in found.data["rows"]}
    assert (found.code, found.status, found.data["health"]) == (0, "ok", "healthy")
    assert (rows["last-check-in"]["status"], rows["connections"]["status"]) == ("healthy", "healthy")
    assert (rows["tls-certificate"]["value"], rows["tls-certificate"]["text"]) == (364, "364 days left")
    assert (rows["memory-usage"]["status"], rows["memory-usage"]["value"]) == ("unknown", None)
    assert rows["server-container"]["text"] == "not known to the tenant"


def test_tenant_thresholds_decide_the_state(admin: MstAdmin) -> None:
    # The tenant's default is 50 and 75 %; the vendor's page has 95 and 100 %.
    rows = {row["id"]: row for row in admin("health", "gw1").data["rows"]}
    assert (rows["cpu-usage"]["value"], rows["cpu-usage"]["status"]) == (60, "warning")


def test_a_server_that_is_down_is_a_failed_check(admin: MstAdmin) -> None:
    found = admin("health", "gw2")
    assert (found.code, found.status, found.codes()) == (ExitCode.CHECK, "warning", ["server-not-healthy"])
    assert admin("health", "=gw3()").code == 0


def test_trends_are_lines_of_bars(admin: MstAdmin) -> None:
    found = {trend["id"]: trend for trend in admin("health", "gw1").data["trends"]}
    assert [point["value"] for point in found["throughput"]["points"]] == [31]
    assert found["latency"]["points"] == []
    lines = admin.text("health", "gw1", "--days", "1").splitlines()
    assert [line for line in lines if len(line) > 80] == []
    assert "Last 1 day, one bar for every 3 hours:" in lines
    assert re.search(r"(?m)^Throughput +█  31 to 31 Mbit/s$", "\n".join(lines))
    assert re.search(r"(?m)^Latency +nothing reported$", "\n".join(lines))


def test_a_server_is_found_in_all_sites(admin: MstAdmin) -> None:
    shown = admin("health", LONG.upper())
    assert (shown.code, shown.data["site"]) == (ExitCode.CHECK, "東京")
    assert admin("health", shown.data["id"]).data["name"] == LONG
    assert admin("health", LONG, "--site", "Berlin").codes("errors") == ["name-unknown"]
    assert admin("health", "gw9").codes("errors") == ["name-unknown"]


def test_a_name_that_two_sites_use_needs_its_site(admin: MstAdmin) -> None:
    site = {item.display_name: item.id for item in admin.tenant.graph().objects(SITES)}
    made = admin.tenant.graph().create_server(site["東京"], "GW1", DeploymentMode.STANDALONE_ROOTFUL)
    twins = admin("health", "gw1")
    admin.tenant.graph().delete_server(site["東京"], made.id)
    assert twins.codes("errors") == ["name-ambiguous"]
    assert "(Berlin)" in twins.envelope["errors"][0]["hint"]


def test_server_list_needs_no_site(admin: MstAdmin) -> None:
    listed = admin("server", "list").data["objects"]
    assert [(item["site"]["displayName"], item["displayName"]) for item in listed][1:3] == [
        ("Berlin", "gw1"),
        ("Berlin", "gw2"),
    ]
    assert admin.text("server", "list").splitlines()[0].split()[:2] == ["SITE", "NAME"]
    assert admin.text("server", "list", "--site", "Berlin").splitlines()[0].split()[0] == "NAME"


NOW = datetime(2026, 1, 4, tzinfo=UTC)


def test_the_tenants_own_name_of_a_metric_is_used() -> None:
    names = names_in_graph([HealthThreshold(id="cpuUtilization", healthy_threshold=1, unhealthy_threshold=2)])
    assert (names["cpu-usage"], names["cpu-cores"]) == ("cpuUtilization", "cpuCores")
    assert names["memory-usage"] == "memoryUsage"


@every(
    "metric, value, status",
    [
        ("connections", 4990, "healthy"),
        ("connections", 4991, "unhealthy"),
        ("cpu-usage", 96, "warning"),
        ("cpu-cores", 4, "healthy"),
        ("cpu-cores", 1, "warning"),
        ("cpu-cores", 0, "unhealthy"),
        ("disk-space", 4, "warning"),
        ("tls-certificate", 31, "healthy"),
        ("tls-certificate", 30, "warning"),
        ("tls-certificate", -1, "unhealthy"),
        ("server-version", 0, "healthy"),
        ("server-version", 1, "warning"),
        ("server-version", 2, "unhealthy"),
        ("throughput", 0, "healthy"),
    ],
)
def test_limits_without_thresholds(metric: str, value: int, status: str) -> None:
    rows = {row.id: row for row in judge_server(TunnelServer(), {metric: value}, [], NOW)}
    assert rows.pop(metric).status == status
    assert {row.status.value for row in rows.values()} == {"unknown"}


def test_a_sparkline_has_a_bar_for_each_part_of_the_time() -> None:
    start = NOW - timedelta(days=1)
    points = [
        TrendPoint(at=start + timedelta(hours=hours), value=value)
        for hours, value in ((0, 0), (3, 35), (4, 35), (9, 70), (24, 10))
    ]
    assert sparkline(points, start, NOW, 8) == "▁▅ █   ▂"
    assert sparkline([], start, NOW, 3) == "   "
