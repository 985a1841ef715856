"""Our programs on this host: their names, and where units and root find them."""

import sys
from pathlib import Path
from typing import Final

from mstunnel_setup.base import paths
from mstunnel_setup.io import bundle
from mstunnel_setup.io.files import Files

FILE = "mstunnel-setup"
MONITOR: Final = "mstunnel_monitor"
MONITOR_UNIT = f"{MONITOR}.service"
PROGRAM_UPDATES: Final = f"{paths.STATE}/program"
"""Where `mstunnel-setup self update` keeps the program before, and the new one until it is installed."""
LINKS = ("mst-cli", "mst-readiness", "mst-admin", MONITOR, "mstunnel_uplink")


def path_of(files: Files, name: str) -> str:
    """Where the program `name` is: where the step `program` puts it, else beside the one that runs."""
    if bundle.one_file() is not None:
        return f"{directory(files)}/{name}"
    return str(Path(sys.argv[0]).absolute().with_name(name))


def directory(files: Files) -> str:
    """/usr/sbin, or /usr/bin where the system has merged the two (the former is then a link)."""
    state = files.state(paths.PROGRAMS)
    return "/usr/bin" if state is not None and state.kind == "link" else paths.PROGRAMS
