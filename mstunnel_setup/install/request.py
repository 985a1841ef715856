"""The administrator's options for one run."""

from dataclasses import dataclass, field, replace
from typing import Final

from mstunnel_setup.io.operator import Settings

# A run waits for the lock: the monitor holds it for up to two seconds while the gateway tests a
# configuration.
PATIENCE: Final = 10.0
"""Seconds for which a run waits for another one to end."""


@dataclass(frozen=True)
class InstallRequest:
    """The options of a run: `skip` names steps to leave out, `ignored_checks` failed checks to ignore.

    `lab` is the address of a lab tenant, `#`, and the fingerprint of its root; empty without one. `port` is
    the gateway's port (None: that of the uplink, or 443). `backup` holds the answers of a backup, which all
    other answers override. `patience` is how long to wait for another run, in seconds.
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
        """Return a copy with these answers, which take precedence over the request's."""
        return replace(self, settings={**self.settings, **answers})


NO_REQUEST: Final = InstallRequest()
"""The request of a command without answers and without options for a run."""
