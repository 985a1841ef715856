"""The ports that most actions need. They are apart from the actions, which what only looks does not load."""

from typing import Protocol

from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files


class HasFiles(Protocol):
    """The file writer, and where the journal is."""

    @property
    def files(self) -> Files:
        """The file writer."""
        ...

    @property
    def state_directory(self) -> str:
        """The directory of the journal; replaced files are saved below it."""
        ...


class HasClock(HasFiles, Protocol):
    """Files and the clock."""

    @property
    def clock(self) -> Clock:
        """The clock."""
        ...
