"""How a step talks to the administrator. The command line brings the implementation."""

from collections.abc import Sequence
from typing import Protocol


class Prompter(Protocol):
    """Questions and announcements. Without a terminal every question is refused as missing answer."""

    @property
    def interactive(self) -> bool:
        """Whether somebody is there to answer."""
        ...

    def ask(self, question: str, default: str | None = None, *, secret: bool = False) -> str:
        """One line of text; `secret` is not echoed."""
        ...

    def confirm(self, question: str) -> bool:
        """Yes or no."""
        ...

    def choose(self, title: str, rows: Sequence[tuple[str, ...]]) -> str:
        """The id of the row chosen by number, id or name; `rows` are cells: id, name, further details."""
        ...

    def page(self, text: str) -> None:
        """A long text, in a pager."""
        ...

    def say(self, text: str) -> None:
        """One announcement."""
        ...

    def device_code(self, url: str, code: str, expires_in_seconds: float, scan: str = "") -> None:
        """Where to sign in with which code; `scan` is the address for a QR code, when it is another one."""
        ...

    def waiting(self, seconds_left: float) -> None:
        """How long the wait for a sign-in may still last; 0: it is over."""
        ...
