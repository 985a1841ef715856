"""Addresses of documentation pages: on the site of this release, or in the repository."""

import json
from functools import cache
from importlib.resources import files


def address(place: str) -> str:
    """Return the address of `place` (`docs/reference/errors.md#CODE`), or `place` without a site."""
    page, mark, anchor = place.partition("#")
    return f"{found}/{page.removesuffix('.md')}.html{mark}{anchor}" if (found := site()) else place


@cache
def site() -> str:
    """Return the site that `make dist` wrote into the program (scripts/bundle); empty in a checkout."""
    written = files("mstunnel_setup") / "data" / "documentation.json"
    try:
        return str(json.loads(written.read_text())["site"])  # noqa: TID251 (a file of the package)
    except FileNotFoundError:
        return ""
