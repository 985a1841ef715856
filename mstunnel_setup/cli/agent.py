"""mstunnel-agent: the program of the agent's container."""

import os
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from mstunnel_setup import __version__
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import NOT_INSTALLED, ExitCode, SetupError
from mstunnel_setup.cli.framework.help import STYLE, PlainCommand, PlainGroup
from mstunnel_setup.cli.framework.options import option
from mstunnel_setup.cli.framework.streams import refuse_undecodable
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.own_process import keep_private
from mstunnel_setup.io.process import Processes

app = typer.Typer(cls=PlainGroup, help="Keep a gateway in sync with its tenant and check in.", **STYLE)

Root = Annotated[
    Path,
    option("--root", help="Directory to use as the root of the file system."),
]
_HOST: Final = Path("/")


@app.command(cls=PlainCommand)
def run(root: Root = _HOST) -> None:
    """Check in and keep the configuration in sync, until SIGTERM."""
    # Every installation creates the directory in its first step, so a missing one means that none has begun.
    if Files(root).state(paths.CONFIGURATION) is None:
        raise NOT_INSTALLED()
    # The agent runs for months within 60 MiB, so it replaces the process that loaded the command line.
    Processes().replace([sys.executable, "-m", "mstunnel_setup.agent", str(root)])


@app.command("check-in", cls=PlainCommand)
def check_in(root: Root = _HOST) -> None:
    """Check in and sync the configuration once; the status of a running agent stays as it is."""
    from mstunnel_setup.agent.loop import build_agent, requests_in_log

    with requests_in_log(root):
        error = build_agent(root, watching=False).round()
    if error:
        raise typer.Exit(error.exit_code)


@app.command(cls=PlainCommand)
def health(root: Root = _HOST) -> None:
    """Show whether the agent is running and when it last checked in; exit code 0 or 1."""
    from mstunnel_setup.exchange.health_report import agent_condition, read_status

    healthy, reason = agent_condition(read_status(Files(root)), Clock().now())
    typer.echo(reason)
    if not healthy:
        raise typer.Exit(1)


@app.command(cls=PlainCommand)
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main() -> None:
    """Run the command line and return the exit code (docs/reference/exit-codes.md)."""
    keep_private()
    try:
        refuse_undecodable(sys.argv[1:], os.environ)
        app()
    except SetupError as error:
        sys.stderr.write(f"error: {error.message!s}\n" + (f"  {error.hint!s}\n" if error.hint else ""))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
