"""Shared options: taken by every command, before or after its name, and from the environment."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer

from mstunnel_setup.answers.merge import merge
from mstunnel_setup.answers.settings import SETTINGS
from mstunnel_setup.base.errors import ExitCode
from mstunnel_setup.base.result import Result
from mstunnel_setup.cli.framework.command import App, Program, VersionOption, Work
from mstunnel_setup.cli.framework.install_options import InstallOptions
from mstunnel_setup.cli.framework.options import (
    CommonOptions,
    OutputFormat,
    options_of,
)
from mstunnel_setup.cli.framework.render import run_app
from mstunnel_setup.readiness import checks
from mstunnel_setup.readiness.model import Group
from scripts.docs.command_tree import commands_of
from tests.cases import every
from tests.unit.cli.conftest import PROGRAMS, Ran


class Installer(Program):
    """Takes the options of an installation before a command."""

    options = (CommonOptions, InstallOptions, VersionOption)


def _run(arguments: Sequence[str]) -> tuple[int, list[Any]]:
    """Return the exit code and the options that the commands received."""
    seen: list[Any] = []
    app = App("A program.", Installer)

    @app.callback()
    def main(context: typer.Context) -> Work:
        common, install = options_of(context, CommonOptions), options_of(context, InstallOptions)
        seen.append((context.invoked_subcommand, common, install))
        return lambda _operator: Result()

    @app.command()
    def plan(context: typer.Context, exit_code: Annotated[bool, typer.Option("--exit-code")] = False) -> Work:
        seen.append(("plan", options_of(context, CommonOptions), exit_code))
        return lambda _operator: Result()

    return run_app(app, "program", arguments), seen


def _options(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    for option in command.params:
        yield from ((f"{name} {text}", option) for text in option.opts if text.startswith("--"))
    for word, child in commands_of(command).items():
        yield from _options(child, f"{name} {word}")


OPTIONS = dict(
    pair
    for name in ("mstunnel-setup", "mst-readiness")
    for pair in _options(typer.main.get_command(PROGRAMS[name]), name)
)


@every("name", [name for name in OPTIONS if not name.endswith(("--help", "--version"))])
def test_every_option_has_its_variable(name: str) -> None:
    option, variables = name.rpartition(" ")[2], OPTIONS[name].envvar or []
    read_by_merge = {setting.variable for setting in SETTINGS if setting.option == option}
    assert "MSTUNNEL_" + option.removeprefix("--").upper().replace("-", "_") in {
        *([variables] if isinstance(variables, str) else variables),
        *read_by_merge,
    }


@pytest.mark.parametrize(
    ("setting", "code", "said"),
    [
        ("MSTUNNEL_DEVICES=40000", 0, "40000 devices need 8 servers"),
        ("MSTUNNEL_TIMEOUT=abc", 2, "MSTUNNEL_TIMEOUT"),
        ("MSTUNNEL_PORT=99999", 2, "MSTUNNEL_PORT"),
    ],
)
def test_a_variable_counts_as_its_option(
    ran: Ran, monkeypatch: pytest.MonkeyPatch, setting: str, code: int, said: str
) -> None:
    ignored = [f"--ignore-check={item.id}" for item in checks.of(frozenset({Group.HOST}))]
    name, _, text = setting.partition("=")
    monkeypatch.setenv(name, text)
    shown = ran("mst-readiness host", *ignored, code=code)
    assert said in " ".join(f"{shown.out}{shown.err}".split())


@every(
    "line",
    [
        "mst-readiness --devices 40000 host",
        "mst-readiness host --devices 40000",
        "mst-readiness --devices 5 host --devices 40000",
    ],
)
def test_options_stand_before_or_behind_a_scope(ran: Ran, line: str) -> None:
    ignored = [f"--ignore-check={item.id}" for item in checks.of(frozenset({Group.HOST}))]
    shown = ran(line, *ignored)
    assert "40000 devices need 8 servers" in " ".join(f"{shown.out}{shown.err}".split())


def test_value_may_be_named_like_a_command(ran: Ran) -> None:
    """It was taken for the command itself."""
    assert ran("mst-readiness --answers explain explain clock").out.startswith("clock")


def test_help_behind_a_scope_is_that_of_the_program(ran: Ran) -> None:
    assert ran("mst-readiness network --help") == ran("mst-readiness --help")


def test_defaults() -> None:
    assert _run([]) == (0, [(None, CommonOptions(), InstallOptions())])
    assert InstallOptions().settings() == {}


def test_the_variable_of_rootless_equals_its_option() -> None:
    ((_, _, given),) = _run(["--rootless"])[1]
    by_option, by_variable = merge(given.settings(), {}), merge({}, {"mst_rootless_mode": "1"})
    assert by_option.record() == by_variable.record() == {"mode": "rootless"}


def test_options_count_before_and_after_the_name_of_a_command() -> None:
    code, seen = _run(["--output", "json", "--verbose", "plan", "--unattended", "--exit-code"])
    assert (code, seen[1]) == (
        0,
        ("plan", CommonOptions(unattended=True, verbose=True, output=OutputFormat.JSON), True),
    )


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("mst_no_prompt", "1", "unattended", True),
        ("MSTUNNEL_UNATTENDED", "true", "unattended", True),
        ("mst_verbose_log", "true", "verbose", True),
        ("mst_log_verbose", "1", "verbose", True),
        ("MSTUNNEL_OUTPUT", "json", "output", OutputFormat.JSON),
        ("MSTUNNEL_ROOT", "/mnt", "root", Path("/mnt")),
        ("MSTUNNEL_ANSWERS", "/a.yaml", "answers", Path("/a.yaml")),
    ],
)
def test_variables(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, name: str, value: object
) -> None:
    monkeypatch.setenv(variable, text)
    assert getattr(_run(["plan"])[1][1][1], name) == value


@pytest.mark.parametrize(
    "arguments",
    [
        ["plan", "--output", "text", "--root", "/srv", "--answers", "/b.yaml"],
        ["--output", "text", "--root", "/srv", "--answers", "/b.yaml", "plan"],
        ["--output", "json", "--root", "/mnt", "plan", "--output=text", "--root=/srv", "--answers=/b.yaml"],
    ],
    ids=["after the command", "before the command", "both: the later counts"],
)
def test_an_option_counts_and_not_its_variable(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    monkeypatch.setenv("MSTUNNEL_OUTPUT", "json")
    monkeypatch.setenv("MSTUNNEL_ROOT", "/mnt")
    monkeypatch.setenv("MSTUNNEL_ANSWERS", "/a.yaml")
    monkeypatch.setenv("mst_no_prompt", "1")
    code, seen = _run(arguments)
    expected = CommonOptions(answers=Path("/b.yaml"), root=Path("/srv"), unattended=True)
    assert (code, seen[1][1]) == (0, expected)


@pytest.mark.parametrize("arguments", [["--root", "/", "plan"], ["plan", "--root", "/"]], ids=" ".join)
def test_an_option_with_the_default_value_counts_as_well(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setenv("MSTUNNEL_ROOT", "/mnt")
    assert _run(arguments)[1][1][1].root == Path("/")


def test_install_options_become_settings_with_full_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    line = (
        "--accept-eula --rootless --engine podman --site Berlin --pfx s.pfx --passphrase-file p "
        "--ca-file ca.pem --offline a.tar --offline /b.tar"
    )
    settings = _run(line.split())[1][0][2].settings()
    assert settings == {
        "eula": "accept",
        "mode": "rootless",
        "engine": "podman",
        "site": "Berlin",
        "certificate.pfx": f"{tmp_path}/s.pfx",
        "certificate.passphrase": f"file:{tmp_path}/p",
        "tenant.ca_file": f"{tmp_path}/ca.pem",
        "images.archive": [f"{tmp_path}/a.tar", "/b.tar"],
    }
    assert merge(settings, {}).images.archive == (f"{tmp_path}/a.tar", "/b.tar")


def test_a_token_file_chooses_its_method() -> None:
    settings = _run(["--token-file", "/t"])[1][0][2].settings()
    answers = merge(settings, {}, None, {"sign_in.method": "client-secret", "sign_in.client_secret": "env:X"})
    assert (answers.sign_in.method, answers.sign_in.token_file) == ("token-file", "/t")
    assert str(answers.origins["sign_in.method"]) == "option --token-file"


def test_every_setting_with_an_option_has_that_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["--help"])[0] == 0
    shown = capsys.readouterr().out
    assert [item.option for item in SETTINGS if item.option and f" {item.option} " not in shown] == []


def test_help_is_plain_and_80_columns_wide(capsys: pytest.CaptureFixture[str]) -> None:
    _run(["plan", "--help"])
    shown = capsys.readouterr().out
    assert shown.startswith("Usage: program plan [OPTIONS]")
    assert max(map(len, shown.splitlines())) <= 80


def sections(shown: str) -> dict[str, list[str]]:
    """Return the long options of each section of a help page."""
    found: dict[str, list[str]] = {}
    title = ""
    for line in shown.splitlines():
        if line and not line.startswith(" "):
            title = line.rstrip(":")
        elif option := re.match(r"  (?:-\w, )?(--[a-z-]+)", line):
            found.setdefault(title, []).append(option[1])
    return found


def test_the_options_of_an_installation_stand_in_sections(ran: Ran) -> None:
    shown = ran("mstunnel-setup --help").out
    found = sections(shown)
    assert list(found) == ["Common", "Certificate", "Sign-in", "Images", "Recovery"]
    assert found["Certificate"] == ["--cert", "--key", "--pfx", "--passphrase-file"]
    assert {"--accept-eula", "--verbose", "--help"} <= {*found["Common"]}
    assert {"--site", "--lab", "--ca-file"} <= {*found["Sign-in"]}
    assert found["Images"] == ["--engine", "--offline"]
    assert {"--skip", "--ignore-check", "--rollback-on-failure"} <= {*found["Recovery"]}
    assert sum(line.startswith("  sudo mstunnel-setup") for line in shown.splitlines()) == 3


@pytest.mark.parametrize("words", ["", "plan", "answers"])
def test_one_line_names_the_variables(ran: Ran, words: str) -> None:
    shown = ran(f"mstunnel-setup {words} --help").out
    assert shown.count("MSTUNNEL_") == 1
    assert shown.endswith("MSTUNNEL_ANSWERS=FILE is --answers FILE.\n")
    assert "env var" not in shown


def test_options_without_a_variable_are_promised_none(ran: Ran) -> None:
    assert "MSTUNNEL_" not in ran("mst-cli uninstall --help").out


def test_an_option_of_one_command_stands_before_those_of_all(ran: Ran) -> None:
    found = sections(ran("mstunnel-setup plan --help").out)
    assert next(iter(found.items())) == ("Options", ["--exit-code"])


def test_a_bare_group_has_no_json(ran: Ran) -> None:
    error = ran("mstunnel-setup answers --output json", code=ExitCode.USAGE).error
    assert (error["code"], error["hint"]) == ("command-missing", "See `mstunnel-setup answers --help`.")


@pytest.mark.parametrize(("letter", "field"), [("-v", "verbose"), ("-q", "quiet")])
def test_short_options(letter: str, field: str) -> None:
    assert getattr(_run([letter, "plan"])[1][1][1], field) is True


def test_no_summary_of_a_command_is_cut(ran: Ran) -> None:
    commands = " ".join(ran("mst-cli --help").out.split()).partition("Status and diagnosis:")[2]
    assert "..." not in commands
    assert "for example after a proxy change in env.sh." in commands


def test_commands_are_listed_in_groups(ran: Ran) -> None:
    shown = ran("mst-cli --help").out
    listed = shown.partition("\nCertificates:\n")[2].partition("\n\n")[0]
    assert re.findall(r"^  (\S+)", listed, re.MULTILINE) == ["import_cert", "cert", "ca-trust"]
    assert "\nCommands:" not in shown


def test_the_delay_without_dashes_is_shown_as_it_is_typed(ran: Ran) -> None:
    assert "import_cert [OPTIONS] [delay] [MINUTES]" in ran("mst-cli import_cert --help").out


@pytest.mark.parametrize("place", range(3))
def test_group_options_are_accepted_at_every_position(ran: Ran, place: int, tmp_path: Path) -> None:
    words = ["cert", "show"]
    words[place:place] = ["--output", "json", "--root", str(tmp_path)]
    shown = ran("mst-cli", *words, code=ExitCode.CHECK)
    assert json.loads(shown.out)["command"] == "mst-cli cert show"
