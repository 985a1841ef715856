"""Runs on the server: collect every command line and environment of every process until a file appears.

`sampler.py STOP OUTPUT` writes what it saw, each once, to OUTPUT when STOP appears.
"""

import sys
import time
from pathlib import Path

PAUSE_SECONDS = 0.005


def sweep(seen: set[bytes]) -> None:
    """Add what the processes of this moment show."""
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            for name in ("cmdline", "environ"):
                try:
                    seen.add((process / name).read_bytes())
                except OSError:
                    continue


def main(stop: Path, output: Path) -> None:
    """Sample until stopped."""
    seen: set[bytes] = set()
    while not stop.exists():
        sweep(seen)
        time.sleep(PAUSE_SECONDS)
    output.write_bytes(b"\n".join(sorted(seen)))


main(Path(sys.argv[1]), Path(sys.argv[2]))
