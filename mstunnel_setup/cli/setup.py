"""The command line of `mstunnel-setup`: options and names; the work is in one module per command."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mstunnel_setup.cli.entry import run_program
from mstunnel_setup.cli.install_options import InstallOptions
from mstunnel_setup.cli.lazy import add_lazy_group
from mstunnel_setup.cli.options import (
    CommonOptions,
    full,
    new_app,
    new_group,
    refuse_before_command,
    with_options,
)
from mstunnel_setup.cli.render import run_command
from mstunnel_setup.cli.root import VersionOption, show_version
from mstunnel_setup.host.wake import wake_podman
from mstunnel_setup.lazy import LazyModule

if TYPE_CHECKING:
    from mstunnel_setup.install import answer_file, saved_answers
    from mstunnel_setup.operations import version as version_work
else:
    answer_file = LazyModule("install.answer_file")
    saved_answers = LazyModule("install.saved_answers")
    version_work = LazyModule("operations.version")

_PROGRAM = "mstunnel-setup"
# Bytes, as of an answer file.
_LARGEST_ANSWERS = 1024 * 1024

app = new_app(
    "Turn this server into a Microsoft Tunnel gateway. Without a command: install, or continue where the "
    "last run stopped."
)
answers_app = new_group("Write, check and show answer files.")
app.add_typer(answers_app, name="answers")
add_lazy_group(
    app,
    "adopt",
    "Take over a server on which Microsoft's own gateway is installed.",
    "adopt_commands",
    "adopt_app",
)
self_app = new_group("Manage this program itself.")
app.add_typer(self_app, name="self")
add_lazy_group(
    app, "render", "Render the containers as files, without starting them.", "render_commands", "render_app"
)


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
    wake_podman()
    from mstunnel_setup.install.install import install as run  # noqa: PLC0415 (`--help` stays fast)

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
    wake_podman()
    from mstunnel_setup.install.plan import plan as run  # noqa: PLC0415 (`--help` stays fast)

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
    from mstunnel_setup.install.install import one_step  # noqa: PLC0415 (`--help` stays fast)

    run_command(f"{_PROGRAM} step", common, lambda operator: one_step(operator, options.request(), name))


@app.command()
@with_options
def steps(common: CommonOptions) -> None:
    """List the steps, in order."""
    from mstunnel_setup.cli.step_list import step_list  # noqa: PLC0415 (`--help` stays fast)

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
    from mstunnel_setup.install.install import host as run  # noqa: PLC0415 (`--help` stays fast)

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
    from mstunnel_setup.install.status import status as run  # noqa: PLC0415 (`--help` stays fast)

    run_command(f"{_PROGRAM} status", common, run)


@app.command()
@with_options
def rollback(common: CommonOptions) -> None:
    """Undo an unfinished installation."""
    from mstunnel_setup.install.uninstall import rollback as run  # noqa: PLC0415 (`--help` stays fast)

    run_command(f"{_PROGRAM} rollback", common, run)


NewFile = Annotated[
    Path | None, typer.Argument(callback=full, help="The new file; without it, standard output.")
]
AnswerFile = Annotated[Path | None, typer.Argument(callback=full, help="The answer file, like --answers.")]


def _with(common: CommonOptions, file: Path | None) -> CommonOptions:
    return common if file is None else replace(common, answers=file)


@answers_app.command("new")
@with_options
def new_answers(common: CommonOptions, file: NewFile = None) -> None:
    """Write a commented answer file."""
    run_command(f"{_PROGRAM} answers new", common, lambda operator: answer_file.new(operator, file))


@answers_app.command("check")
@with_options
def check_answers(common: CommonOptions, file: AnswerFile = None) -> None:
    """Check an answer file."""
    run_command(f"{_PROGRAM} answers check", _with(common, file), answer_file.check)


@answers_app.command("schema")
@with_options
def answers_schema(common: CommonOptions, file: NewFile = None) -> None:
    """Write the JSON Schema of answer files, for editors."""
    run_command(f"{_PROGRAM} answers schema", common, lambda operator: answer_file.schema(operator, file))


@answers_app.command("show")
@with_options
def show_answers(common: CommonOptions, options: InstallOptions, file: AnswerFile = None) -> None:
    """Show the merged answers and where each value came from."""
    run_command(
        f"{_PROGRAM} answers show",
        _with(common, file),
        lambda operator: answer_file.show(operator, options.settings()),
    )


@answers_app.command("save")
@with_options
def save_answers(
    common: CommonOptions,
    file: Annotated[Path, typer.Argument(callback=full, help="The new answer file.")],
) -> None:
    """Write the answers of this installation to FILE, for the next server."""
    run_command(f"{_PROGRAM} answers save", common, lambda operator: saved_answers.save(operator, file))


@self_app.command("verify")
@with_options
def self_verify(
    common: CommonOptions,
    public_key: Annotated[
        Path | None,
        typer.Option(
            "--public-key",
            metavar="FILE",
            envvar="MSTUNNEL_PUBLIC_KEY",
            callback=full,
            help="Also verify the release's signature, with this public key of minisign.",
        ),
    ] = None,
    sums: Annotated[
        Path | None,
        typer.Option(
            "--sums",
            metavar="FILE",
            envvar="MSTUNNEL_SUMS",
            callback=full,
            help="The release's checksums, with their signature beside; by default beside this program.",
        ),
    ] = None,
) -> None:
    """Verify this file and its unpacked files against the checksums of the build."""
    run_command(
        f"{_PROGRAM} self verify",
        common,
        lambda operator: version_work.self_verify(operator.files, public_key, sums),
    )


@self_app.command("licenses")
@with_options
def self_licenses(common: CommonOptions) -> None:
    """Show the licences of everything that this program brings."""
    run_command(f"{_PROGRAM} self licenses", common, lambda _operator: version_work.self_licenses())


def main() -> int:
    """Run `mstunnel-setup`; returns the exit code."""
    return run_program(app, _PROGRAM)
