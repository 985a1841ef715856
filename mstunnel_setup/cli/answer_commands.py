"""The command group `mstunnel-setup answers`: names and options only."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from mstunnel_setup.cli.framework.install_options import InstallOptions
from mstunnel_setup.cli.framework.options import CommonOptions, full, new_group, with_options
from mstunnel_setup.cli.framework.render import run_command

_GROUP = "mstunnel-setup answers"

answers_app = new_group()

NewFile = Annotated[
    Path | None, typer.Argument(callback=full, help="The new file; without it, standard output.")
]
AnswerFile = Annotated[Path | None, typer.Argument(callback=full, help="The answer file, like --answers.")]


def _with_file(common: CommonOptions, file: Path | None) -> CommonOptions:
    return common if file is None else replace(common, answers=file)


@answers_app.command("new")
@with_options
def new_answers(common: CommonOptions, file: NewFile = None) -> None:
    """Write a commented answer file."""
    from mstunnel_setup.install import answer_file

    run_command(f"{_GROUP} new", common, lambda operator: answer_file.new(operator, file))


@answers_app.command("check")
@with_options
def check_answers(common: CommonOptions, file: AnswerFile = None) -> None:
    """Check an answer file."""
    from mstunnel_setup.install import answer_file

    run_command(f"{_GROUP} check", _with_file(common, file), answer_file.check)


@answers_app.command("schema")
@with_options
def answers_schema(common: CommonOptions, file: NewFile = None) -> None:
    """Write the JSON Schema of answer files, for editors."""
    from mstunnel_setup.install import answer_file

    run_command(f"{_GROUP} schema", common, lambda operator: answer_file.schema(operator, file))


@answers_app.command("show")
@with_options
def show_answers(common: CommonOptions, options: InstallOptions, file: AnswerFile = None) -> None:
    """Show the merged answers and where each value came from."""
    from mstunnel_setup.install import answer_file

    run_command(
        f"{_GROUP} show",
        _with_file(common, file),
        lambda operator: answer_file.show(operator, options.settings()),
    )


@answers_app.command("save")
@with_options
def save_answers(
    common: CommonOptions,
    file: Annotated[Path, typer.Argument(callback=full, help="The new answer file.")],
) -> None:
    """Write the answers of this installation to FILE, for the next server."""
    from mstunnel_setup.install import answer_file

    run_command(f"{_GROUP} save", common, lambda operator: answer_file.save(operator, file))
