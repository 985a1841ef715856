"""The operator: who runs a command, how they are asked and informed, and which host they mean."""

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
        """Whether a person can answer."""
        ...

    @property
    def waited(self) -> float:
        """Seconds for which a person was waited for until now."""
        ...

    def ask(self, question: str, default: str | None = None, *, secret: bool = False) -> str:
        """One line of text; `secret` is not echoed."""
        ...

    def ask_until(self, question: str, poll: Callable[[], str | None]) -> str | None:
        """One line of text, perhaps empty; None as soon as `poll`, called every few seconds, returns None.

        Else it returns what is still wrong, which is shown when it changes.
        """
        ...

    def confirm(self, question: str) -> bool:
        """Yes or no."""
        ...

    def choose(self, title: str, rows: Sequence[tuple[str, ...]], columns: Sequence[str] = ()) -> str:
        """The id of the row chosen by number, name or id.

        `rows` are cells: id, name, further details; `columns` are headings, from the name on.
        """
        ...

    def page(self, text: str) -> None:
        """A long text, in a pager."""
        ...

    def say(self, template: str, /, **values: object) -> None:
        """One announcement; the values are filled in, as `text` does."""
        ...

    def device_code(self, url: str, code: str, expires_in_seconds: float, scan: str = "") -> None:
        """Where to sign in with which code; `scan` is the address for a QR code, when it is another one."""
        ...

    def waiting(self, seconds_left: float) -> None:
        """How long the wait for a sign-in may still last; 0: it is over."""
        ...


class Sinks(Protocol):
    """Where the events and lines of a command go; the command line brings the implementation."""

    def listener(self, steps: Sequence[str], progress_fd: int | None = None) -> Listener:
        """A listener for the events of a run of `steps`; JSON lines also go to `progress_fd`."""
        ...

    def stream(self, lines: Iterable[str]) -> None:
        """Print each line as it comes, until there are no more or the reader is gone."""
        ...

    def show(self, result: Result) -> bool:
        """Show a result before the last one, on a terminal in place of the one before; whether it is read."""
        ...

    def close_log(self) -> None:
        """Close the log file; a later event opens it again."""
        ...


@dataclass(frozen=True)
class Operator:
    """Who runs a command, and what they said about all commands.

    `secrets` gets every secret that is read, so that no output shows it. `files`, `processes` and `clock` are
    the ports of the host that is meant: each process builds them once, here. `answers` is the answer file.
    `json` and `verbose` are how results are wanted; `download` gets the bytes fetched and the bytes expected,
    `counted` the changes made and their number; either number is 0 when the others will not follow.
    `absent` are the directories that Podman would make for this account, topmost first.
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
