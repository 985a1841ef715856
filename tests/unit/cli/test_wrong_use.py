"""What a person sees after a mistake on the command line or in the answer file: our words, one error each."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.cli import mst_cli, readiness, setup
from mstunnel_setup.cli.dispatch import MODULES
from mstunnel_setup.cli.render import run_app
from tests.unit.tls.pki import Pki

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
    assert error_of(capsys, "status") == f"error: invalid value for {words} See `mst-cli --help`."


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
        ("mstunnel-setup --site Berlin --accept-eula -v plan --exit-code", "--site, --accept-eula", "plan"),
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
    app = import_module(MODULES[program]).app
    assert run_app(app, program, words) == 2
    assert advice in " ".join(capsys.readouterr().err.split())
