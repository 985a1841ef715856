"""The start of every program: the name it is called by selects the command line.

Two things here exist for speed: `--version` loads nothing of the program, and pydantic does not search the
metadata of every package for plugins, of which we use none.
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
"""The module with the command line of each program."""
# ExitCode.INTERRUPTED, which is imported with the program.
_INTERRUPTED = 130
# ExitCode.USAGE.
_USAGE = 2
_WITHOUT_VERSION_OPTION = frozenset({"mstunnel-agent", "mstunnel_monitor", "mstunnel_uplink"})


def main() -> int:
    """Run the program that the called name means, `mstunnel-setup` for any other; returns the exit code."""
    receive_environment()
    return 0 if version_shown() else run()


def receive_environment() -> None:
    """Take over the environment from root, where root has started this process as an account."""
    if "MSTUNNEL_VARIABLES_FD" in os.environ:
        from mstunnel_setup.io.hand_over import receive_variables

        receive_variables()


def version_shown() -> bool:
    """Print the version if the command line asks for nothing else; whether that was done."""
    program = _program()
    asked = sys.argv[1:] in (["--version"], ["-V"]) and program not in _WITHOUT_VERSION_OPTION
    # The command line of the program shows it as JSON.
    plain = os.environ.get("MSTUNNEL_OUTPUT", "text") == "text"
    return asked and plain and _written(1, f"{program} {__version__}\n")


def run() -> int:
    """Load the program and run it; the exit code."""
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    try:
        return int(import_module(MODULES[_program()]).main() or 0)
    except ModuleNotFoundError as error:
        if error.name != "mstunnel_lab":
            raise
        # A link that was made by hand: the program for servers has no lab.
        _written(2, "mstunnel-lab is a program of its own: run the file mstunnel-lab of the release\n")
        return _USAGE
    except KeyboardInterrupt:
        # While it is loaded: nothing of it can report that.
        _written(2, "\nstopped[interrupted]: interrupted\n")
        return _INTERRUPTED


def _program() -> str:
    name = os.path.basename(sys.argv[0])  # noqa: PTH119 (pathlib is loaded with the program)
    return name if name in MODULES else _DEFAULT


def _written(descriptor: int, text: str) -> bool:
    """Write to a standard stream; False if that fails: then the command line reports it."""
    try:
        os.write(descriptor, text.encode())  # noqa: TID251 (a standard stream)
    except OSError:
        return False
    return True
