"""The program that runs, and the one that an update puts in its place."""

from typing import Final

from mstunnel_setup.io import bundle
from mstunnel_setup.io.clock import Clock

# A package is replaced file by file, and a file that someone copies grows.
_UNCHANGED_SECONDS: Final = 10.0


class OwnProgram:
    """The program that runs, against the one that is now in its place."""

    def __init__(self) -> None:
        self._running = bundle.running()

    def is_another(self) -> bool:
        """Whether another one is there, which may be incomplete."""
        return self._running != "" and bundle.installed() not in ("", self._running)

    def replaced(self, clock: Clock) -> bool:
        """Whether another one is there, complete and unchanged for ten seconds, for which this waits.

        While it is incomplete or damaged, the one that runs goes on.
        """
        found = bundle.installed()
        if not self.is_another() or not bundle.intact():
            return False
        clock.sleep(_UNCHANGED_SECONDS)
        return bundle.installed() == found and bundle.intact()
