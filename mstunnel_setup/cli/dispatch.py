"""The entry point of the single-file program: the name it is called by selects the command line."""

import sys
from importlib.metadata import distribution
from pathlib import Path

_DEFAULT = "mstunnel-setup"


def main() -> int:
    """Run the program that the called name means, `mstunnel-setup` for any other; returns the exit code."""
    programs = distribution("mstunnel-setup").entry_points.select(group="console_scripts")
    name = Path(sys.argv[0]).name
    program = programs[name if name in programs.names else _DEFAULT].load()
    return int(program())
