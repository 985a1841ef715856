"""Run a command line in this process, check its exit code and return its output."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import pytest

from mst_admin import cli as admin
from mstunnel_lab import cli as lab
from mstunnel_setup.cli import monitor, mst_cli, readiness, setup
from mstunnel_setup.cli.framework.render import run_app

MAIN = "import sys; sys.argv.pop(0); from mstunnel_setup.cli.dispatch import main; sys.exit(main())"
"""Starts the program that the first argument names, as its script does."""
PROGRAMS = {
    "mstunnel-setup": setup.app,
    "mst-cli": mst_cli.app,
    "mst-readiness": readiness.app,
    "mst-admin": admin.app,
    "mstunnel-lab": lab.app,
    "mstunnel_monitor": monitor.app,
}


@dataclass(frozen=True)
class Shown:
    """The output of a command."""

    out: str
    err: str

    @property
    def said(self) -> str:
        """The messages for people, on one line."""
        return " ".join(self.err.split())

    @property
    def error(self) -> dict[str, Any]:
        """The one error of the JSON output."""
        (error,) = json.loads(self.out)["errors"]
        return dict(error)


Ran: TypeAlias = Callable[..., Shown]


@pytest.fixture
def ran(capsys: pytest.CaptureFixture[str]) -> Ran:
    def run(line: str, *more: str, code: int = 0) -> Shown:
        program, *words = line.split()
        assert run_app(PROGRAMS[program], program, [*words, *more]) == code
        shown = capsys.readouterr()
        return Shown(shown.out, shown.err)

    return run
