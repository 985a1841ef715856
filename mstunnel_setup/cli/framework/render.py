"""The renderer: every command returns a `Result`; here it becomes text or JSON, and an exit code.

Data goes to stdout, everything else to stderr. This is the only module that catches every exception.
"""

import itertools
import json
import os
import re
import sys
import traceback
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, Final, NoReturn, TextIO, TypeVar

import typer
from typer.core import TyperOption
from typer.exceptions import TyperException

from mstunnel_setup.base import documentation
from mstunnel_setup.base.errors import (
    ERRORS_PAGE,
    INTERNAL_ERROR,
    ChecksFailedError,
    ExitCode,
    SetupError,
    UsageError,
    ValuesError,
)
from mstunnel_setup.base.parsing import problem_of
from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.redaction import Redactor
from mstunnel_setup.base.result import Event, Listener, Result
from mstunnel_setup.base.text import Text, fold, joined, text
from mstunnel_setup.cli.framework.console import NoPrompts, TerminalConsole
from mstunnel_setup.cli.framework.help import AnyContext, Word
from mstunnel_setup.cli.framework.options import CommonOptions, OutputFormat
from mstunnel_setup.cli.framework.progress import (
    ProgressLines,
    ProgressStream,
    SetupLog,
    count_bar,
    transfer_bar,
)
from mstunnel_setup.cli.framework.streams import (
    interruptible,
    is_broken_pipe,
    refuse_undecodable,
    write_error,
)
from mstunnel_setup.cli.framework.translation import translated, translated_lines
from mstunnel_setup.io import podman_home
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.http_port import log_requests
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.io.own_process import refuse_code_of_others
from mstunnel_setup.io.safe_paths import explain

OutcomeT = TypeVar("OutcomeT")

SCHEMA = "mstunnel/1"
_CLEAR: Final = "\x1b[H\x1b[2J"
# What the end of a command is called where it is not a failure.
_WORDS = {ExitCode.WAITING: "waiting", ExitCode.INTERRUPTED: "stopped"}


@dataclass(frozen=True)
class TerminalSinks:
    """Where events and lines go: the log, stderr, stdout, and a descriptor that the caller opened."""

    common: CommonOptions
    redactor: Redactor
    log: SetupLog
    renderer: "Renderer"

    def stream(self, lines: Iterable[str]) -> None:
        """Print each, with JSON as `{"line": …}`, until there are no more or the reader has gone."""
        for line in lines:
            cleaned = self.redactor.clean(line)
            text = json.dumps({"line": cleaned}) if self.common.output is OutputFormat.JSON else cleaned
            if not _write(sys.stdout, f"{text}\n"):
                return

    def listener(self, steps: Sequence[str], progress_fd: int | None = None) -> Listener:
        """A listener for the runner: log, lines on stderr, and JSON lines on `progress_fd`."""
        reasons = self.common.output is OutputFormat.JSON
        lines = ProgressLines(sys.stderr, self.redactor, steps, verbose=self.common.verbose, reasons=reasons)
        sinks = [self.log.event, *([] if self.common.quiet else [lines.event])]
        if progress_fd is not None:
            sinks.append(ProgressStream(progress_fd, self.redactor).event)

        def notify(event: Event) -> None:
            for sink in sinks:
                sink(event)

        return notify

    def show(self, result: Result) -> bool:
        """Show a result before the last one, on a terminal in place of the one before; whether it is read."""
        if self.common.output is OutputFormat.TEXT and sys.stdout.isatty():
            _write(sys.stdout, _CLEAR)
        self.renderer.show(result)
        return write_error(sys.stdout) is None

    def close_log(self) -> None:
        """Close the log file; a later event opens it again."""
        self.log.close()


@dataclass(frozen=True)
class Renderer:
    """Shows the result of one command."""

    command: str
    output: OutputFormat
    redactor: Redactor
    color: bool = False
    verbose: bool = False

    def show(self, result: Result) -> None:
        """Print the result: data on stdout, warnings and errors (as text) on stderr."""
        if self.output is OutputFormat.JSON:
            _write(sys.stdout, json.dumps(self.envelope(result)) + "\n")
            return
        lines = result.text() if callable(result.text) else result.text
        _write(sys.stdout, "".join(f"{self.redactor.clean(line)}\n" for line in translated_lines(lines)))
        for notice in result.warnings:
            self._problem("warning", "33", notice)
        word = _WORDS.get(result.exit_code, "error")
        for notice, following in itertools.zip_longest(result.errors, result.errors[1:]):
            shared = following is not None and following.hint == notice.hint
            self._problem(word, "31", replace(notice, hint="") if shared else notice)

    def envelope(self, result: Result) -> dict[str, Any]:
        """The JSON envelope (docs/reference: JSON output)."""
        cleaned = self.redactor.clean_value(
            {
                "schema": SCHEMA,
                "command": self.command,
                "status": result.status,
                "data": result.data,
                "warnings": [notice.data for notice in result.warnings],
                "errors": [notice.data for notice in result.errors],
            }
        )
        return cleaned if isinstance(cleaned, dict) else {}

    def _problem(self, word: str, color: str, problem: Problem) -> None:
        """Show `error[CODE]: MESSAGE`, the rest of the message, the hint and its page indented below."""
        head = f"{translated(word)}[{problem.code}]:"
        first, *others = self.redactor.clean(translated(problem.message)).splitlines() or [""]
        others += self.redactor.clean(translated(problem.hint)).splitlines()
        lines = [*fold(f"{head} {first}"), *(part for line in others for part in fold(f"  {line}"))]
        if self.verbose:
            lines.append(f"  docs: {documentation.address(f'{ERRORS_PAGE}#{problem.code}')}")
        if self.color:
            lines[0] = lines[0].replace(head, f"\x1b[1;{color}m{head}\x1b[0m", 1)
        _write(sys.stderr, "\n".join(lines) + "\n")


