"""mstunnel-agent: the program of the agent's container."""

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from mstunnel_setup import __version__
from mstunnel_setup.errors import ExitCode, SetupError
from mstunnel_setup.host.clock import SystemClock
from mstunnel_setup.host.files import Files

if TYPE_CHECKING:
    from mstunnel_setup.agent.loop import Agent, Note

app = typer.Typer(
    help="Keeps a gateway in step with its tenant and checks in.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Root = Annotated[Path, typer.Option("--root", envvar="MSTUNNEL_ROOT", help="Directory to see as /.")]
_HOST: Final = Path("/")


@app.command()
def run(root: Root = _HOST) -> None:
    """Check in and keep the configuration in step, until SIGTERM."""
    from mstunnel_setup.agent.health import write_status  # noqa: PLC0415 (keeps --help fast)

    signal.signal(signal.SIGTERM, _end)
    _agent(root, lambda status: write_status(Files(root), status), watching=True).run()


@app.command("check-in")
def check_in(root: Root = _HOST) -> None:
    """Check in and bring the configuration into step, once; the status of a running agent stays as it is."""
    if error := _agent(root, lambda _: None, watching=False).round():
        raise typer.Exit(error.exit_code)


@app.command()
def health(root: Root = _HOST) -> None:
    """Say whether the agent is at work, and when it checked in; exit code 0 or 1."""
    from mstunnel_setup.agent.health import judge, read_status  # noqa: PLC0415 (keeps --help fast)

    verdict = judge(read_status(Files(root)), SystemClock().now())
    _tell(verdict.reason)
    if not verdict.healthy:
        raise typer.Exit(1)


@app.command()
def version() -> None:
    """Print the version."""
    _tell(__version__)


def main() -> None:
    """Run the command line; exit codes as in docs/reference/exit-codes.md."""
    try:
        app()
    except SetupError as error:
        sys.stderr.write(f"error: {error.message}\n" + (f"  {error.hint}\n" if error.hint else ""))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)


def _agent(root: Path, note: "Note", *, watching: bool) -> "Agent":
    from mstunnel_setup.agent.counters import Counters  # noqa: PLC0415 (keeps --help fast)
    from mstunnel_setup.agent.loop import Agent  # noqa: PLC0415 (keeps --help fast)
    from mstunnel_setup.agent.registry import asking  # noqa: PLC0415 (keeps --help fast)
    from mstunnel_setup.agent.renewal import Renewal  # noqa: PLC0415 (keeps --help fast)
    from mstunnel_setup.agent.tenant import enrol  # noqa: PLC0415 (keeps --help fast)
    from mstunnel_setup.agent.watch import Watch  # noqa: PLC0415 (keeps --help fast)

    files, clock, counters = Files(root), SystemClock(), Counters()
    watch = Watch(files, clock, _tell, counters, asking(clock)) if watching else None
    renewal = Renewal(files, clock, _tell, counters) if watching else None
    return Agent(lambda: enrol(files, clock), files, clock, _tell, note, counters, watch, renewal)


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _end(signum: int, frame: object) -> None:  # noqa: ARG001 (signal's contract)
    """End at once, wherever the program is; half-written files are removed on the way out."""
    raise SystemExit(ExitCode.DONE)
