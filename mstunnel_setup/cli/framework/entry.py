"""The start of every program."""

import os

import typer

from mstunnel_setup.cli.framework.render import run_app
from mstunnel_setup.cli.framework.streams import keep_open
from mstunnel_setup.cli.framework.translation import select
from mstunnel_setup.io.own_process import keep_private


def run_program(app: typer.Typer, program: str) -> int:
    """Run the command line of `program`; returns the exit code."""
    select(program, os.environ)
    keep_open()
    keep_private()
    return run_app(app, program)