def run_command(command: str, common: CommonOptions, function: Callable[[Operator], Result]) -> NoReturn:
    """Run `function`, show what it returns or raises, and end the command (typer.Exit) with the exit code."""
    redactor = Redactor()
    color = _colorful(no_color=common.no_color)
    console = (NoPrompts if common.unattended else TerminalConsole)(redactor, color=color)
    files, clock = Files(common.root), Clock()
    log = SetupLog(files, clock, redactor, uuid.uuid4().hex)
    renderer = Renderer(command, common.output, redactor, color, common.verbose)
    operator = Operator(
        console,
        redactor,
        TerminalSinks(common, redactor, log, renderer),
        files=files,
        clock=clock,
        answers=common.answers,
        json=common.output is OutputFormat.JSON,
        verbose=common.verbose,
        download=transfer_bar(quiet=common.quiet, color=color),
        counted=count_bar(quiet=common.quiet, color=color),
        absent=podman_home.absent(files),
    )

    def show_request(text: str) -> None:
        # On a terminal it takes the line of the countdown.
        begin = "\r\x1b[K" if sys.stderr.isatty() else ""
        _write(sys.stderr, f"{begin}  {redactor.clean(text)}\n")

    with interruptible(), log_requests(show_request) if common.verbose else nullcontext():
        result = _attempt(lambda: function(operator), log, redactor, common.verbose)
        podman_home.tidy(files, operator.absent)
    if log.failure is not None:
        notice = warning(
            "log-unwritable",
            "the log cannot be written: {reason}",
            hint="{advice}",
            reason=log.failure.message,
            advice=log.failure.hint,
        )
        result = replace(result, warnings=(*result.warnings, notice))
    renderer.show(result)
    raise typer.Exit(int(result.exit_code))


