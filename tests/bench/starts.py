"""How long a start takes: version and a completion, beside an interpreter that does nothing.

`mst-cli` is the file that an installation puts in its place, and what a package has, started by its launcher.
The least processor time of many starts counts, all in turn, which other work on the machine changes least. A
completion is what a shell does at a key press, the start of the shell and the reading of the table included.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Final
from unittest import mock

from scripts.bundle import debian, dist, packages
from scripts.docs import command_tree, completion
from tests.bench import on_server
from tests.bench.bar import Bar, bars
from tests.bench.rounds import spread
from tests.e2e.one_file import OneFile

NAME = "start"
_ROUNDS: Final = 15
VERSION_LIMIT: Final = 2.0
"""What `--version` may take, as a multiple of an interpreter that does nothing."""
COMPLETION_LIMIT: Final = 1.0
"""What a completion may take, as a multiple of the same."""
PROGRAMS: Final = ("installed file", "package")
# Two words are complete, the third is begun.
_COMPLETE: Final = """
. "$1"
COMP_WORDS=(mst-cli server sh) COMP_CWORD=2
_mst_cli
[[ ${COMPREPLY[*]} == *show* ]]
"""


def measure() -> dict[str, Any]:
    """The figures, as JSON data: milliseconds."""
    with tempfile.TemporaryDirectory() as directory, mock.patch.dict(os.environ):
        # As installed, the modules of pipx are compiled: the first round, which does not count, does it.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ |= {"MSTUNNEL_OUTPUT": "text", "PYTHONPYCACHEPREFIX": directory}
        tree = Path(directory, "tree")
        packages.unpack(dist.one_file(), tree)
        one_file = OneFile(dist.one_file().read_bytes(), Path(directory))
        installed = Path(directory, "mst-cli")
        installed.symlink_to(one_file.path)
        launcher = Path(directory, "bin/mst-cli")
        launcher.parent.mkdir(exist_ok=True)
        launcher.write_text(packages.launcher(debian.here(), str(tree)))
        launcher.chmod(0o755)
        starts = {"installed file": str(installed), "package": str(launcher)}
        table = Path(directory, "completion")
        table.write_text(completion.bash(command_tree.program("mst-cli")))
        named = {
            "interpreter": [sys.executable, "-c", "pass"],
            "completion": ["bash", "--norc", "-c", _COMPLETE, "bash", str(table)],
            **{name: [starts[name], "--version"] for name in PROGRAMS},
        }
        found = on_server.in_turn(named, _ROUNDS)
    processor = {name: [cpu for _, cpu in times] for name, times in found.items()}
    least = {name: min(times) for name, times in processor.items()}
    return {
        "what": "starts, milliseconds",
        "rounds": _ROUNDS,
        "milliseconds_of_processor": {name: spread(times, 1) for name, times in processor.items()},
        **bars(*limits(least)),
    }


def limits(least: dict[str, float]) -> list[Bar]:
    """The bars of these processor times in milliseconds, by command."""
    bare = least["interpreter"]
    return [
        *(
            Bar(
                f"`mst-cli --version` ({name}), relative to an interpreter",
                _of(least[name], bare),
                VERSION_LIMIT,
                "",
            )
            for name in PROGRAMS
        ),
        Bar(
            "Completion of a word, relative to an interpreter",
            _of(least["completion"], bare),
            COMPLETION_LIMIT,
            "",
        ),
    ]


def _of(one: float, other: float) -> float:
    return round(one / other, 2)
