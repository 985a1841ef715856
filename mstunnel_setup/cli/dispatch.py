"""The entry point of the one file: it is every program of ours, by the name it is called."""

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
