"""The programs of this checkout, each as a file to start: a wheel brings only some of them."""

import os
import sys

from mstunnel_setup.cli.dispatch import MODULES
from tests.places import ROOT

DIRECTORY = ROOT / "build/programs"
"""All of them."""
_LAUNCHER = f"""#!{sys.executable}
import sys
from mstunnel_setup.cli.dispatch import main
sys.exit(main())
"""


def path(name: str) -> str:
    """The file of a program."""
    return str(DIRECTORY / name)


DIRECTORY.mkdir(parents=True, exist_ok=True)
for _name in MODULES:
    # Another process may start it now.
    _partial = DIRECTORY / f".{_name}.{os.getpid()}"
    _partial.write_text(_LAUNCHER)
    _partial.chmod(0o755)
    _partial.replace(DIRECTORY / _name)
