"""What the administrator asks of one run."""

from dataclasses import dataclass, field, replace
from typing import Final

from mstunnel_setup.io.operator import Settings

# The monitor holds the lock while the gateway tests a configuration, which takes one or two seconds.
PATIENCE: Final = 10.0
"""Seconds for which a run waits for another one to end."""


@dataclass(frozen=True)
class InstallRequest:
    """Options of a run: `skip` names steps, `ignored_checks` failed checks to go on without.

    `lab` is the address of a lab tenant, `#`, and the fingerprint of its root; empty without one. `port` is
    what the gateway will listen on; without it that of the uplink, or 443. `backup` are the answers of a
    backup, which yield to all that is given. `patience` is how long to wait for another run, in seconds.
    """

    settings: Settings = field(default_factory=dict)
    skip: tuple[str, ...] = ()
    ignored_checks: tuple[str, ...] = ()
    rollback_on_failure: bool = False
    progress_fd: int | None = None
    lab: str = ""
    port: int | None = None
    backup: Settings | None = None
    patience: float = PATIENCE

    def answering(self, **answers: object) -> "InstallRequest":
        """The same request with other answers, which count more than its own."""
        return replace(self, settings={**self.settings, **answers})


NO_REQUEST: Final = InstallRequest()
"""The request of a command that gives no answers and has no options of a run."""
