"""The dashboards and alerts in contrib, as tests read them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

CONTRIB = Path(__file__).parents[1] / "contrib"
RULES = CONTRIB / "prometheus/rules.yml"
DASHBOARDS = sorted((CONTRIB / "grafana").glob("*.json"))


def dashboard(path: Path) -> dict[str, Any]:
    """A dashboard as Grafana imports it."""
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def queries(path: Path, instance: str = "$instance") -> Iterator[tuple[str, str]]:
    """Title of the panel and query, of each query of a dashboard; for the server `instance`."""
    for panel in dashboard(path)["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$instance", instance)


def alerts() -> list[dict[str, Any]]:
    """Every alert of the rules."""
    loaded = YAML(typ="safe").load(RULES.read_text())
    return [rule for group in loaded["groups"] for rule in group["rules"]]
