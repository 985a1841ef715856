"""Progress: events as lines for people on stderr, and as JSON lines for programs."""

import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import TextIO

from rich.console import Console
from rich.progress_bar import ProgressBar

from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.events import Event
from mstunnel_setup.base.redaction import Redactor
from mstunnel_setup.base.text import fold, text
from mstunnel_setup.cli.framework.translation import translated

_BAR = 40
_ALL = 100  # percent
_MANY = 10  # changes


class ProgressLines:
    """Tells people which step runs and how it ended; with `verbose` also every action.

    Without `reasons` it leaves the reason of a failure to the error that follows.
    """

    def __init__(
        self,
        stream: TextIO,
        redactor: Redactor,
        steps: Sequence[str],
        *,
        verbose: bool = False,
        reasons: bool = True,
    ) -> None:
        self._stream = stream
        self._redactor = redactor
        self._steps = list(steps)
        self._verbose = verbose
        self._reasons = reasons

    def event(self, event: Event) -> None:
        """Show one event."""
        line = self._action(event) if event.action else self._step(event)
        if line:
            line = self._redactor.clean(translated(line).replace("\n", " "))
            self._stream.write("\n".join(fold(line)) + "\n")
            self._stream.flush()

    def _step(self, event: Event) -> str:
        if event.phase == "begin":
            return text("{number}: {title}", number=self._number(event.step), title=event.text or event.step)
        if event.phase == "done":
            return text("  done, {seconds:.1f} s", seconds=event.seconds)
        if event.phase == "failed":
            return (
                text("  not finished: {reason}", reason=event.text)
                if self._reasons
                else text("  not finished")
            )
        return text("  ok, nothing changed") if event.phase == "unchanged" else text(f"  {event.phase}")

    def _number(self, step: str) -> str:
        if step not in self._steps:
            return step
        return text("Step {step} of {steps}", step=self._steps.index(step) + 1, steps=len(self._steps))

    def _action(self, event: Event) -> str:
        if not self._verbose:
            return ""
        if event.phase in ("undone", "kept"):
            return text("  {phase}: {what}", phase=text(event.phase), what=event.text)
        return (
            text("  - {what} ({seconds:.1f} s)", what=event.text, seconds=event.seconds)
            if event.phase == "done"
            else ""
        )


class ProgressStream:
    """Writes every event as one JSON line to a file descriptor that the caller opened."""

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
        fields = self._redactor.clean_value(
            {
                "step": event.step,
                "phase": event.phase,
                "action": event.action,
                "text": event.text,
                "seconds": round(event.seconds, 3),
            }
        )
        line = json.dumps(fields).encode() + b"\n"
        try:
            while line:
                line = line[os.write(self._descriptor, line) :]  # noqa: TID251 (handed over open)
        except OSError:
            self._descriptor = None


def transfer_bar(
    stream: TextIO | None = None, *, quiet: bool = False, color: bool = False
) -> Callable[[int, int], None]:
    """A listener for bytes moved and bytes known of; draws one line on a terminal, else nothing."""
    terminal = stream or sys.stderr
    drawn = -1

    def show(moved: int, known: int) -> None:
        nonlocal drawn
        percent = min(_ALL, moved * _ALL // known) if known > 0 else 0
        if quiet or not terminal.isatty() or percent == drawn:
            return
        drawn = percent
        _draw(terminal, percent, f"{percent:3} % of {known / 1e6:.1f} MB", color=color)

    return show


def count_bar(
    stream: TextIO | None = None, *, quiet: bool = False, color: bool = False
) -> Callable[[int, int], None]:
    """A listener for changes made and their number; draws one line on a terminal, else nothing.

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

    console = Console(file=terminal, highlight=False, no_color=not color)
    terminal.write("\r  ")
    console.print(ProgressBar(total=_ALL, completed=percent, width=_BAR), end="")
    console.print(f" {words}", end="\n" if percent == _ALL else "")
    terminal.flush()
