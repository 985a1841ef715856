"""The examples in the help: every command has some, and the program accepts each."""

import json
from pathlib import Path

import pytest

from mstunnel_setup.cli.framework import help as help_pages
from scripts.docs.command_tree import PROGRAMS, called, program
from tests.cases import every
from tests.unit.cli.conftest import Ran

COMMANDS = {command.path: command for name in PROGRAMS for command in program(name).walk()}
WRITTEN = json.loads((Path(help_pages.__file__).parents[2] / "data/examples.json").read_text())
LINES = [line for lines in WRITTEN.values() for line in lines]


def test_every_command_has_examples_and_nothing_else_does() -> None:
    assert WRITTEN.keys() == COMMANDS.keys()
    assert all(WRITTEN.values())


@every("path", [path for path, command in COMMANDS.items() if command.commands])
def test_help_of_a_group_shows_three_examples(path: str) -> None:
    assert len(WRITTEN[path]) == 3
    assert all(line.removeprefix("sudo ").startswith(path.partition(" ")[0]) for line in WRITTEN[path])


@every("line", sorted({*LINES}))
def test_an_example_is_what_the_program_takes(line: str) -> None:
    assert len(line) <= 76
    assert called(line) in COMMANDS


@every("path", COMMANDS)
def test_the_examples_of_a_command_run_it_or_lead_to_it(path: str) -> None:
    """Examples of a group run its commands; an `id` is preceded by the command that lists it."""
    runs = [called(line) for line in WRITTEN[path]]
    assert any(run.startswith(path) for run in runs)


@pytest.mark.parametrize("line", ["mst-cli cert shwo", "mst-cli import_cert --pxf a", "mst-cli backup"])
def test_a_wrong_example_is_found(line: str) -> None:
    with pytest.raises(Exception, match=r"[Nn]o such (command|option)|Missing parameter"):
        called(line)


@every("path", COMMANDS)
def test_the_help_of_every_command_ends_with_its_examples(ran: Ran, path: str) -> None:
    section = ran(f"{path} --help").out.partition("\nExamples:\n")[2].partition("\n\n")[0].splitlines()
    assert section == [f"  {line}" for line in WRITTEN[path]]


@every("path", [path for path, each in COMMANDS.items() if each.commands and " " in path])
def test_a_bare_word_with_commands_below_it_prints_its_help(ran: Ran, path: str) -> None:
    shown = ran(path)
    assert shown.out.startswith(f"Usage: {path} [OPTIONS] COMMAND")
    assert shown.err == ""


def test_all_confirmations_share_one_variable() -> None:
    asking = [
        parameter
        for command in COMMANDS.values()
        for parameter in command.parameters
        if parameter.help == "Do not ask for confirmation."
    ]
    assert len(asking) > 10
    assert {(each.names, each.variables) for each in asking} == {(("--yes", "-y"), ("MSTUNNEL_YES",))}
