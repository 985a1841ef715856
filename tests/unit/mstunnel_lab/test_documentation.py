"""The reference of the lab lists everything and shows all pictures."""

import re
from pathlib import Path

import pytest

from mstunnel_lab import control
from mstunnel_lab.errors import REFUSALS
from mstunnel_lab.graph import apps, credentials, directory, profiles, servers, tunnel

DOCS = Path(__file__).parents[3] / "docs"
TEXT = (DOCS / "reference/lab.md").read_text()
GRAPH = (tunnel, servers, profiles, directory, credentials, apps)
LAST_SEGMENTS = {
    re.sub(r"\{\w+\}", "{id}", route.path).rsplit("/", 1)[-1] for module in GRAPH for route in module.ROUTES
} - {"{id}", "$count", "$ref"}
NAMES = {
    "paths of Graph": LAST_SEGMENTS,
    "refusals": {str(number) for number in REFUSALS},
    "control paths": {route.path.split("/")[3] for route in control.ROUTES if "/control/" in route.path},
}


@pytest.mark.parametrize("what", NAMES)
def test_reference_lists_everything(what: str) -> None:
    assert len(NAMES[what]) > 3
    assert [name for name in sorted(NAMES[what]) if name not in TEXT] == []


@pytest.mark.parametrize("page", ["reference/lab.md", "how-to/try-in-a-lab.md"])
def test_every_picture_of_the_documentation_exists(page: str) -> None:
    source = (DOCS / page).read_text()
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", source)
    assert pictures
    for picture in pictures:
        path = (DOCS / page).parent / picture
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size < 100_000
