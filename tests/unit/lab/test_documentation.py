"""What the reference of the lab shows and lists is there."""

import re
from pathlib import Path

import pytest

from mstunnel_setup.admin.metrics import METRICS
from mstunnel_setup.lab import (
    control,
    graph_apps,
    graph_credentials,
    graph_directory,
    graph_intune,
    graph_keys,
    graph_logs,
    graph_servers,
    graph_tunnel,
)
from mstunnel_setup.lab.errors import REFUSALS

DOCS = Path(__file__).parents[3] / "docs"
TEXT = (DOCS / "reference/lab.md").read_text()
GRAPH = (
    graph_tunnel,
    graph_servers,
    graph_intune,
    graph_logs,
    graph_directory,
    graph_credentials,
    graph_keys,
    graph_apps,
)
LAST_SEGMENTS = {
    re.sub(r"\{\w+\}", "{id}", route.path).rsplit("/", 1)[-1] for module in GRAPH for route in module.ROUTES
} - {"{id}", "$count", "$ref"}
NAMES = {
    "paths of Graph": LAST_SEGMENTS,
    "metrics": {metric.name for metric in METRICS},
    "refusals": {str(number) for number in REFUSALS},
    "control paths": {route.path.split("/")[3] for route in control.ROUTES},
}


@pytest.mark.parametrize("what", NAMES)
def test_everything_is_listed(what: str) -> None:
    assert len(NAMES[what]) > 3
    assert [name for name in sorted(NAMES[what]) if name not in TEXT] == []


@pytest.mark.parametrize("page", ["reference/lab.md", "how-to/try-in-a-lab.md"])
def test_every_picture_is_there(page: str) -> None:
    source = (DOCS / page).read_text()
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", source)
    assert pictures
    for picture in pictures:
        path = (DOCS / page).parent / picture
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size < 100_000
