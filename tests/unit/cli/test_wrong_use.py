"""What a person sees after a mistake on the command line or in the answer file: our words, one error each."""

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from mst_admin import cli as admin
from mstunnel_lab import cli as lab
from mstunnel_setup.cli import agent, monitor, mst_cli, readiness, setup, uplink
from mstunnel_setup.cli.framework.render import run_app
from tests.unit.certificates.pki import Pki

PROGRAMS = {"mstunnel-setup": setup.app, "mst-readiness": readiness.app}
FIVE = """\
version: 1
tenant: {cloud: foo}
mode: x
engine: y
pool: z
site: {publc: 1}
"""


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run_app(mst_cli.app, "mst-cli", arguments) == 2
    return " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("server", "disconnect", "id", "abc"), "'CONNECTION': it must be a whole number"),
        (("import_cert", "--delay", "-5"), "'--delay': it must be 0 or more"),
        (("import_cert", "delay", "-5"), "-5 is negative: it must be 0 or more"),
        (("import_cert", "--delay", "soon"), "'--delay': it must be a whole number"),
    ],
)
def test_a_value_of_the_wrong_kind(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = error_of(capsys, *arguments)
    assert words in shown
    assert "Input should" not in shown


NOT_UTF8 = os.fsdecode(b"caf\xe9")
APPS = {
    "mstunnel-setup": setup.app,
    "mst-cli": mst_cli.app,
    "mst-readiness": readiness.app,
    "mst-admin": admin.app,
    "mstunnel-lab": lab.app,
    "mstunnel_monitor": monitor.app,
}


def parameters(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every option and argument of every command, with the words that lead to it."""
    for parameter in command.params:
        yield path, parameter
    for name, inner in getattr(command, "commands", {}).items():
        yield from parameters(inner, (*path, name))


@pytest.mark.parametrize("program", APPS)
def test_text_that_is_not_utf8_is_refused_whatever_it_is_for(
    program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # It is refused before anything is parsed, so that some of the options stand for all.
    for path, parameter in [*parameters(typer.main.get_command(APPS[program]))][::60]:
        option = [parameter.opts[-1]] if parameter.opts[-1].startswith("-") else []
        arguments = [*path, *option, NOT_UTF8]
        assert run_app(APPS[program], program, arguments) == 2
        shown = " ".join(capsys.readouterr().err.split())
        assert f"error[argument-not-utf8]: argument {len(arguments)} is not UTF-8 text: caf\\xe9" in shown
    assert run_app(APPS[program], program, ["--output", "json", NOT_UTF8]) == 2
    (error,) = json.loads(capsys.readouterr().out)["errors"]
    assert error["code"] == "argument-not-utf8"


def test_a_variable_that_is_not_utf8_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MSTUNNEL_SITE", NOT_UTF8)
    assert "the variable MSTUNNEL_SITE is not UTF-8 text" in error_of(capsys, "status")


@pytest.mark.parametrize(
    ("program", "main", "word"),
    [("mstunnel-agent", agent.main, "version"), ("mstunnel_uplink", uplink.main, "serve")],
)
def test_the_programs_of_containers_refuse_it_too(
    program: str,
    main: Callable[[], int | None],
    word: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", [program, word, NOT_UTF8])
    code = None
    with contextlib.suppress(SystemExit):
        code = main()
    assert code in (None, 2)
    assert "is not UTF-8 text" in capsys.readouterr().err


@pytest.mark.parametrize("program", APPS)
def test_every_number_is_refused_in_our_words(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    for path, parameter in parameters(typer.main.get_command(APPS[program])):
        descriptor = getattr(parameter, "type_descriptor", None)
        kind = re.search("<class '(int|float)'>", str(descriptor))
        if kind is None or not parameter.opts[-1].startswith("-"):
            continue
        for wrong in ["soon", "9" * 5000] if kind[1] == "int" else ["soon"]:
            assert run_app(APPS[program], program, [*path, f"{parameter.opts[-1]}={wrong}"]) == 2
            shown = " ".join(capsys.readouterr().err.split())
            assert f"'{parameter.opts[-1]}'" in shown
            assert "it must be" in shown
            assert "Input should" not in shown


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("mst_no_prompt", "2", "the variable mst_no_prompt: it must be 1 or 0"),
        ("mst_log_verbose", "4", "the variable mst_log_verbose: it must be 1 or 0"),
        ("MSTUNNEL_OUTPUT", "xml", "the variable MSTUNNEL_OUTPUT: 'xml' is not one of 'text', 'json'"),
    ],
)
def test_a_variable_of_the_wrong_kind_is_named_alone(
    variable: str,
    text: str,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(variable, text)
    assert (
        error_of(capsys, "status") == f"error[usage-invalid]: invalid value for {words} See `mst-cli --help`."
    )


def test_an_option_of_the_wrong_kind_is_named_and_not_its_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MSTUNNEL_OUTPUT", "json")
    assert run_app(mst_cli.app, "mst-cli", ["--output", "xml", "status"]) == 2
    assert "invalid value for '--output': 'xml'" in " ".join(capsys.readouterr().err.split())


def test_a_query_without_a_topic_names_the_topics(capsys: pytest.CaptureFixture[str]) -> None:
    shown = error_of(capsys, "server", "show")
    for topic in ("status", "users", "sessions all", "ip bans"):
        assert topic in shown


@pytest.mark.parametrize(
    ("line", "options", "command"),
    [
        ("mstunnel-setup --site Berlin --accept-eula -v plan --exit-code", "--accept-eula, --site", "plan"),
        ("mstunnel-setup --skip network answers show", "--skip", "answers"),
        ("mst-readiness --timeout 5 --cert /a.pem explain engine-tested", "--timeout, --cert", "explain"),
    ],
)
def test_an_option_of_an_installation_or_of_checks_before_a_command_is_refused(
    line: str, options: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program, *arguments = line.split()
    common = ("--output", "json", "--root", str(tmp_path))
    assert run_app(PROGRAMS[program], program, [*common, *arguments]) == 2
    (error,) = json.loads(capsys.readouterr().out)["errors"]
    assert (error["code"], error["message"], error["hint"]) == (
        "option-misplaced",
        f"{options}: given before the name of the command `{command}`",
        f"Write options after the name; `{program} {command} --help` lists those of the command.",
    )


def test_a_variable_of_such_an_option_is_for_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MSTUNNEL_SKIP", "network")
    monkeypatch.setenv("MSTUNNEL_SITE", "Berlin")
    assert run_app(setup.app, "mstunnel-setup", ["--root", str(tmp_path), "answers", "show"]) == 0
    assert "Berlin" in capsys.readouterr().out


def checked(path: Path, capsys: pytest.CaptureFixture[str], *more: str) -> Any:
    assert run_app(setup.app, "mstunnel-setup", ["answers", "check", "--answers", str(path), *more]) == 2
    return capsys.readouterr()


def test_each_mistake_in_an_answer_file_is_an_error_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "answers.yaml"
    path.write_text(FIVE)
    errors = json.loads(checked(path, capsys, "--output", "json").out)["errors"]
    assert [error["message"].partition(": ")[0] for error in errors] == [
        f"{path}:{place}" for place in ("2:17", "3:7", "4:9", "5:1", "6:7")
    ]
    assert {error["code"] for error in errors} == {"answers-invalid"}
    assert all(error["hint"] for error in errors)
    assert checked(path, capsys).err.count("writes a commented answer file") == 1


def test_what_the_gateway_does_not_do_is_refused_when_the_answers_are_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "answers.yaml"
    path.write_text("version: 1\nauthentication: pam\n")
    assert "`authentication` must be `oidc`, `certificate` or `radius`" in checked(path, capsys).err


def test_files_about_devices_are_judged_with_the_answers_where_they_are_on_this_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, ca_file = tmp_path / "answers.yaml", tmp_path / "device-ca.pem"
    path.write_text(f"version: 1\nauthentication: certificate\ndevices: {{ca_file: {ca_file}}}\n")
    arguments = ["answers", "check", "--answers", str(path), "--output", "json"]
    assert run_app(setup.app, "mstunnel-setup", arguments) == 0
    ca_file.write_bytes(Pki().pem("leaf"))
    assert run_app(setup.app, "mstunnel-setup", arguments) == 4
    assert "leaf is not a CA" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("program", "words", "advice"),
    [
        ("mst-cli", ("status", "--json"), "no such option: --json; JSON is `--output json` See"),
        ("mstunnel-setup", ("--dry-run",), "--dry-run; `mstunnel-setup plan` shows what would change See"),
        ("mst-cli", ("install", "--dry-run"), "--dry-run; `mstunnel-setup plan` shows what would change See"),
        ("mst-cli", ("upgrade", "apply", "--dry-run"), "no such option: --dry-run See"),
        ("mst-admin", ("apply", "DIR", "--dry-run"), "`mst-admin diff DIR` shows what would change See"),
    ],
)
def test_an_option_that_others_have_is_answered_with_ours(
    program: str, words: tuple[str, ...], advice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_app(APPS[program], program, words) == 2
    assert advice in " ".join(capsys.readouterr().err.split())
