"""Detection of an update that replaced the running program."""

from typing import Final

from mstunnel_setup.io import bundle
from mstunnel_setup.io.clock import Clock

# A package manager replaces file after file, and a copied file grows until it is complete.
_UNCHANGED_SECONDS: Final = 10.0


class OwnProgram:
    """The running program, compared with the one that is now at its path."""

    def __init__(self) -> None:
        self._running = bundle.running()

    def is_another(self) -> bool:
        """Return whether another program is at its path, which may be incomplete."""
        return self._running != "" and bundle.installed() not in ("", self._running)

    def replaced(self, clock: Clock) -> bool:
        """Return whether another program is at its path, after waiting until it is unchanged for ten seconds.

        Returns False for an incomplete or damaged one, so that the running program continues.
        """
        found = bundle.installed()
        if not self.is_another() or not bundle.intact():
            return False
        clock.sleep(_UNCHANGED_SECONDS)
        return bundle.installed() == found and bundle.intact()