def run_app(app: typer.Typer, program: str, arguments: Sequence[str] | None = None) -> int:
    """Run a command line program; its exit code. Wrong usage is shown like every other error."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    command = typer.main.get_command(app)
    verbose = not {"--verbose", "-v"}.isdisjoint(given)
    color = _colorful(no_color="--no-color" in given)
    renderer = Renderer(program, _wanted_output(given), Redactor(), color, verbose)

    def parse() -> int:
        refuse_code_of_others()
        refuse_undecodable(given, os.environ)
        try:
            code = command.main(args=given, prog_name=program, standalone_mode=False)
        except TyperException as error:
            wrong = _usage(error, program)
            replace(renderer, command=_command(error, program)).show(_failure(wrong))
            return int(wrong.exit_code)
        return code if isinstance(code, int) else 0

    ended = _attempt(parse, None, Redactor(), verbose)
    if isinstance(ended, Result):
        renderer.show(ended)
    code = int(ended.exit_code) if isinstance(ended, Result) else ended
    error = write_error(sys.stdout)
    if error is None or is_broken_pipe(error):
        return code
    # The result could not be written: that is what the exit code tells, unless there is a worse one.
    unwritten = explain("write", text("the result"), error)
    Renderer(program, OutputFormat.TEXT, Redactor(), color).show(_failure(unwritten))
    return code or int(unwritten.exit_code)


def _attempt(
    function: Callable[[], OutcomeT], log: SetupLog | None, redactor: Redactor, verbose: bool
) -> OutcomeT | Result:
    """What `function` returns, or what its failure looks like."""
    try:
        return function()
    except (ChecksFailedError, ValuesError) as error:
        return _failure(error, *(failure.problem for failure in error.failures))
    except SetupError as error:
        return _failure(error)
    except (KeyboardInterrupt, typer.Abort):
        if sys.stderr.isatty():
            # The cursor stands behind the ^C that the terminal showed.
            _write(sys.stderr, "\n")
        notice = warning("interrupted", "interrupted", hint="Run the same command again to continue.")
        return Result("error", errors=(notice,), exit_code=ExitCode.INTERRUPTED)
    except typer.Exit:
        raise
    except Exception as error:  # noqa: BLE001 (the one place where a bug becomes a message)
        trace = redactor.clean("".join(traceback.format_exception(error)))
        if log is not None:
            log.crash(trace)
        if verbose:
            _write(sys.stderr, trace)
        report = text("Run it again with --verbose and report it.")
        if log is not None and log.failure is None:
            report = text("Report it with the end of {place}.", place=log.place)
        return _failure(INTERNAL_ERROR(reason=f"{type(error).__name__}: {error}", report=report))


def _failure(error: SetupError, *problems: Problem) -> Result:
    """The result of an error; of one that stands for several `problems` these are shown."""
    return Result("error", errors=problems or (error.problem,), exit_code=error.exit_code)


# What shows the changes of a program before they are made; it is no option here.
_DRY_RUNS: Final = {
    "mstunnel-setup": "`mstunnel-setup plan`",
    "mst-cli install": "`mstunnel-setup plan`",
    "mst-admin": "`mst-admin diff DIR`",
}


def _usage(error: TyperException, program: str) -> UsageError:
    """What is wrong with a command line, in our words where typer has the parts, else in its own."""
    command = getattr(getattr(error, "ctx", None), "command_path", program)
    if wrong := getattr(error.__cause__, "errors", None):
        # Of the library that converts options: its words are for programmers.
        error.message = joined(map(_conversion_problem, wrong()), "; ")
    message = error.message
    if hasattr(error, "possibilities"):
        problem = _no_such_option(error, command)
    elif isinstance(error, typer.BadParameter):
        if isinstance(error.param, TyperOption):
            hint = _origin(error.param, error.ctx)
        else:
            hint = error.param_hint or (error.param and error.param.get_error_hint()) or ""
        name = hint if isinstance(hint, str) else " / ".join(map(repr, hint))
        if not hasattr(error, "param_type"):
            wrong_value = _without_stop(message)
            if getattr(error.param, "metavar", None) == "SECONDS":
                wrong_value = text("{problem} (seconds)", problem=wrong_value)
            problem = text("invalid value for {name}: {problem}", name=name, problem=wrong_value)
        elif isinstance(error.param, TyperOption):
            problem = text("missing option {name}", name=name)
        else:
            problem = text("missing argument {name}", name=name)
    else:
        problem = message if isinstance(message, Text) else _without_stop(message[:1].lower() + message[1:])
    return UsageError(
        "usage-invalid", "{problem}", hint="See `{command} --help`.", problem=problem, command=command
    )


def _without_stop(message: str) -> str:
    """A message as part of another one."""
    return message if isinstance(message, Text) else message.strip().rstrip(".")


def _no_such_option(error: Any, command: str) -> str:
    name = error.option_name
    if re.fullmatch(r"-\d+", name):
        return text("{number} is negative: it must be 0 or more", number=name)
    if name == "--json":
        return text("no such option: --json; JSON is `--output json`")
    if name == "--dry-run":
        plans = [plan for program, plan in _DRY_RUNS.items() if f"{command} ".startswith(f"{program} ")]
        more = text("; {plan} shows what would change", plan=plans[-1]) if plans else ""
    else:
        names = ", ".join(sorted(error.possibilities or ()))
        more = text(" (Possible options: {names})", names=names) if names else ""
    return text("no such option: {name}{more}", name=name, more=more)


def _conversion_problem(item: Mapping[str, Any]) -> str:
    if str(item["type"]).startswith("bool"):
        return text("it must be 1 or 0")
    problem = _without_stop(problem_of(item))
    return text("it {problem}", problem=problem) if problem.startswith(("must ", "is ")) else problem


def _origin(option: TyperOption, context: AnyContext | None) -> str | Sequence[str]:
    """The variable that the value of an option came from, or the names of the option."""
    source = context and context.get_parameter_source(option.name)
    if getattr(source, "name", "") != "ENVIRONMENT":
        return option.opts
    variables = [option.envvar] if isinstance(option.envvar, str) else option.envvar or ()
    return text("the variable {name}", name=next(name for name in variables if os.environ.get(name)))


def _command(error: TyperException, program: str) -> str:
    """The command whose line is wrong; a word that only leads to commands is none, and has no schema."""
    context = getattr(error, "ctx", None)
    while context and isinstance(context.command, Word):
        context = context.parent
    return str(context.command_path if context else program)


def _wanted_output(arguments: Sequence[str]) -> OutputFormat:
    """The output asked for on a command line that could not be parsed."""
    wanted = os.environ.get("MSTUNNEL_OUTPUT", "")
    before = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    for argument, following in itertools.zip_longest(before, before[1:], fillvalue=""):
        if argument == "--output":
            wanted = following
        elif argument.startswith("--output="):
            wanted = argument.removeprefix("--output=")
    return OutputFormat.JSON if wanted == "json" else OutputFormat.TEXT


def _colorful(*, no_color: bool) -> bool:
    """Colors only for a person at a terminal who did not forbid them (no-color.org)."""
    forbidden = no_color or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return not forbidden and sys.stderr.isatty()


def _write(stream: TextIO, text: str) -> bool:
    """Write, whatever the encoding of the terminal; whether it went anywhere."""
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, errors="backslashreplace").decode(encoding))
    stream.flush()
    return write_error(stream) is None
