"""The command line of `mstunnel-setup`: options and names; the work is in one module per command."""

import sys
from typing import Annotated

import typer

from mstunnel_setup.cli.adopt_commands import adopt_app
from mstunnel_setup.cli.answer_commands import answers_app
from mstunnel_setup.cli.framework.entry import run_program
from mstunnel_setup.cli.framework.install_options import InstallOptions
from mstunnel_setup.cli.framework.options import CommonOptions, new_app, refuse_before_command, with_options
from mstunnel_setup.cli.framework.render import run_command
from mstunnel_setup.cli.framework.root import VersionOption, show_version
from mstunnel_setup.cli.render_commands import render_app
from mstunnel_setup.cli.self_commands import self_app

_PROGRAM = "mstunnel-setup"
# Bytes, as of an answer file.
_LARGEST_ANSWERS = 1024 * 1024

app = new_app(
    "Turn this server into a Microsoft Tunnel gateway. Without a command: install, or continue where the "
    "last run stopped."
)
app.add_typer(answers_app, name="answers", help="Write, check and show answer files.")
app.add_typer(
    adopt_app, name="adopt", help="Take over a server on which Microsoft's own gateway is installed."
)
app.add_typer(self_app, name="self", help="Manage this program itself.")
app.add_typer(render_app, name="render", help="Render the containers as files, without starting them.")


@app.callback(invoke_without_command=True)
@with_options
def install(
    context: typer.Context, common: CommonOptions, options: InstallOptions, version: VersionOption = False
) -> None:
    """Install, or continue where the last run stopped."""
    if version:
        show_version(_PROGRAM, common)
    if context.invoked_subcommand is not None:
        refuse_before_command(context, InstallOptions)
        return
    from mstunnel_setup.install.install import install as run

    run_command(_PROGRAM, common, lambda operator: run(operator, options.request()))


@app.command()
@with_options
def plan(
    common: CommonOptions,
    options: InstallOptions,
    exit_code: Annotated[
        bool,
        typer.Option(
            "--exit-code", envvar="MSTUNNEL_EXIT_CODE", help="Exit with code 20 when anything would change."
        ),
    ] = False,
) -> None:
    """Show what would change, as a diff."""
    from mstunnel_setup.install.install import plan as run

    run_command(
        f"{_PROGRAM} plan", common, lambda operator: run(operator, options.request(), exit_code=exit_code)
    )


@app.command()
@with_options
def step(
    common: CommonOptions,
    options: InstallOptions,
    name: Annotated[str, typer.Argument(help="The step, as `mstunnel-setup steps` lists it.")],
) -> None:
    """Run one step."""
    from mstunnel_setup.install.install import one_step

    run_command(f"{_PROGRAM} step", common, lambda operator: one_step(operator, options.request(), name))


@app.command()
@with_options
def steps(common: CommonOptions) -> None:
    """List the steps, in order."""
    from mstunnel_setup.cli.step_list import step_list

    run_command(f"{_PROGRAM} steps", common, lambda _operator: step_list())


@app.command()
@with_options
def host(
    common: CommonOptions,
    options: InstallOptions,
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            envvar="MSTUNNEL_PORT",
            metavar="N",
            min=1,
            max=65535,
            help="Port of the gateway; by default that of its uplink, or 443.",
        ),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", envvar="MSTUNNEL_REMOVE", help="Undo it.")] = False,
    # What the account passes on when it calls sudo.
    answers_from_stdin: Annotated[
        bool, typer.Option("--answers-from-stdin", envvar="MSTUNNEL_ANSWERS_FROM_STDIN", hidden=True)
    ] = False,
) -> None:
    """Run only the host part of a rootless installation, as root."""
    from mstunnel_setup.install.install import host as run

    given = sys.stdin.buffer.read(_LARGEST_ANSWERS) if answers_from_stdin else None
    run_command(
        f"{_PROGRAM} host",
        common,
        lambda operator: run(operator, options.request(), port, remove=remove, given=given),
    )


@app.command()
@with_options
def status(common: CommonOptions) -> None:
    """Show what is done, what comes next, and why the last run stopped."""
    from mstunnel_setup.install.status import status as run

    run_command(f"{_PROGRAM} status", common, run)


@app.command()
@with_options
def rollback(common: CommonOptions) -> None:
    """Undo an unfinished installation."""
    from mstunnel_setup.install.uninstall import rollback as run

    run_command(f"{_PROGRAM} rollback", common, run)


def main() -> int:
    """Run `mstunnel-setup`; returns the exit code."""
    return run_program(app, _PROGRAM)
