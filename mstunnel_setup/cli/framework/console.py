"""The console: questions and announcements on stderr; stdout is for results."""

import getpass
import io
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, repeat, zip_longest
from os import get_terminal_size
from select import select
from typing import TYPE_CHECKING, TextIO

from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.redaction import Redactor
from mstunnel_setup.base.text import WIDTH, Text, fold, one_line, sentence, text
from mstunnel_setup.cli.framework.translation import translated
from mstunnel_setup.io.clock import Clock

# Only what a person sees on a terminal needs rich, so it is imported there.
if TYPE_CHECKING:
    from rich.console import Console

_INDENT = "    "
_LINES_AROUND_CODE = 9
_MOST_ROWS = 40
POLL_SECONDS = 2.0
_BORDER = 2
"""Light modules around: ISO/IEC 18004 asks for four; two are enough for a reader (see the tests)."""
_BLOCKS = {(1, 1): "█", (1, 0): "▀", (0, 1): "▄", (0, 0): " "}


@dataclass
class NoPrompts:
    """The console of an unattended run: it announces, but a question is an error that names it.

    `waited` are the seconds for which a person was waited for until now: to answer, or to sign in elsewhere.
    """

    redactor: Redactor
    color: bool = field(default=False, kw_only=True)
    stderr: TextIO = field(default_factory=lambda: sys.stderr, kw_only=True)
    waited: float = field(default=0.0, init=False)
    _clock: Clock = field(default_factory=Clock, init=False)
    _code_shown: float | None = field(default=None, init=False)

    @property
    def interactive(self) -> bool:
        """True if a person can answer."""
        return False

    def say(self, template: str, /, **values: object) -> None:
        """Show an announcement, with the values filled in; long lines are folded."""
        self._print("\n".join(self._folded(template, values)))

    def _folded(self, template: str, values: Mapping[str, object]) -> list[str]:
        lines = self.redactor.clean(translated(sentence(template, values))).splitlines()
        return [part for line in lines for part in fold(line)]

    def page(self, text: str) -> None:
        """Show a long text with long lines folded."""
        self.say(text)

    def device_code(self, url: str, code: str, expires_in_seconds: float, scan: str = "") -> None:
        """Show where to sign in, with which code, and how long it is valid.

        `scan` is what a QR code leads to, where the terminal can show one; the page itself by default.
        """
        minutes = max(1, round(expires_in_seconds / 60))
        self._print(f"\n{translated('To sign in, open this page in a browser, on any device:')}\n")
        self._print(f"{_INDENT}{one_line(url)}\n", "bold")
        self._qr_code(scan or url)
        self._print(translated("and enter this code:") + "\n")
        self._print(f"{_INDENT}{one_line(code)}\n", "bold")
        valid = text(
            "The code is valid for {minutes} minute{plural}. Waiting ...",
            minutes=minutes,
            plural="s" if minutes > 1 else "",
        )
        self._print(translated(valid))
        self._code_shown = self._clock.monotonic()

    def waiting(self, seconds_left: float) -> None:
        """Show on a terminal how long the wait for a sign-in may still last; 0 ends the line."""
        if seconds_left <= 0 and self._code_shown is not None:
            self.waited += self._clock.monotonic() - self._code_shown
            self._code_shown = None
        if not self.stderr.isatty():
            return
        left = f"{int(seconds_left) // 60}:{int(seconds_left) % 60:02}"
        self.stderr.write(
            f"\r  {translated(text('{left:>6} left', left=left))} " if seconds_left > 0 else "\r\x1b[K"
        )
        self.stderr.flush()

    def ask(self, question: str, default: str | None = None, *, secret: bool = False) -> str:  # noqa: ARG002
        """Return the default; raise UsageError `answer-needed` without one."""
        if default is not None:
            return default
        raise self._unanswered(question)

    def ask_until(self, question: str, poll: Callable[[], str | None]) -> str | None:  # noqa: ARG002
        """Raise UsageError `answer-needed`."""
        raise self._unanswered(question)

    def confirm(self, question: str) -> bool:
        """Raise UsageError `answer-needed`."""
        raise self._unanswered(question)

    def choose(
        self,
        title: str,
        rows: Sequence[tuple[str, ...]],  # noqa: ARG002
        columns: Sequence[str] = (),  # noqa: ARG002
    ) -> str:
        """Raise UsageError `answer-needed`."""
        raise self._unanswered(title)

    def _unanswered(self, question: str) -> UsageError:
        return UsageError(
            "answer-needed",
            "this run is unattended, but an answer is needed: {question}",
            hint="Answer it in the answer file or with an option, or run without --unattended.",
            question=question,
        )

    def _qr_code(self, text: str) -> None:
        """Print a QR code, two rows of modules in one line of half blocks, black on white.

        Where it fits, and where colours make sure that dark is dark, for cameras do not read negatives.
        """
        if not (self.color and self.stderr.isatty()):
            return
        # The import takes 40 ms, and few commands show a QR code.
        import segno

        rows = list(segno.make(text, error="l", micro=False).matrix_iter(border=_BORDER))
        lines = [
            "".join(_BLOCKS[upper, lower] for upper, lower in zip_longest(top, bottom, fillvalue=0))
            for top, bottom in zip_longest(rows[::2], rows[1::2], fillvalue=())
        ]
        size = get_terminal_size(self.stderr.fileno())
        try:
            "▀▄█".encode(self.stderr.encoding or "ascii")
        except UnicodeEncodeError:
            return
        if len(lines[0]) + len(_INDENT) > size.columns or len(lines) > size.lines - _LINES_AROUND_CODE:
            return
        for line in lines:
            self._print(_INDENT, end="")
            self._print(line, "black on bright_white")
        self._print("")

    def _print(self, text: str, style: str = "", end: str = "\n") -> None:
        text = self.redactor.clean(text)
        if style and self.color:
            self._rich().print(text, style=style, markup=False, end=end, soft_wrap=True)
        else:
            self.stderr.write(f"{text}{end}")
            self.stderr.flush()

    def _rich(self) -> "Console":
        from rich.console import Console

        return Console(
            file=self.stderr, color_system="auto" if self.color else None, highlight=False, emoji=False
        )


