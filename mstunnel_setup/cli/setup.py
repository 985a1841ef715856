"""The command line of `mstunnel-setup`: options and names; each command is implemented in its own module."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import typer

from mstunnel_setup.cli.framework.command import (
    App,
    Program,
    VersionOption,
    Work,
    refuse_before_command,
    run_program,
    simple_command,
    taking,
)
from mstunnel_setup.cli.framework.install_options import InstallOptions
from mstunnel_setup.cli.framework.options import (
    CommonOptions,
    SignInOptions,
    absolute,
    option,
    options_of,
    settings_of,
)
from mstunnel_setup.io.operator import Operator

_PROGRAM = "mstunnel-setup"
# The limit in bytes is that of an answer file.
_LARGEST_ANSWERS = 1024 * 1024


class _Installer(Program):
    """Installs without a command."""

    options: ClassVar = (CommonOptions, InstallOptions, VersionOption)


app = App(
    "Turn this server into a Microsoft Tunnel gateway. Without a command: install, or continue where the "
    "last run stopped.",
    _Installer,
)
answers_app = app.group("answers", "Write, check and show answer files.")
adopt_app = app.group("adopt", "Take over a server on which Microsoft's own gateway is installed.")
self_app = app.group("self", "Manage this program itself.")
render_app = app.group("render", "Render the containers as files, without starting them.")


@app.callback()
def install(context: typer.Context) -> Work | None:
    """Install, or continue where the last run stopped."""
    if context.invoked_subcommand is not None:
        refuse_before_command(context, InstallOptions)
        return None
    from mstunnel_setup.install.install import install as run

    return lambda operator: run(operator, options_of(context, InstallOptions).request())


@app.command(cls=taking(InstallOptions))
def plan(
    context: typer.Context,
    exit_code: Annotated[
        bool,
        option("--exit-code", help="Exit with code 20 when anything would change."),
    ] = False,
) -> Work:
    """Show what would change, as a diff."""
    from mstunnel_setup.install.install import plan as run

    return lambda operator: run(operator, options_of(context, InstallOptions).request(), exit_code=exit_code)


@app.command(cls=taking(InstallOptions))
def step(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The step, as `mstunnel-setup steps` lists it.")],
) -> Work:
    """Run one step."""
    from mstunnel_setup.install.install import one_step

    return lambda operator: one_step(operator, options_of(context, InstallOptions).request(), name)


simple_command(app, "steps", "List the steps, in order.", "install.step_status:steps")


@app.command(cls=taking(InstallOptions))
def host(
    context: typer.Context,
    port: Annotated[
        int | None,
        option(
            "--port",
            metavar="N",
            min=1,
            max=65535,
            help="Port of the gateway; by default that of its uplink, or 443.",
        ),
    ] = None,
    remove: Annotated[bool, option("--remove", help="Undo it.")] = False,
    # The user's process passes these variables on when it calls sudo.
    answers_from_stdin: Annotated[bool, option("--answers-from-stdin", hidden=True)] = False,
) -> Work:
    """Run only the host part of a rootless installation, as root."""
    from mstunnel_setup.install.install import host as run

    given = sys.stdin.buffer.read(_LARGEST_ANSWERS) if answers_from_stdin else None
    request = replace(options_of(context, InstallOptions).request(), port=port)
    return lambda operator: run(operator, request, remove=remove, given=given)


simple_command(
    app,
    "status",
    "Show what is done, what comes next, and why the last run stopped.",
    "install.step_status:status",
)
simple_command(app, "rollback", "Undo an unfinished installation.", "install.uninstall:rollback")
NewFile = Annotated[
    Path | None, typer.Argument(callback=absolute, help="The new file; without it, standard output.")
]
AnswerFile = Annotated[
    Path | None, typer.Argument(callback=absolute, help="The answer file, like --answers.")
]


def _reading(operator: Operator, file: Path | None) -> Operator:
    """Return the operator with the answer file that is named after the command."""
    return operator if file is None else replace(operator, answers=file)


@answers_app.command("new")
def new_answers(file: NewFile = None) -> Work:
    """Write a commented answer file."""
    from mstunnel_setup.install import answer_file

    return lambda operator: answer_file.new(operator, file)


@answers_app.command("check")
def check_answers(file: AnswerFile = None) -> Work:
    """Check an answer file."""
    from mstunnel_setup.install import answer_file

    return lambda operator: answer_file.check(_reading(operator, file))


@answers_app.command("schema")
def answers_schema(file: NewFile = None) -> Work:
    """Write the JSON Schema of answer files, for editors."""
    from mstunnel_setup.install import answer_file

    return lambda operator: answer_file.schema(operator, file)


@answers_app.command("show", cls=taking(InstallOptions))
def show_answers(context: typer.Context, file: AnswerFile = None) -> Work:
    """Show the merged answers and where each value came from."""
    from mstunnel_setup.install import answer_file

    return lambda operator: answer_file.show(_reading(operator, file), settings_of(context, InstallOptions))


@answers_app.command("save")
def save_answers(
    file: Annotated[Path, typer.Argument(callback=absolute, help="The new answer file.")],
) -> Work:
    """Write the answers of this installation to FILE, for the next server."""
    from mstunnel_setup.install import answer_file

    return lambda operator: answer_file.save(operator, file)


def _format(name: Literal["quadlet", "kubernetes", "helm"], about: str) -> None:
    @render_app.command(name, help=about, cls=taking(InstallOptions))
    def rendered(
        context: typer.Context,
        out: Annotated[
            Path | None,
            option(
                "--out",
                metavar="DIR",
                callback=absolute,
                help="Write the files to this directory instead of standard output.",
            ),
        ] = None,
        port: Annotated[
            int | None,
            option(
                "--port",
                metavar="N",
                min=1,
                max=65535,
                help="Port of the gateway; by default the one in use, or 443.",
            ),
        ] = None,
    ) -> Work:
        from mstunnel_setup.install import render

        return lambda operator: render.render(
            operator, settings_of(context, InstallOptions), render.RenderRequest(name, out, port)
        )


_format("quadlet", "Render the Quadlet files that an installation writes.")
_format("kubernetes", "Render a manifest with both containers in one pod; secrets are placeholders.")
_format("helm", "Render the values of the Helm chart for one gateway.")


simple_command(
    adopt_app,
    "inventory",
    "Show what Microsoft's own gateway left on this server; secrets appear as fingerprints.",
    "adopt.plan:inventory",
)


@adopt_app.command("plan", cls=taking(InstallOptions))
def adopt_plan(context: typer.Context) -> Work:
    """Show what would be carried over, changed and lost, and what prevents it."""
    from mstunnel_setup.adopt import plan

    return lambda operator: plan.plan(operator, options_of(context, InstallOptions).request())


@adopt_app.command(cls=taking(InstallOptions))
def switch(
    context: typer.Context,
    plan: Annotated[
        str,
        option("--plan", metavar="DIGEST", help="Digest of the plan (its last line); required to begin."),
    ] = "",
) -> Work:
    """Install this gateway in place of Microsoft's; if that fails, Microsoft's is restored."""
    from mstunnel_setup.adopt import switch

    return lambda operator: switch.switch(operator, options_of(context, InstallOptions).request(), plan)


@adopt_app.command("rollback", cls=taking(SignInOptions))
def adopt_rollback(
    context: typer.Context,
    offline: Annotated[
        bool,
        typer.Option(
            "--offline",
            envvar="MSTUNNEL_ROLLBACK_OFFLINE",
            help="Do not change the tenant; list what remains there. Variable: MSTUNNEL_ROLLBACK_OFFLINE=1.",
        ),
    ] = False,
) -> Work:
    """Remove this gateway, and restore Microsoft's as it was."""
    from mstunnel_setup.adopt import switch

    return lambda operator: switch.rollback(operator, settings_of(context), offline=offline)


