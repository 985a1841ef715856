"""`python -m tests.bench [NAME…]`: run benchmarks, print their figures, write build/bench/NAME.json."""

import json
import sys
from pathlib import Path

from tests.bench import checkins, journal

PLACE = Path("build/bench")
BENCHMARKS = {journal.NAME: journal.measure, checkins.NAME: checkins.measure}


def main(names: list[str]) -> None:
    """Run the benchmarks with these names, or all."""
    PLACE.mkdir(parents=True, exist_ok=True)
    for name in names or BENCHMARKS:
        figures = BENCHMARKS[name]()
        text = json.dumps(figures, indent=2)
        (PLACE / f"{name}.json").write_text(f"{text}\n")
        sys.stdout.write(f"{name}: {text}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