@dataclass
class TerminalConsole(NoPrompts):
    """The console of a person. The end of the input raises UsageError; the renderer handles Ctrl-C."""

    # sys.stdin is None if standard input was closed before the start.
    stdin: TextIO = field(default_factory=lambda: sys.stdin or io.StringIO(), kw_only=True)

    @property
    def interactive(self) -> bool:
        """True if a person can answer."""
        return True

    def ask(self, question: str, default: str | None = None, *, secret: bool = False) -> str:
        """Return the answer without surrounding spaces, the default for an empty line, or ask again.

        A secret is not echoed. Raises UsageError `input-ended` when there is no more input.
        """
        question = one_line(translated(question))
        shown = _prompt(f"{question} [{default}]:" if default and not secret else f"{question}:")
        while True:
            if secret and self.stdin.isatty():
                try:
                    with self._waiting_for_person():
                        typed = getpass.getpass(self.redactor.clean(shown), stream=self.stderr)
                except EOFError as error:
                    raise self._ended() from error
            else:
                typed = self._read(shown) if secret else self._read(shown).strip()
            if typed or default is not None:
                return typed or str(default)

    def ask_until(self, question: str, poll: Callable[[], str | None]) -> str | None:
        """Return the answer, which may be empty, or None as soon as `poll` returns None.

        What it returns else is shown when it changes. Raises UsageError `input-ended`.
        """
        prompt, shown = _prompt(f"{one_line(translated(question))}:"), ""
        self._print(prompt, end="")
        while (problem := poll()) is not None:
            if problem and problem != shown:
                self._print("")
                self.say(problem)
                self._print(prompt, end="")
            shown = problem
            try:
                with self._waiting_for_person():
                    typed = bool(select([self.stdin], [], [], POLL_SECONDS)[0])
            except (OSError, ValueError):
                # select() cannot wait for some inputs, such as a file; they are read at once.
                typed = True
            if typed:
                return self._read("").strip()
        self._print("")
        return None

    @contextmanager
    def _waiting_for_person(self) -> Iterator[None]:
        """Count the time inside the block as waiting for a person."""
        started = self._clock.monotonic()
        try:
            yield
        finally:
            self.waited += self._clock.monotonic() - started

    def confirm(self, question: str) -> bool:
        """Return True for yes, False for no or an empty line; ask again for anything else."""
        while True:
            typed = self._read(_prompt(f"{one_line(translated(question))} [y/N]:")).strip().lower()
            if typed in {"yes", "y", "no", "n", ""}:
                return typed.startswith("y")
            self.say("Type yes or no.")

    def choose(self, title: str, rows: Sequence[tuple[str, ...]], columns: Sequence[str] = ()) -> str:
        """Return the first cell (the id) of the row that the person names by number, name, or id.

        `rows` are cells: id, name, further details; `columns` their headings, from the name on. The id is
        not shown. Asks again until the answer names exactly one row. Of many rows only those are shown whose
        name holds what was typed.
        """
        numbered = list(enumerate(rows, 1))
        if len(rows) > _MOST_ROWS:
            self.say(
                "{title}: {rows} entries. Type part of a name to filter them.", title=title, rows=len(rows)
            )
        else:
            self._table(title, numbered, columns)
        while True:
            typed = self.ask("Number or name")
            wanted = typed.casefold()
            # An exact id or number takes precedence over a name.
            found = [
                row[0] for number, row in numbered if typed.lower() == row[0].lower() or typed == str(number)
            ]
            found = found[:1] or [row[0] for row in rows if wanted == one_line(_shown(row[1])).casefold()]
            if len(found) == 1:
                return found[0]
            near = [item for item in numbered if wanted in "".join(map(_shown, item[1][1:2])).casefold()]
            if len(rows) > _MOST_ROWS and near:
                self._table(text("{count} names contain it.", count=len(near)), near[:_MOST_ROWS], columns)
            elif found:
                self.say(
                    '"{typed}" is the name of {found} entries. Type the number of one.',
                    typed=typed,
                    found=len(found),
                )
            else:
                self.say(
                    '"{typed}" is not in the list. Type a number from 1 to {rows}, or a name.',
                    typed=typed,
                    rows=len(rows),
                )

    def page(self, text: str) -> None:
        """Show a long text a screen at a time when a person is at a terminal; `q` skips the rest."""
        if not (self.stdin.isatty() and self.stderr.isatty()):
            self.say(text)
            return
        lines = self._folded(text, {})
        height = max(1, get_terminal_size(self.stderr.fileno()).lines - 2)
        more = translated("more: Enter; skip to the end: q")
        for start in range(0, len(lines), height):
            self._print("\n".join(lines[start : start + height]))
            if start + height < len(lines) and self._read(f"-- {more} -- ").strip().lower() == "q":
                return

    def _table(self, title: str, rows: Sequence[tuple[int, tuple[str, ...]]], columns: Sequence[str]) -> None:
        from rich.table import Table
        from rich.text import Text as RichText

        table = Table(
            title=RichText(self.redactor.clean(one_line(translated(title)))),
            title_justify="left",
            show_header=bool(columns),
            header_style="bold" if self.color else "",
            box=None,
        )
        width = max((len(row) for _, row in rows), default=1)
        for position, heading in zip(range(width), chain(["No.", *columns], repeat("")), strict=False):
            # People type the numbers, so a narrow screen folds only the names.
            table.add_column(translated(heading), no_wrap=position == 0, overflow="fold")
        for number, (_, *cells) in rows:
            table.add_row(
                *(RichText(self.redactor.clean(one_line(_shown(cell)))) for cell in (str(number), *cells))
            )
        self._rich().print(table, width=None if self.stderr.isatty() else WIDTH)

    def _read(self, prompt: str) -> str:
        self._print(prompt, end="")
        self.stderr.flush()
        try:
            with self._waiting_for_person():
                line = self.stdin.readline()
        except UnicodeDecodeError as error:
            raise UsageError(
                "input-invalid",
                "the input is not UTF-8 text",
                hint="Type it again.",
            ) from error
        if not line:
            self._print("")
            raise self._ended()
        return line.rstrip("\r\n")

    def _ended(self) -> UsageError:
        return UsageError(
            "input-ended",
            "the input ended before the question was answered",
            hint="Run the command at a terminal, or give the answers with --answers and --unattended.",
        )


def _prompt(question: str) -> str:
    """Return a folded question that ends with a space for the answer."""
    return "\n".join(fold(question)) + " "


def _shown(cell: str) -> str:
    """Return a table cell in the selected language; names from elsewhere are not translated."""
    return translated(cell) if isinstance(cell, Text) else cell
