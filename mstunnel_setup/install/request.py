"""What the administrator asks of an installation or a plan."""

from dataclasses import dataclass, field

from mstunnel_setup.io.operator import Settings


@dataclass(frozen=True)
class InstallRequest:
    """Options of an installation: `skip` names steps, `ignored_checks` failed checks to go on without.

    `lab` is the address of a lab tenant, `#`, and the fingerprint of its root; empty without one.
    """

    settings: Settings = field(default_factory=dict)
    skip: tuple[str, ...] = ()
    ignored_checks: tuple[str, ...] = ()
    rollback_on_failure: bool = False
    progress_fd: int | None = None
    lab: str = ""
