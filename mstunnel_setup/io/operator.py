"""The operator: the person who runs a command, the means to ask and inform them, and their host."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from mstunnel_setup.base.redaction import Redactor
from mstunnel_setup.base.result import Listener, Result
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Processes

Settings: TypeAlias = Mapping[str, Any]
"""Answers given as options, by setting path (`certificate.key`), for `answers.merge.merge`."""


class Prompter(Protocol):
    """Questions and announcements. Without a terminal every question is refused as a missing answer."""

    @property
    def interactive(self) -> bool:
        """True if a person can answer."""
        ...

    @property
    def waited(self) -> float:
        """Seconds spent waiting for a person so far."""
        ...

    def ask(self, question: str, default: str | None = None, *, secret: bool = False) -> str:
        """Ask for one line of text; do not echo it if `secret`."""
        ...

    def ask_until(self, question: str, poll: Callable[[], str | None]) -> str | None:
        """Ask for a line, which may be empty; return None as soon as `poll` returns None.

        `poll` is called every few seconds. While a problem remains, it returns its text, which is shown when
        it changes.
        """
        ...

    def confirm(self, question: str) -> bool:
        """Ask for yes or no."""
        ...

    def choose(self, title: str, rows: Sequence[tuple[str, ...]], columns: Sequence[str] = ()) -> str:
        """Return the id of the row chosen by number, name or id.

        `rows` are cells: id, name, further details; `columns` are headings, from the name on.
        """
        ...

    def page(self, text: str) -> None:
        """Show a long text in a pager."""
        ...

    def say(self, template: str, /, **values: object) -> None:
        """Print one announcement; the values are filled in, as `text` does."""
        ...

    def device_code(self, url: str, code: str, expires_in_seconds: float, scan: str = "") -> None:
        """Show where to sign in with which code; `scan` is the QR code's address if it differs."""
        ...

    def waiting(self, seconds_left: float) -> None:
        """Show the seconds left to sign in; 0 ends the display."""
        ...


class Sinks(Protocol):
    """Destinations of a command's events and lines; the command line implements them."""

    def listener(self, steps: Sequence[str], progress_fd: int | None = None) -> Listener:
        """Return a listener for the events of a run of `steps`; it also writes JSON to `progress_fd`."""
        ...

    def stream(self, lines: Iterable[str]) -> None:
        """Print each line as it arrives, until there are no more or the reader is gone."""
        ...

    def show(self, result: Result) -> bool:
        """Show an interim result, on a terminal in place of the last; return whether it is still read."""
        ...

    def close_log(self) -> None:
        """Close the log file; a later event opens it again."""
        ...


@dataclass(frozen=True)
class Operator:
    """The person who runs a command, with the options common to all commands.

    `secrets` gets every secret that is read, so that no output shows it. `files`, `processes` and `clock` are
    the ports of the target host: each process builds them once, here. `answers` is the answer file. `json`
    and `verbose` select the form of results. `download` gets the bytes fetched and expected, `counted` the
    changes made and their total; a total of 0 means that no more will follow. `absent` are the directories
    that Podman would make for this account, topmost first.
    """

    console: Prompter
    secrets: Redactor
    sinks: Sinks
    files: Files = field(default_factory=Files)
    processes: Processes = field(default_factory=Processes)
    clock: Clock = field(default_factory=Clock)
    answers: Path | None = None
    json: bool = False
    verbose: bool = False
    download: Callable[[int, int], None] = lambda _fetched, _known: None
    counted: Callable[[int, int], None] = lambda _made, _total: None
    absent: Sequence[str] = ()
