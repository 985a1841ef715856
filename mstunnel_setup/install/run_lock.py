"""The locks of this host, as a command takes them: it waits a moment for another run to end."""

from contextlib import AbstractContextManager
from typing import Final

from mstunnel_setup.base import paths
from mstunnel_setup.base.text import text
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.transaction.lock import exclusive

# Seconds. The monitor holds the lock while the gateway tests a configuration, which takes one or two.
PATIENCE: Final = 10.0


def run_lock(
    operator: Operator, path: str = paths.LOCK, patience: float = PATIENCE
) -> AbstractContextManager[None]:
    """The lock of this host, or another one of its locks; the operator hears of a wait for it.

    Raises LockedError when another run is in progress and does not end within `patience` seconds.
    """

    def waiting() -> None:
        operator.console.say(
            text("Waiting for another run to end, at most {patience:.0f} s.", patience=patience)
        )

    return exclusive(operator.files, operator.clock, path, patience, waiting)
