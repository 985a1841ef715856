"""A real Prometheus collects our metrics in both ways and answers every query of the dashboards."""

import json
import math
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from ruamel.yaml import YAML

from mstunnel_setup.agent.metrics import METRICS, Counters, render
from mstunnel_setup.base import paths
from mstunnel_setup.io.files import Files
from tests import programs
from tests.dashboards import DASHBOARDS, RULES, alerts, queries
from tests.serving import free_port
from tests.testbed.waiting import eventually
from tests.unit.agent.seen import a_round, everything

pytestmark = pytest.mark.long

CLI = programs.path("mst-cli")
DECLARED = {metric.name for metric in METRICS}
# Metrics come from `/metrics`, and from a node exporter.
JOBS = ("mstunnel", "node")
SERVERS = ("gw1", "gw2", "gw3")
MINUTES = 24 * 60
BYTES_PER_CONNECTION = 2_000_000


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus, queried through its HTTP API."""

    url: str

    def get(self, what: str, **parameters: str) -> Any:
        """Return the data of a response; an error raises an AssertionError with its text."""
        answer = requests.get(f"{self.url}/api/v1/{what}", params=parameters, timeout=20).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def ask(self, query: str, at: datetime | None = None) -> list[dict[str, Any]]:
        """Return series and values of a query at a time, by default now."""
        when = {"time": at.isoformat()} if at else {}
        found: list[dict[str, Any]] = self.get("query", query=query, **when)["result"]
        return found

    def collected(self, job: str) -> dict[str, str]:
        """Return every value of gw1 that a job collected, by metric and label."""
        found = self.ask(f'{{__name__=~"mstunnel_.+",job="{job}",instance="gw1"}}')
        return {json.dumps({**item["metric"], "job": ""}, sort_keys=True): item["value"][1] for item in found}


def connections(minute: int, server: int) -> int:
    """Return a number of connections: many by day, few at night, and a few more for each server."""
    day = math.sin(math.pi * minute / MINUTES) ** 2
    return round((900 + 150 * server) * day + 40 * math.sin(minute / 17 + server) + 60)


def history(now: datetime) -> Iterator[str]:
    """Yield the agents' metrics of the last day, in the format that promtool imports."""
    for server, name in enumerate(SERVERS):
        moved = 0
        for minute in range(MINUTES):
            at = now - timedelta(minutes=MINUTES - minute)
            count = connections(minute, server)
            moved += count * BYTES_PER_CONNECTION
            text = render(a_round(everything(at, count, moved), Counters(check_ins=minute))).decode()
            for line in text.splitlines():
                if not line.startswith("#"):
                    yield f"{_of(name, line)} {at.timestamp():.0f}"
    yield "# EOF"


def _of(server: str, line: str) -> str:
    """Return a line with the labels that Prometheus adds."""
    series, _, value = line.rpartition(" ")
    name, _, labels = series.partition("{")
    own = f",{labels.rstrip('}')}" if labels else ""
    return f'{name}{{instance="{server}",job="mstunnel"{own}}} {value}'


@contextmanager
def started(*command: str) -> Iterator[None]:
    """Run a program in the background."""
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=30)


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.ConnectionError:
        return False


def configuration(ports: Sequence[int]) -> dict[str, Any]:
    targets = [{"targets": [f"127.0.0.1:{port}"], "labels": {"instance": "gw1"}} for port in ports]
    jobs = zip(JOBS, targets, strict=True)
    return {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [{"job_name": name, "static_configs": [target]} for name, target in jobs],
    }


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Run a Prometheus with a day of three servers; it collects gw1 in both ways."""
    directory = tmp_path_factory.mktemp("prometheus")
    now, files = datetime.now(UTC), Files(directory / "host")
    files.root.mkdir()
    files.make_directories(paths.AGENT_STATE)
    files.write(paths.AGENT_METRICS, render(a_round(everything(now), Counters(check_ins=MINUTES))))
    backfill(directory, now)
    web, served, exporter = free_port(), free_port(), free_port()
    YAML().dump(configuration((served, exporter)), directory / "prometheus.yml")
    collected = files.locate(paths.AGENT_STATE)
    with ExitStack() as running:
        for command in (
            (CLI, "metrics", "--listen", f"127.0.0.1:{served}", "--root", str(files.root)),
            (
                "prometheus-node-exporter",
                "--collector.disable-defaults",
                "--collector.textfile",
                f"--collector.textfile.directory={collected}",
                f"--web.listen-address=127.0.0.1:{exporter}",
            ),
            (
                "prometheus",
                f"--config.file={directory}/prometheus.yml",
                f"--storage.tsdb.path={directory}/data",
                f"--web.listen-address=127.0.0.1:{web}",
            ),
        ):
            running.enter_context(started(*command))
        found = Prometheus(f"http://127.0.0.1:{web}")
        assert eventually(lambda: answers(f"{found.url}/-/ready"), 60)
        assert eventually(lambda: len(found.ask("up == 1")) == len(JOBS), 60)
        yield found


def backfill(directory: Path, now: datetime) -> None:
    """Store the history as Prometheus' own blocks."""
    text = directory / "history"
    text.write_text("\n".join(history(now)) + "\n")
    command = ("promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet")
    subprocess.run(
        [*command, str(text), str(directory / "data")], check=True, timeout=120, capture_output=True
    )


def test_both_ways_give_the_same_values(prometheus: Prometheus) -> None:
    served, exported = map(prometheus.collected, JOBS)
    assert served == exported
    assert {json.loads(series)["__name__"] for series in served} == DECLARED
    assert prometheus.ask("node_textfile_scrape_error")[0]["value"][1] == "0"


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_query_of_a_dashboard_has_an_answer(prometheus: Prometheus, path: Path) -> None:
    for title, query in queries(path, instance=".+"):
        assert prometheus.ask(query), title


def test_fleet_dashboard_counts_the_servers(prometheus: Prometheus) -> None:
    """Check the time ten minutes ago, when each server was collected once."""
    counted = dict(queries(DASHBOARDS[1], instance=".+"))
    earlier = datetime.now(UTC) - timedelta(minutes=10)
    found = {
        title: int(prometheus.ask(counted[title], earlier)[0]["value"][1])
        for title in ("Unhealthy", "Agents that do not run")
    }
    assert found == {"Unhealthy": 0, "Agents that do not run": 0}
    assert len(prometheus.ask("mstunnel_agent_info", earlier)) == len(SERVERS)


def test_alerts_are_evaluated_and_quiet_for_healthy_servers(
    prometheus: Prometheus,
) -> None:
    def rules() -> list[dict[str, Any]]:
        return [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]

    assert eventually(lambda: {rule["health"] for rule in rules()} == {"ok"}, 30)
    assert [rule["name"] for rule in rules()] == [rule["alert"] for rule in alerts()]
    assert [rule["name"] for rule in rules() if rule["state"] == "firing"] == []
