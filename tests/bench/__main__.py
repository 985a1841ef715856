"""`python -m tests.bench [NAME…]`: run benchmarks, print their figures, write build/bench/NAME.json.

The tables of the pages in docs are written from all that is there, also of earlier runs. Exit
code 1 when a figure is beyond what is promised (`within_limit` is false), or when a benchmark cannot be run:
the others still are.
"""

import json
import sys
import time
import traceback
from pathlib import Path
from typing import Final

from mstunnel_setup.readiness.data import platforms
from tests.bench import (
    at_rest,
    checkins,
    commands,
    connects,
    data_plane,
    full_install,
    image_sizes,
    interruption,
    journal,
    large_apply,
    large_tenant,
    many_sessions,
    sizing,
    starts,
    summary,
)
from tests.bench.bar import write_tables

PLACE = Path("build/bench")
# What users feel comes first.
BENCHMARKS = {
    connects.NAME: connects.measure,
    data_plane.NAME: data_plane.measure,
    many_sessions.NAME: many_sessions.measure,
    interruption.NAME: interruption.measure,
    full_install.NAME: full_install.measure,
    commands.NAME: commands.measure,
    at_rest.NAME: at_rest.measure,
    starts.NAME: starts.measure,
    image_sizes.NAME: image_sizes.measure,
    journal.NAME: journal.measure,
    checkins.NAME: checkins.measure,
    large_apply.NAME: large_apply.measure,
    large_tenant.NAME: large_tenant.measure,
}
SECTIONS: Final = {
    commands.NAME: commands.section,
    at_rest.NAME: at_rest.section,
    data_plane.NAME: data_plane.section,
    connects.NAME: connects.section,
    interruption.NAME: interruption.section,
    many_sessions.NAME: many_sessions.section,
}
"""The tables of docs/evidence/benchmarks.md besides that of the limits, by benchmark."""


def main(names: list[str]) -> int:
    """Run the benchmarks with these names, or all. The exit code."""
    PLACE.mkdir(parents=True, exist_ok=True)
    within = True
    for name in names or BENCHMARKS:
        within &= _measured(name)
    found = [PLACE / f"{name}.json" for name in BENCHMARKS]
    figures = {path.stem: json.loads(path.read_text()) for path in found if path.exists()}
    sections = {name: section(figures[name]) for name, section in SECTIONS.items() if name in figures}
    write_tables([*figures.values()], sections)
    summary.write(figures)
    if many := figures.get(many_sessions.NAME):
        sizing.write(many, platforms().size)
    return 0 if within else 1


def _measured(name: str) -> bool:
    """Run one; whether all is within its limits."""
    begun = time.monotonic()
    try:
        figures = BENCHMARKS[name]()
    except Exception:  # noqa: BLE001 (an hour of other benchmarks is not lost for it)
        sys.stderr.write(f"{name}: {traceback.format_exc()}\n")
        return False
    text = json.dumps(figures, indent=2)
    (PLACE / f"{name}.json").write_text(f"{text}\n")
    sys.stdout.write(f"{name}, in {time.monotonic() - begun:.0f} s: {text}\n")
    return bool(figures.get("within_limit", True))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
