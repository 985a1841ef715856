"""Errors on the command line and in answer files: one of our messages for each."""

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from mstunnel_setup.cli import agent, uplink
from scripts.docs.command_tree import commands_of
from tests.unit.certificates.pki import Pki
from tests.unit.cli.conftest import PROGRAMS, Ran

FIVE = """\
version: 1
tenant: {cloud: foo}
mode: x
engine: y
pool: z
site: {publc: 1}
"""
PLAN = "`mstunnel-setup plan` shows what would change"
TOPICS = "status, users, user, id, sessions all, sessions valid, session, cookies all, cookies valid, ip bans"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("mst-cli server disconnect id abc", "'CONNECTION': it must be a whole number"),
        ("mst-cli import_cert --delay -5", "'--delay': it must be 0 or more"),
        ("mst-cli import_cert delay -5", "-5 is negative: it must be 0 or more"),
        ("mst-cli import_cert --delay soon", "'--delay': it must be a whole number"),
        # The error about an option of other programs names the one used here.
        ("mst-cli status --json", "no such option: --json; JSON is `--output json` See"),
        ("mstunnel-setup --dry-run", f"--dry-run; {PLAN} See"),
        ("mst-cli install --dry-run", f"--dry-run; {PLAN} See"),
        ("mst-cli upgrade apply --dry-run", "no such option: --dry-run See"),
        ("mst-admin apply DIR --dry-run", "`mst-admin diff DIR` shows what would change See"),
        ("mst-cli server show", TOPICS),
    ],
)
def test_wrong_use_is_answered_in_our_words(ran: Ran, line: str, words: str) -> None:
    shown = ran(line, code=2).said
    assert words in shown
    assert "Input should" not in shown


NOT_UTF8 = os.fsdecode(b"caf\xe9")


