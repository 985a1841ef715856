"""What contrib has for Prometheus and Grafana fits the metrics of the agent, and their tools take it."""

import json
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from ruamel.yaml import YAML

from mstunnel_setup.agent.metrics import METRICS
from tests.cases import every
from tests.dashboards import CONTRIB, DASHBOARDS, RULES, alerts, dashboard, queries

DECLARED = {metric.name for metric in METRICS}
RULES_TEST = RULES.with_suffix(".test.yml")
QUERIES = [(path, title, query) for path in DASHBOARDS for title, query in queries(path)]
COLUMNS = 24
GUIDE = Path(__file__).parents[2] / "docs/how-to/prometheus.md"


def metrics_of(query: str) -> set[str]:
    return set(re.findall(r"\bmstunnel_\w+", query))


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_promtool_accepts_the_alerts() -> None:
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", str(RULES))
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_fires_when_it_should() -> None:
    done = promtool("test", "rules", str(RULES_TEST))
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_is_tested_firing_and_silent() -> None:
    tested = [
        (case["alertname"], bool(case["exp_alerts"]))
        for group in YAML(typ="safe").load(RULES_TEST.read_text())["tests"]
        for case in group.get("alert_rule_test", [])
    ]
    assert set(tested) == {(rule["alert"], firing) for rule in alerts() for firing in (True, False)}


def test_alerts_ask_for_metrics_that_exist_and_say_what_to_do() -> None:
    for rule in alerts():
        assert metrics_of(rule["expr"]) - DECLARED == set(), rule["alert"]
        assert metrics_of(rule["expr"])
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}


def test_the_guide_lists_each_alert_with_its_severity() -> None:
    listed = re.findall(r"^\| `(Mstunnel\w+)` \|.*\| (\w+) \|$", GUIDE.read_text(), re.MULTILINE)
    assert sorted(listed) == sorted((rule["alert"], rule["labels"]["severity"]) for rule in alerts())


def checked(directory: Path, *queries: str) -> subprocess.CompletedProcess[str]:
    """What promtool says about these queries, as the rules of one file."""
    rules = [{"record": f"query:number_{number}", "expr": query} for number, query in enumerate(queries)]
    path = directory / "rules.json"
    path.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    return promtool("check", "rules", str(path))


def test_promtool_parses_each_query(tmp_path: Path) -> None:
    done = checked(tmp_path, *(query for _, _, query in QUERIES))
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{len(QUERIES)} rules found" in done.stdout


@every("path, title, query", QUERIES)
def test_the_metrics_of_each_query_exist(path: Path, title: str, query: str) -> None:
    assert metrics_of(query)
    assert metrics_of(query) - DECLARED == set()
    assert query.count("mstunnel_") == query.count('instance=~"$instance"'), "the choice of servers applies"


def test_promtool_does_refuse_a_wrong_query(tmp_path: Path) -> None:
    assert checked(tmp_path, "mstunnel_connections", "sum(mstunnel_connections").returncode != 0


def test_the_dashboards_show_every_metric() -> None:
    shown = {name for _, _, query in QUERIES for name in metrics_of(query)}
    assert shown == DECLARED


def test_there_are_dashboards_of_fleet_server_and_certificates() -> None:
    assert [path.stem for path in DASHBOARDS] == ["certificates", "fleet", "server"]
    uids = [dashboard(path)["uid"] for path in DASHBOARDS]
    assert len(set(uids)) == len(uids)


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_works_in_any_grafana(path: Path) -> None:
    """It has no fixed number, and asks for the data source instead of naming one."""
    board = dashboard(path)
    assert "id" not in board
    assert board["tags"] == ["mstunnel"]
    variables = {item["name"]: item for item in board["templating"]["list"]}
    assert (variables["datasource"]["type"], variables["instance"]["type"]) == ("datasource", "query")
    assert metrics_of(variables["instance"]["query"]) <= DECLARED
    sources = [
        source["uid"] for item in (variables["instance"], *board["panels"]) for source in _sources(item)
    ]
    assert set(sources) == {"${datasource}"}


def _sources(item: dict[str, Any]) -> list[dict[str, Any]]:
    return [item["datasource"], *(target["datasource"] for target in item.get("targets", []))]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_panels_have_a_number_a_title_and_a_place_of_their_own(path: Path) -> None:
    panels = dashboard(path)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["title"] and panel["targets"] for panel in panels)
    taken = Counter(cell for panel in panels for cell in _cells(panel["gridPos"]))
    assert [cell for cell, count in taken.items() if count > 1] == []
    assert all(0 <= column < COLUMNS for column, _ in taken)


def _cells(place: dict[str, int]) -> list[tuple[int, int]]:
    columns = range(place["x"], place["x"] + place["w"])
    return [(x, y) for x in columns for y in range(place["y"], place["y"] + place["h"])]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_units_fit_the_metrics(path: Path) -> None:
    """A ratio is shown in percent, a time in words, bytes in bytes: as Grafana's units say."""
    for panel in dashboard(path)["panels"]:
        if panel["type"] == "table":
            continue
        unit = panel["fieldConfig"]["defaults"].get("unit")
        assert {_unit(target["expr"]) for target in panel["targets"]} == {unit}, panel["title"]


def _unit(query: str) -> str | None:
    if query.startswith("count("):
        return None
    if "rate(mstunnel_transferred_bytes_total" in query:
        return "Bps"
    units = {"_ratio": "percentunit", "_bytes": "bytes", "_seconds": "s"}
    return next((unit for end, unit in units.items() if f"{end}{{" in query), None)


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_each_alert_leads_to_a_page_that_says_what_to_do(alert: dict[str, Any]) -> None:
    address = urlsplit(alert["annotations"]["runbook_url"])
    assert (address.scheme, address.netloc) == ("https", "docs.example.com")
    page = (CONTRIB.parent / address.path[1:]).with_suffix(".md").read_text()
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert not address.fragment or address.fragment in anchors
