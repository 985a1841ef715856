"""The renderer: the envelope as a contract, messages for people, exit codes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.base import documentation, paths
from mstunnel_setup.base.errors import ExitCode, SetupError, UsageError, WaitingError
from mstunnel_setup.base.problem import Problem
from mstunnel_setup.base.redaction import Redactor
from mstunnel_setup.base.result import Event, Result
from mstunnel_setup.cli.framework.command import App, Work
from mstunnel_setup.cli.framework.options import OutputFormat
from mstunnel_setup.cli.framework.render import Renderer, run_app
from mstunnel_setup.io.operator import Operator
from tests.parameters import sample
from tests.unit.cli.conftest import Ran, Shown
from tests.unit.results import GivenReport

KINDS = [kind for kind in [SetupError, *SetupError.__subclasses__()] if kind.__module__.endswith(".errors")]
LONG = "a rather long sentence that says what is wrong and where, at https://login.example.com/a/long/path"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Ran:
    """Run a program whose only command calls this function; return its output."""

    def run(function: Callable[[Operator], Result], *arguments: str, code: int = 0) -> Shown:
        app = App("A program.")

        @app.callback()
        def main() -> None:
            """A program."""

        @app.command()
        def act() -> Work:
            return function

        assert run_app(app, "program", ["act", *arguments]) == code
        shown = capsys.readouterr()
        return Shown(shown.out, shown.err)

    return run


def _log(root: Path) -> str:
    return (root / paths.SETUP_LOG.lstrip("/")).read_text()


def _give(result: Result) -> Callable[[Operator], Result]:
    return lambda _: result


def _fail(error: BaseException) -> Callable[[Operator], Result]:
    def fail(operator: Operator) -> Result:
        raise error

    return fail


def _check_envelope(text: str) -> dict[str, Any]:
    """Check the contract: one line, these keys in this order, and these types."""
    assert text.count("\n") == 1
    envelope: dict[str, Any] = json.loads(text)
    assert list(envelope) == ["schema", "command", "status", "data", "warnings", "errors"]
    assert envelope["schema"] == "mstunnel/1"
    assert envelope["status"] in ("ok", "changed", "unchanged", "warning", "error")
    assert isinstance(envelope["data"], dict)
    for notice in envelope["warnings"] + envelope["errors"]:
        assert list(notice) == ["code", "message", "hint"]
        assert notice["code"] == notice["code"].lower().replace("_", "-")
    return envelope


def test_text_goes_to_stdout_and_warnings_to_stderr(run: Ran) -> None:
    result = Result("warning", warnings=(Problem("old", "it is old", "Renew it."),), text=["one", "two"])
    shown = run(_give(result))
    assert shown.out == "one\ntwo\n"
    assert shown.err == "warning[old]: it is old\n  Renew it.\n"


def test_verbose_names_the_page_of_each_problem(run: Ran) -> None:
    assert run(_fail(UsageError("it-failed", "it failed", "Fix it.")), "--verbose", code=2).err == (
        "error[it-failed]: it failed\n  Fix it.\n  docs: docs/reference/errors.md#it-failed\n"
    )


def test_verbose_names_the_site_of_the_release(run: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documentation, "site", lambda: "https://docs.example.com")
    shown = run(_fail(UsageError("it-failed", "it failed", "Fix it.")), "--verbose", code=2).err
    assert "docs: https://docs.example.com/docs/reference/errors.html#it-failed\n" in shown


def test_json_is_the_envelope_and_makes_no_text(run: Ran) -> None:
    def lines() -> list[str]:
        raise AssertionError

    result = Result(
        "changed",
        GivenReport.model_validate({"n": 1}),
        (Problem("old", "it is old"),),
        text=lines,
        exit_code=ExitCode.CHANGES_PENDING,
    )
    shown = run(_give(result), "--output", "json", code=20)
    envelope = _check_envelope(shown.out)
    assert (envelope["command"], envelope["status"], envelope["data"]) == ("program act", "changed", {"n": 1})
    assert envelope["warnings"] == [{"code": "old", "message": "it is old", "hint": ""}]
    assert shown.err == ""


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_foreseen_failure_has_its_exit_code(kind: type[SetupError], run: Ran) -> None:
    shown = run(_fail(kind("it-failed", "it failed", "Fix it.")), code=kind.exit_code)
    word = "waiting" if kind is WaitingError else "error"
    assert shown == Shown("", f"{word}[it-failed]: it failed\n  Fix it.\n")
    shown = run(_fail(kind("it-failed", "it failed", "Fix it.")), "--output", "json", code=kind.exit_code)
    envelope = _check_envelope(shown.out)
    assert envelope["errors"] == [{"code": "it-failed", "message": "it failed", "hint": "Fix it."}]


def test_messages_are_at_most_80_columns_wide(run: Ran) -> None:
    lines = run(_fail(UsageError("long", f"{LONG}\n{LONG}", f"{LONG} {LONG}")), code=2).err.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line for line in lines[1:] if not line.startswith("  ")] == []
    assert " ".join(" ".join(lines).split()) == f"error[long]: {LONG} {LONG} {LONG} {LONG}"


def test_ctrl_c_is_130(run: Ran) -> None:
    assert run(_fail(KeyboardInterrupt()), code=130).err.startswith("stopped[interrupted]: interrupted\n")
    shown = run(_fail(KeyboardInterrupt()), "--output", "json", code=130)
    assert _check_envelope(shown.out)["errors"][0]["code"] == "interrupted"


def test_traceback_of_unexpected_error_is_only_logged(tmp_path: Path, run: Ran) -> None:
    shown = run(_fail(ValueError("boom")), "--root", str(tmp_path), code=1)
    assert shown.err.startswith("error[internal-error]: unexpected error: ValueError: boom\n")
    assert "Traceback" not in shown.err
    record = json.loads(_log(tmp_path))
    assert "Traceback" in record["text"]
    assert "boom" in record["text"]


def test_verbose_shows_the_traceback_of_a_bug(tmp_path: Path, run: Ran) -> None:
    shown = run(_fail(ValueError("boom")), "--root", str(tmp_path), "--verbose", "--output", "json", code=1)
    assert "Traceback" in shown.err
    assert _check_envelope(shown.out)["errors"][0]["code"] == "internal-error"


def test_output_has_no_secrets_or_control_characters(tmp_path: Path, run: Ran) -> None:
    def tell(operator: Operator) -> Result:
        operator.secrets.register("hunter2/+secret")
        operator.console.say("said hunter2/+secret \x1b[31m")
        operator.sinks.listener(["one"])(Event("one", "begin", "key", "did hunter2%2F%2Bsecret"))
        notice = Problem("odd", "hunter2/+secret\x1b]0;x\x07", "hunter2/+secret")
        report = GivenReport.model_validate({"hunter2/+secret": ["hunter2/+secret"]})
        return Result("ok", report, (notice,), text=["hunter2/+secret"])

    shown = ""
    for output in ("text", "json"):
        captured = run(tell, "--root", str(tmp_path), "--output", output)
        shown += captured.out + captured.err
    shown += _log(tmp_path)
    assert "hunter2" not in shown
    assert "\x1b" not in shown
    assert shown.count("********") == 11


def test_an_unwritable_log_is_a_warning(tmp_path: Path, run: Ran) -> None:
    (tmp_path / "var").write_text("a file where the directory should be")

    def act(operator: Operator) -> Result:
        operator.sinks.listener(["one"])(Event("one", "done", "key", "wrote a file"))
        return Result("changed")

    envelope = _check_envelope(run(act, "--root", str(tmp_path), "--output", "json").out)
    assert [notice["code"] for notice in envelope["warnings"]] == ["log-unwritable"]


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["act", "--bad"], "no such option: --bad", "See `program act --help`."),
        (["act", "extra"], "Got unexpected extra argument(s) (extra)", "See `program act --help`."),
        (["act", "--answers"], "Option '--answers' requires an argument.", "See `program --help`."),
        (["atc"], "no such command 'atc'. Did you mean 'act'?", "See `program --help`."),
    ],
)
@pytest.mark.parametrize("output", [["--output", "json"], ["--output=json"], []])
def test_wrong_usage_is_an_error_like_any_other(
    arguments: list[str], message: str, hint: str, output: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    app = App("A program.")

    @app.callback()
    def main() -> None:
        """A program."""

    @app.command()
    def act() -> None:
        raise AssertionError

    assert run_app(app, "program", [*output, *arguments]) == 2
    shown = capsys.readouterr()
    if output:
        envelope = _check_envelope(shown.out)
        assert envelope["errors"] == [{"code": "usage-invalid", "message": message, "hint": hint}]
    else:
        assert shown == ("", f"error[usage-invalid]: {message}\n  {hint}\n")


def test_json_asked_for_by_the_environment(monkeypatch: pytest.MonkeyPatch, run: Ran) -> None:
    monkeypatch.setenv("MSTUNNEL_OUTPUT", "json")
    assert _check_envelope(run(_give(Result()), "--bad", code=2).out)["command"] == "program act"


def test_what_follows_two_dashes_is_no_option(run: Ran) -> None:
    shown = run(_give(Result()), "--", "--output", "json", code=2)
    assert shown.err.startswith("error[usage-invalid]: Got unexpected extra argument(s) (--output json)")


def test_color_is_used_only_when_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    result = Result("error", errors=(Problem("a", "b"),))
    Renderer("x", OutputFormat.TEXT, Redactor(), color=True).show(result)
    Renderer("x", OutputFormat.TEXT, Redactor(), color=False).show(result)
    assert capsys.readouterr().err == "\x1b[1;31merror[a]:\x1b[0m b\nerror[a]: b\n"


MUCH = "lambda session: Result(text=['\u00fc' * 79] * 20000)"
ENDLESS = "lambda operator: operator.sinks.stream(iter('more'.lower, '')) or Result()"


def _command(function: str) -> list[str]:
    program = (
        "import sys\n"
        "from mstunnel_setup.base.result import Result\n"
        "from mstunnel_setup.cli.framework.command import App\n"
        "from mstunnel_setup.cli.framework.render import *\n"
        "from mstunnel_setup.cli.framework.streams import keep_open; keep_open()\n"
        f"def act(): return {function}\n"
        "app = App('x'); app.command()(act); sys.exit(run_app(app, 'x'))"
    )
    return [sys.executable, "-c", program]


_PLAIN: list[dict[str, str]] = [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"PYTHONIOENCODING": "ascii"}]


@pytest.mark.parametrize(
    ("function", "variables"),
    sample(product([MUCH, ENDLESS], _PLAIN), kept=[(MUCH, _PLAIN[2]), (ENDLESS, _PLAIN[0])]),
    ids=[f"{name}-{' '.join(plain)}" for name, plain in product(["much", "endless"], _PLAIN)],
)
def test_a_pipe_that_closes_early_ends_it_quietly(function: str, variables: dict[str, str]) -> None:
    environment = {**os.environ, **variables}
    with subprocess.Popen(
        _command(function), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() != b""
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


@pytest.mark.parametrize("arguments", [[], ["--output", "json"], ["--help"]], ids=" ".join)
def test_a_full_disk_is_reported(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [*_command(MUCH), *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert ended.returncode == ExitCode.STEP
    assert ended.stderr.startswith("error[disk-full]: cannot write the result: No space left on device\n")


_NUMBERS = """
import signal, sys
from mstunnel_setup.cli.framework import streams

def interrupt(number, frame):
    global writing
    if writing:
        writing = False
        raise KeyboardInterrupt

streams.keep_open()
interrupted, writing = 0, False
signal.signal(signal.SIGALRM, interrupt)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0003)
for number in range(20000):
    try:
        writing = True
        sys.stdout.write(f"{number}\\n")
        writing = False
    except KeyboardInterrupt:
        interrupted += 1
signal.setitimer(signal.ITIMER_REAL, 0)
sys.stderr.write(f"{interrupted}\\n")
"""


def test_a_signal_during_a_write_never_has_a_line_written_twice() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _NUMBERS], capture_output=True, text=True, check=True, timeout=60
    )

    numbers = [int(line) for line in done.stdout.splitlines()]
    assert int(done.stderr) > 0
    assert numbers == sorted(set(numbers))
