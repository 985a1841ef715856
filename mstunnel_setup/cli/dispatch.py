"""The start of every program: the name it is called by selects the command line.

Imports next to nothing: `--version` takes little more than the start of the interpreter, and so does `--help`
where its pages were made in advance.
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
    "mst-admin": "mst_admin.cli",
    "mstunnel-agent": "mstunnel_setup.cli.agent",
    "mstunnel-lab": "mstunnel_lab.cli",
    "mstunnel_monitor": "mstunnel_setup.cli.monitor",
    "mstunnel_uplink": "mstunnel_setup.cli.uplink",
}
"""The module with the command line of each program."""
# Imports make many objects and no garbage: looking for it every 50,000 takes a twentieth of a run.
_COLLECT_EVERY = 1_000_000
_COLLECT_EVERY_WHERE_IT_GOES_ON = 50_000
_GO_ON = ("mstunnel-agent", "mstunnel-lab", "mstunnel_monitor")
HELP_COLUMNS = 80
"""The width of the pages that are made in advance."""
HELP_PAGES = f"{os.path.dirname(os.path.dirname(__file__))}/data/help.txt"  # noqa: PTH120 (see below)
"""Their file (scripts/help_pages.py), where the program was built as one file."""
# They are in English: for these languages the command line makes a page.
OTHER_LANGUAGES = ("ja",)
# ExitCode.INTERRUPTED, which takes longer to import than all of this.
_INTERRUPTED = 130
_HELP = ("--help", "-h")
_WITHOUT_VERSION_OPTION = frozenset({"mstunnel-agent", "mstunnel_monitor", "mstunnel_uplink"})


def main() -> int:
    """Run the program that the called name means, `mstunnel-setup` for any other; returns the exit code."""
    return 0 if answered_at_once() else run()


def answered_at_once() -> bool:
    """Print the version, or the help where it was made in advance, if the command line asks for no more."""
    program = _program()
    if sys.argv[-1] in _HELP and _help_shown(" ".join((program, *sys.argv[1:-1]))):
        return True
    asked = sys.argv[1:] == ["--version"] and program not in _WITHOUT_VERSION_OPTION
    return asked and _version_shown(program)


def run() -> int:
    """Load the program and run it; the exit code."""
    program = _program()
    # No plugin of pydantic is used; it would look for some in the metadata of every package.
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    gc.set_threshold(_COLLECT_EVERY_WHERE_IT_GOES_ON if program in _GO_ON else _COLLECT_EVERY)
    try:
        return int(import_module(MODULES[program]).main() or 0)
    except KeyboardInterrupt:
        # While it is loaded: nothing of it can report that.
        _written(2, "\nstopped: interrupted\n")
        return _INTERRUPTED


def _program() -> str:
    name = os.path.basename(sys.argv[0])  # noqa: PTH119 (pathlib takes longer to import than all of this)
    return name if name in MODULES else _DEFAULT


def _version_shown(program: str) -> bool:
    """Print the version of `program`; False if its command line has to: for JSON, or when that fails."""
    if os.environ.get("MSTUNNEL_OUTPUT", "text") != "text":
        return False
    return _written(1, f"{program} {__version__}\n")


def _help_shown(command: str) -> bool:
    """Print the help of `command`; False if its command line has to, as in another language or width."""
    locale = "".join(os.environ.get(name, "") for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"))
    if "COLUMNS" in os.environ or any(language in locale for language in OTHER_LANGUAGES):
        return False
    try:
        if os.isatty(1) and os.get_terminal_size(1).columns < HELP_COLUMNS:
            return False
        with open(HELP_PAGES, encoding="utf-8") as file:  # noqa: PTH123 (see above)
            page = file.read().partition(f"\f{command}\n")[2].partition("\f")[0]
    except OSError:
        return False
    return page != "" and _written(1, page)


def _written(descriptor: int, text: str) -> bool:
    """Write to a standard stream; False if that fails: then the command line has to."""
    try:
        os.write(descriptor, text.encode())  # noqa: TID251 (a standard stream)
    except OSError:
        return False
    return True
