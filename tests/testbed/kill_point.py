"""Runs on the server, beside points.py: `kill_point.py NUMBER PROGRAM ARGUMENT…` kills itself at a point.

The interpreter inside the one file runs it (PROGRAM_PYTHON). With 0 it comes to its end. The points
that were passed are written to /root/points, one a line.
"""

import sys
from pathlib import Path

from mstunnel_setup.cli import mst_cli, setup

sys.path.insert(0, str(Path(__file__).parent))
from points import Points  # type: ignore[import-not-found]  # pyright: ignore[reportMissingImports]


def main(number: int, program: str, arguments: list[str]) -> int:
    """The exit code of the program."""
    points = Points(number or None)
    points.install()
    sys.argv = [program, *arguments]
    code = {"mstunnel-setup": setup.main, "mst-cli": mst_cli.main}[program]()
    Path("/root/points").write_text("\n".join(points.seen))
    return code


sys.exit(main(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))
