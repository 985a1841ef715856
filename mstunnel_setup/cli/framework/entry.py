"""The start of every program."""

import os

import typer

from mstunnel_setup.cli.framework.render import run_app
from mstunnel_setup.cli.framework.streams import hold
from mstunnel_setup.cli.framework.translation import select
from mstunnel_setup.io.own_process import keep_private


def run_program(app: typer.Typer, program: str) -> int:
    """Run the command line of `program` with lasting streams and private memory; returns the exit code."""
    select(program, os.environ)
    hold()
    keep_private()
    return run_app(app, program)