def parameters(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Return every option and argument of every command, with the command line up to it."""
    for parameter in command.params:
        yield path, parameter
    for name, inner in commands_of(command).items():
        yield from parameters(inner, (*path, name))


@pytest.mark.parametrize("program", PROGRAMS)
def test_text_that_is_not_utf8_is_refused_whatever_it_is_for(ran: Ran, program: str) -> None:
    # The text is rejected before parsing, so some of the options represent all.
    for path, parameter in [*parameters(typer.main.get_command(PROGRAMS[program]))][::60]:
        option = [parameter.opts[-1]] if parameter.opts[-1].startswith("-") else []
        arguments = [*path, *option, NOT_UTF8]
        shown = ran(program, *arguments, code=2).said
        assert f"error[argument-not-utf8]: argument {len(arguments)} is not UTF-8 text: caf\\xe9" in shown
    assert ran(program, "--output", "json", NOT_UTF8, code=2).error["code"] == "argument-not-utf8"


@pytest.mark.parametrize("line", ["mst-cli", "mst-cli status"])
def test_a_variable_that_is_not_utf8_is_named(ran: Ran, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.setenv("MSTUNNEL_SITE", NOT_UTF8)
    assert "the variable MSTUNNEL_SITE is not UTF-8 text" in ran(line, code=2).said


@pytest.mark.parametrize(
    ("arguments", "main"),
    [(["mstunnel-agent", "version"], agent.main), (["mstunnel_uplink", "serve"], uplink.main)],
)
def test_the_programs_of_containers_refuse_it_too(
    arguments: list[str],
    main: Callable[[], int | None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", [*arguments, NOT_UTF8])
    code = None
    with contextlib.suppress(SystemExit):
        code = main()
    assert code in (None, 2)
    assert "is not UTF-8 text" in capsys.readouterr().err


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_number_is_refused_in_our_words(ran: Ran, program: str) -> None:
    for path, parameter in parameters(typer.main.get_command(PROGRAMS[program])):
        descriptor = getattr(parameter, "type_descriptor", None)
        kind = re.search("<class '(int|float)'>", str(descriptor))
        if kind is None or not parameter.opts[-1].startswith("-"):
            continue
        for wrong in ["soon", "9" * 5000] if kind[1] == "int" else ["soon"]:
            shown = ran(program, *path, f"{parameter.opts[-1]}={wrong}", code=2).said
            assert f"'{parameter.opts[-1]}'" in shown
            assert "it must be" in shown
            assert "Input should" not in shown


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("mst_no_prompt", "2", "the variable mst_no_prompt: it must be 1 or 0"),
        ("mst_log_verbose", "4", "the variable mst_log_verbose: it must be 1 or 0"),
        ("MSTUNNEL_OUTPUT", "xml", "the variable MSTUNNEL_OUTPUT: 'xml' is not one of 'text', 'json'."),
    ],
)
def test_a_variable_of_the_wrong_kind_is_named_alone(
    ran: Ran, monkeypatch: pytest.MonkeyPatch, variable: str, text: str, words: str
) -> None:
    monkeypatch.setenv(variable, text)
    shown = ran("mst-cli status", code=2).said
    assert shown == f"error[usage-invalid]: invalid value for {words} See `mst-cli --help`."


def test_invalid_option_is_named_instead_of_its_variable(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSTUNNEL_OUTPUT", "json")
    assert "invalid value for '--output': 'xml'" in ran("mst-cli --output xml status", code=2).said


@pytest.mark.parametrize(
    ("line", "options", "command"),
    [
        ("mstunnel-setup --site Berlin --accept-eula -v plan --exit-code", "--accept-eula, --site", "plan"),
        ("mstunnel-setup --skip network answers show", "--skip", "answers"),
        ("mst-readiness --timeout 5 --cert /a.pem explain engine-tested", "--timeout, --cert", "explain"),
    ],
)
def test_misplaced_option_before_a_command_is_refused(
    ran: Ran, tmp_path: Path, line: str, options: str, command: str
) -> None:
    program, _, words = line.partition(" ")
    error = ran(f"{program} --output json --root {tmp_path} {words}", code=2).error
    assert (error["code"], error["message"], error["hint"]) == (
        "option-misplaced",
        f"{options}: given before the name of the command `{command}`",
        f"Write options after the name; `{program} {command} --help` lists those of the command.",
    )


def test_a_variable_of_such_an_option_is_for_the_command(
    ran: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MSTUNNEL_SKIP", "network")
    monkeypatch.setenv("MSTUNNEL_SITE", "Berlin")
    assert "Berlin" in ran(f"mstunnel-setup --root {tmp_path} answers show").out


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    return tmp_path / "answers.yaml"


def test_each_mistake_in_an_answer_file_is_an_error_of_its_own(ran: Ran, answers: Path) -> None:
    answers.write_text(FIVE)
    line = f"mstunnel-setup answers check --answers {answers}"
    errors = json.loads(ran(f"{line} --output json", code=2).out)["errors"]
    assert [error["message"].partition(": ")[0] for error in errors] == [
        f"{answers}:{place}" for place in ("2:17", "3:7", "4:9", "5:1", "6:7")
    ]
    assert {error["code"] for error in errors} == {"answers-invalid"}
    assert all(error["hint"] for error in errors)
    assert ran(line, code=2).err.count("writes a commented answer file") == 1


def test_unsupported_answers_are_refused_by_the_check(ran: Ran, answers: Path) -> None:
    answers.write_text("version: 1\nauthentication: pam\n")
    shown = ran(f"mstunnel-setup answers check --answers {answers}", code=2)
    assert "`authentication` must be `oidc` or `certificate`" in shown.err


def test_device_certificate_files_are_checked_with_answers(ran: Ran, answers: Path, tmp_path: Path) -> None:
    ca_file = tmp_path / "device-ca.pem"
    answers.write_text(f"version: 1\nauthentication: certificate\ndevices: {{ca_file: {ca_file}}}\n")
    line = f"mstunnel-setup answers check --answers {answers} --output json"
    ran(line)
    ca_file.write_bytes(Pki().pem("leaf"))
    assert "leaf is not a CA" in ran(line, code=4).out
