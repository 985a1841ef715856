"""`python -m tests.bench [NAME…]`: run benchmarks, print their figures, write build/bench/NAME.json.

Exit code 1 when a figure is beyond what is promised: `within_limit` is false.
"""

import json
import sys
from pathlib import Path

from tests.bench import checkins, data_plane, journal, large_apply, large_tenant

PLACE = Path("build/bench")
BENCHMARKS = {
    journal.NAME: journal.measure,
    checkins.NAME: checkins.measure,
    large_apply.NAME: large_apply.measure,
    large_tenant.NAME: large_tenant.measure,
    data_plane.NAME: data_plane.measure,
}


def main(names: list[str]) -> int:
    """Run the benchmarks with these names, or all. The exit code."""
    PLACE.mkdir(parents=True, exist_ok=True)
    within = True
    for name in names or BENCHMARKS:
        figures = BENCHMARKS[name]()
        text = json.dumps(figures, indent=2)
        (PLACE / f"{name}.json").write_text(f"{text}\n")
        sys.stdout.write(f"{name}: {text}\n")
        within &= figures.get("within_limit", True)
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