simple_command(
    adopt_app,
    "commit",
    "End the adoption: Microsoft's gateway stays stopped, and a rollback is no longer possible.",
    "adopt.switch:commit",
)


@self_app.command("verify")
def self_verify(
    public_key: Annotated[
        Path | None,
        option(
            "--public-key",
            metavar="FILE",
            callback=absolute,
            help="Also verify the release's signature, with this public key of minisign.",
        ),
    ] = None,
    sums: Annotated[
        Path | None,
        option(
            "--sums",
            metavar="FILE",
            callback=absolute,
            help="The release's checksums, with the signature next to them; by default next to this program.",
        ),
    ] = None,
) -> Work:
    """Verify this file and its unpacked files against the checksums of the build."""
    from mstunnel_setup.operations import version

    return lambda operator: version.self_verify(operator.files, public_key, sums)


@self_app.command("update")
def self_update(
    check: Annotated[bool, option("--check", help="Only show whether there is a newer one.")] = False,
    rollback: Annotated[bool, option("--rollback", help="Return to the previous version.")] = False,
) -> Work:
    """Install the newest version of this program from the release feed; the gateway keeps running."""
    from mstunnel_setup.operations.self_update import self_update

    return lambda operator: self_update(operator, check=check, rollback=rollback)


@self_app.command("install")
def self_install(
    older: Annotated[bool, option("--older", help="Also replace a newer version.")] = False,
) -> Work:
    """Put this file in place of the installed program; the gateway keeps running."""
    from mstunnel_setup.operations.self_update import install_program

    return lambda operator: install_program(operator, older=older)


@self_app.command("licences")
def self_licenses() -> Work:
    """Show the licences of everything bundled with this program."""
    from mstunnel_setup.operations import version

    return lambda _operator: version.self_licenses()


def main() -> int:
    """Run `mstunnel-setup` and return the exit code."""
    return run_program(app, _PROGRAM)
