"""The start of every program: the name it is called by selects the command line.

Imports next to nothing, so that `--version` takes little more than the start of the interpreter.
"""

import gc
import os
import sys
from importlib import import_module

from mstunnel_setup import __version__

_DEFAULT = "mstunnel-setup"
MODULES = {
    "mstunnel-setup": "mstunnel_setup.cli.setup",
    "mst-cli": "mstunnel_setup.cli.mst_cli",
    "mst-readiness": "mstunnel_setup.cli.readiness",
    "mst-admin": "mstunnel_setup.cli.admin",
    "mstunnel-agent": "mstunnel_setup.cli.agent",
    "mstunnel-lab": "mstunnel_setup.cli.lab",
    "mstunnel_monitor": "mstunnel_setup.cli.monitor",
    "mstunnel_uplink": "mstunnel_setup.cli.uplink",
}
"""The module with the command line of each program."""
# Imports make many objects and no garbage: looking for it every 2000 takes a twentieth of the start.
_COLLECT_EVERY = 50_000
_WITHOUT_VERSION_OPTION = frozenset({"mstunnel-agent", "mstunnel_monitor", "mstunnel_uplink"})


def main() -> int:
    """Run the program that the called name means, `mstunnel-setup` for any other; returns the exit code."""
    name = os.path.basename(sys.argv[0])  # noqa: PTH119 (pathlib takes longer to import than all of this)
    program = name if name in MODULES else _DEFAULT
    if sys.argv[1:] == ["--version"] and program not in _WITHOUT_VERSION_OPTION and _version_shown(program):
        return 0
    gc.set_threshold(_COLLECT_EVERY)
    return int(import_module(MODULES[program]).main() or 0)


def _version_shown(program: str) -> bool:
    """Print the version of `program`; False if its command line has to: for JSON, or when that fails."""
    if os.environ.get("MSTUNNEL_OUTPUT", "text") != "text":
        return False
    try:
        os.write(1, f"{program} {__version__}\n".encode())  # noqa: TID251 (standard output)
    except OSError:
        return False
    return True
