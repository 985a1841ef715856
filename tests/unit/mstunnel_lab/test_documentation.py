"""What the reference of the lab shows and lists is there."""

import re
from pathlib import Path

import pytest

from mst_admin.metrics import METRICS
from mstunnel_lab import control
from mstunnel_lab.errors import REFUSALS
from mstunnel_lab.graph import (
    apps as graph_apps,
)
from mstunnel_lab.graph import (
    credentials as graph_credentials,
)
from mstunnel_lab.graph import (
    directory as graph_directory,
)
from mstunnel_lab.graph import (
    intune as graph_intune,
)
from mstunnel_lab.graph import (
    keys as graph_keys,
)
from mstunnel_lab.graph import (
    logs as graph_logs,
)
from mstunnel_lab.graph import (
    servers as graph_servers,
)
from mstunnel_lab.graph import (
    tunnel as graph_tunnel,
)

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
