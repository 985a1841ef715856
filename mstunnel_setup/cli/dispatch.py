"""The start of every program: the name it is called by selects the command line.

Two optimisations are here: `--version` does not import the program, and pydantic does not search the
metadata of all packages for plugins, which no program here uses.
"""

import os
import sys
from importlib import import_module

from mstunnel_setup import __version__

_DEFAULT = "mstunnel-setup"
MODULES = {
    "mstunnel-setup": "mstunnel_setup.cli.setup",
    "mst-cli": "mstunnel_setup.cli.mst_cli",
    "mst-readiness": "mstunnel_setup.cli.readiness",
    "mst-admin": "mst_admin.cli",
    "mstunnel-agent": "mstunnel_setup.cli.agent",
    "mstunnel-lab": "mstunnel_lab.cli",
    "mstunnel_monitor": "mstunnel_setup.cli.monitor",
    "mstunnel_uplink": "mstunnel_setup.cli.uplink",
}
"""The modules with the command lines, by program name."""
# The value of ExitCode.INTERRUPTED, which cannot be imported before the program is.
_INTERRUPTED = 130
# The value of ExitCode.USAGE, which cannot be imported before the program is.
_USAGE = 2
_WITHOUT_VERSION_OPTION = frozenset({"mstunnel-agent", "mstunnel_monitor", "mstunnel_uplink"})


def main() -> int:
    """Run the program selected by argv[0], by default `mstunnel-setup`, and return the exit code."""
    receive_environment()
    return 0 if version_shown() else run()


def receive_environment() -> None:
    """Read the environment that root passed on when it started this process as another user."""
    if "MSTUNNEL_VARIABLES_FD" in os.environ:
        from mstunnel_setup.io.hand_over import receive_variables

        receive_variables()


def version_shown() -> bool:
    """Print the version and return True if the command line is just `--version`."""
    program = _program()
    asked = sys.argv[1:] in (["--version"], ["-V"]) and program not in _WITHOUT_VERSION_OPTION
    # For JSON output the program's own command line formats the version.
    plain = os.environ.get("MSTUNNEL_OUTPUT", "text") == "text"
    return asked and plain and _written(1, f"{program} {__version__}\n")


def run() -> int:
    """Load and run the program; return the exit code."""
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    try:
        return int(import_module(MODULES[_program()]).main() or 0)
    except ModuleNotFoundError as error:
        if error.name != "mstunnel_lab":
            raise
        # A user can create such a link, but the program for servers does not contain the lab.
        _written(2, "mstunnel-lab is a program of its own: run the file mstunnel-lab of the release\n")
        return _USAGE
    except KeyboardInterrupt:
        # During the import the program cannot report the interruption itself.
        _written(2, "\nstopped[interrupted]: interrupted\n")
        return _INTERRUPTED


def _program() -> str:
    name = os.path.basename(sys.argv[0])  # noqa: PTH119 (pathlib is loaded with the program)
    return name if name in MODULES else _DEFAULT


def _written(descriptor: int, text: str) -> bool:
    """Write to a standard stream; return False on failure, which the command line then reports."""
    try:
        os.write(descriptor, text.encode())  # noqa: TID251 (a standard stream)
    except OSError:
        return False
    return True
