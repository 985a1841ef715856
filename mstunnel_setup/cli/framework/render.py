"""The renderer: every command returns a `Result`; here it becomes text or JSON, and an exit code.

Data goes to stdout, everything else to stderr.
"""

import itertools
import json
import os
import sys
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, Final, NoReturn, TypeVar

import typer
from typer.exceptions import TyperException

from mstunnel_setup.base import documentation
from mstunnel_setup.base.errors import (
    ERRORS_PAGE,
    ExitCode,
)
from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.redaction import Redactor
from mstunnel_setup.base.result import Event, Listener, Result
from mstunnel_setup.base.text import fold, text
from mstunnel_setup.cli.framework.console import NoPrompts, TerminalConsole
from mstunnel_setup.cli.framework.exception_handler import failure, result_or_failure
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
    write,
    write_error,
)
from mstunnel_setup.cli.framework.translation import translated, translated_lines
from mstunnel_setup.cli.framework.usage import command_name, json_is_wanted, usage_error
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
# The words for exit codes that are not failures.
_WORDS = {ExitCode.WAITING: "waiting", ExitCode.INTERRUPTED: "stopped"}


@dataclass(frozen=True)
class TerminalSinks:
    """The outputs for events and lines: log, stderr, stdout, and a descriptor that the caller opened."""

    common: CommonOptions
    redactor: Redactor
    log: SetupLog
    renderer: "Renderer"

    def stream(self, lines: Iterable[str]) -> None:
        """Print all lines, in JSON as `{"line": …}`; stop if the reader has gone."""
        for line in lines:
            cleaned = self.redactor.clean(line)
            text = json.dumps({"line": cleaned}) if self.common.output is OutputFormat.JSON else cleaned
            if not write(sys.stdout, f"{text}\n"):
                return

    def listener(self, steps: Sequence[str], progress_fd: int | None = None) -> Listener:
        """Return a listener for the runner: log, lines on stderr, and JSON lines on `progress_fd`."""
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
        """Show an intermediate result, on a terminal in place of the previous one.

        Returns whether there is still a reader.
        """
        if self.common.output is OutputFormat.TEXT and sys.stdout.isatty():
            write(sys.stdout, _CLEAR)
        self.renderer.show(result)
        return write_error(sys.stdout) is None

    def close_log(self) -> None:
        """Close the log file; a later event opens it again."""
        self.log.close()


@dataclass(frozen=True)
class Renderer:
    """The renderer for the result of one command."""

    command: str
    output: OutputFormat
    redactor: Redactor
    color: bool = False
    verbose: bool = False

    def show(self, result: Result) -> None:
        """Print the result: data on stdout, warnings and errors (as text) on stderr."""
        if self.output is OutputFormat.JSON:
            write(sys.stdout, json.dumps(self.envelope(result)) + "\n")
            return
        lines = result.text() if callable(result.text) else result.text
        write(sys.stdout, "".join(f"{self.redactor.clean(line)}\n" for line in translated_lines(lines)))
        for notice in result.warnings:
            self._problem("warning", "33", notice)
        word = _WORDS.get(result.exit_code, "error")
        for notice, following in itertools.zip_longest(result.errors, result.errors[1:]):
            shared = following is not None and following.hint == notice.hint
            self._problem(word, "31", replace(notice, hint="") if shared else notice)

    def envelope(self, result: Result) -> dict[str, Any]:
        """Return the JSON envelope (docs/reference: JSON output)."""
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
        write(sys.stderr, "\n".join(lines) + "\n")


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
        # On a terminal the result replaces the line of the countdown.
        begin = "\r\x1b[K" if sys.stderr.isatty() else ""
        write(sys.stderr, f"{begin}  {redactor.clean(text)}\n")

    with interruptible(), log_requests(show_request) if common.verbose else nullcontext():
        result = result_or_failure(lambda: function(operator), log, redactor, common.verbose)
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
    """Run a command line program and return its exit code. Wrong usage is shown like every other error."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    command = typer.main.get_command(app)
    verbose = not {"--verbose", "-v"}.isdisjoint(given)
    color = _colorful(no_color="--no-color" in given)
    wanted = OutputFormat.JSON if json_is_wanted(given) else OutputFormat.TEXT
    renderer = Renderer(program, wanted, Redactor(), color, verbose)

    def parse() -> int:
        refuse_code_of_others()
        refuse_undecodable(given, os.environ)
        try:
            code = command.main(args=given, prog_name=program, standalone_mode=False)
        except TyperException as error:
            wrong = usage_error(error, program)
            context = getattr(error, "ctx", None)
            name = command_name(context) if context else program
            replace(renderer, command=name).show(failure(wrong))
            return int(wrong.exit_code)
        return code if isinstance(code, int) else 0

    ended = result_or_failure(parse, None, Redactor(), verbose)
    if isinstance(ended, Result):
        renderer.show(ended)
    code = int(ended.exit_code) if isinstance(ended, Result) else ended
    error = write_error(sys.stdout)
    if error is None or is_broken_pipe(error):
        return code
    # The exit code reports that the result could not be written, unless there is a worse error.
    unwritten = explain("write", text("the result"), error)
    Renderer(program, OutputFormat.TEXT, Redactor(), color).show(failure(unwritten))
    return code or int(unwritten.exit_code)


def _colorful(*, no_color: bool) -> bool:
    """Return whether to use colors: on a terminal, unless NO_COLOR is set (no-color.org)."""
    forbidden = no_color or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return not forbidden and sys.stderr.isatty()
