"""Outputs for the events of a run: lines for people on stderr, JSON lines for programs, and the log."""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, TextIO

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.redaction import Redactor
from mstunnel_setup.base.result import Event
from mstunnel_setup.base.text import fold, text
from mstunnel_setup.cli.framework.translation import translated
from mstunnel_setup.io.appender import Appender
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files

_ALL = 100  # percent
_MANY = 10  # changes


@dataclass(frozen=True)
class ProgressLines:
    """Show people which step runs and its outcome; with `verbose` also every action.

    Without `reasons` it leaves the reason of a failure to the error that follows.
    """

    stream: TextIO
    redactor: Redactor
    steps: Sequence[str]
    verbose: bool = False
    reasons: bool = True

    def event(self, event: Event) -> None:
        """Show one event."""
        line = self._action_line(event) if event.action else self._step_line(event)
        if line:
            line = self.redactor.clean(translated(line).replace("\n", " "))
            self.stream.write("\n".join(fold(line)) + "\n")
            self.stream.flush()

    def _step_line(self, event: Event) -> str:
        match event.phase:
            case "begin":
                number = event.step
                if event.step in self.steps:
                    position = self.steps.index(event.step) + 1
                    number = text("Step {step} of {steps}", step=position, steps=len(self.steps))
                return text("{number}: {title}", number=number, title=event.text or event.step)
            case "done":
                return text("  done, {seconds:.1f} s", seconds=event.seconds)
            case "failed" if self.reasons:
                return text("  not finished: {reason}", reason=event.text)
            case "failed":
                return text("  not finished")
            case "unchanged":
                return text("  ok, nothing changed")
            case _:
                return text(f"  {event.phase}")

    def _action_line(self, event: Event) -> str:
        if self.verbose and event.phase in ("undone", "kept"):
            return text("  {phase}: {what}", phase=text(event.phase), what=event.text)
        if self.verbose and event.phase == "done":
            return text("  - {what} ({seconds:.1f} s)", what=event.text, seconds=event.seconds)
        return ""


def _fields(event: Event) -> dict[str, Any]:
    return {**vars(event), "seconds": round(event.seconds, 3)}


class ProgressStream:
    """Write every event as one JSON line to a file descriptor that the caller opened."""

    def __init__(self, descriptor: int, redactor: Redactor) -> None:
        try:
            os.fstat(descriptor)
        except (OSError, OverflowError) as error:
            raise UsageError(
                "progress-fd-closed",
                "file descriptor {descriptor} of --progress-fd is not open",
                hint="Open it in the shell, for example with `{descriptor}>progress.jsonl`.",
                descriptor=descriptor,
            ) from error
        self._descriptor: int | None = descriptor
        self._redactor = redactor

    def event(self, event: Event) -> None:
        """Write one event; without a reader the run continues."""
        if self._descriptor is None:
            return
        line = json.dumps(self._redactor.clean_value(_fields(event))).encode() + b"\n"
        try:
            while line:
                line = line[os.write(self._descriptor, line) :]  # noqa: TID251 (handed over open)
        except OSError:
            self._descriptor = None


@dataclass
class SetupLog:
    """JSON lines in a file of mode 0600: time, run, step, phase, action, text, seconds.

    Nothing is written until something is done to the host: a run that finds everything in order, or that
    refuses its answers, leaves no trace. From then on the file stays open until `close`. A log that cannot be
    written does not stop the run; `failure` tells.
    """

    files: Files
    clock: Clock
    redactor: Redactor
    run: str
    path: str = paths.SETUP_LOG
    failure: FileError | None = field(default=None, init=False)
    _waiting: list[bytes] = field(default_factory=list, init=False)
    _begun: bool = field(default=False, init=False)
    _opened: ExitStack = field(default_factory=ExitStack, init=False)
    _appender: Appender | None = field(default=None, init=False)

    @property
    def place(self) -> Path:
        """The path of the file on this machine."""
        return self.files.locate(self.path)

    def event(self, event: Event) -> None:
        """Log an event; the first one of an action opens the log."""
        self._put(_fields(event), at_once=bool(event.action))

    def crash(self, trace: str) -> None:
        """Log the traceback of a bug."""
        self._put({"step": "", "phase": "crash", "action": "", "text": trace, "seconds": 0.0}, at_once=True)
        self.close()

    def close(self) -> None:
        """Close the file; a later event opens it again."""
        self._appender = None
        self._opened.close()

    def _put(self, fields: Mapping[str, Any], *, at_once: bool) -> None:
        time = self.clock.now().isoformat(timespec="milliseconds")
        record = self.redactor.clean_value({"time": time, "run": self.run, **fields})
        self._waiting.append(json.dumps(record).encode() + b"\n")
        self._begun = self._begun or at_once
        if not self._begun or self.failure is not None:
            return
        try:
            if self._appender is None:
                self.files.make_directories(str(PurePosixPath(self.path).parent), 0o750)
                opening = self.files.appender(self.path, 0o600, durable=False)
                self._appender = self._opened.enter_context(opening)
            self._appender.append(b"".join(self._waiting))
        except FileError as error:
            self.failure = error
        self._waiting = []


def transfer_bar(
    stream: TextIO | None = None, *, quiet: bool = False, color: bool = False
) -> Callable[[int, int], None]:
    """Return a listener for transferred and expected bytes, which draws one line on a terminal.

    A number of 0 known of ends the line.
    """
    terminal = stream or sys.stderr
    drawn = -1

    def show(moved: int, known: int) -> None:
        nonlocal drawn
        if not known:
            if 0 <= drawn < _ALL:
                terminal.write("\n")
            drawn = -1
            return
        percent = min(_ALL, moved * _ALL // known)
        if quiet or not terminal.isatty() or percent == drawn:
            return
        drawn = percent
        _draw(terminal, percent, f"{percent:3} % of {known / 1e6:.1f} MB", color=color)

    return show


def count_bar(
    stream: TextIO | None = None, *, quiet: bool = False, color: bool = False
) -> Callable[[int, int], None]:
    """Return a listener for the number of changes and their total, which draws one line on a terminal.

    A few changes have no bar: they are made before it is read. A number of 0 ends the line.
    """
    terminal = stream or sys.stderr
    unfinished = False

    def show(made: int, total: int) -> None:
        nonlocal unfinished
        if not total and unfinished:
            terminal.write("\n")
        if quiet or total < _MANY or not terminal.isatty():
            return
        unfinished = made < total
        _draw(terminal, made * _ALL // total, f"{made} of {total} changes", color=color)

    return show


def _draw(terminal: TextIO, percent: int, words: str, *, color: bool) -> None:
    from rich.console import Console
    from rich.progress_bar import ProgressBar

    console = Console(file=terminal, highlight=False, no_color=not color)
    terminal.write("\r  ")
    console.print(ProgressBar(total=_ALL, completed=percent, width=40), end="")
    console.print(f" {words}", end="\n" if percent == _ALL else "")
    terminal.flush()
