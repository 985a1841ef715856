"""The ports that actions on the operating system need."""

from typing import Protocol

from mstunnel_setup.engine.file_actions import HasFiles
from mstunnel_setup.host.process import Processes


class HasProcesses(HasFiles, Protocol):
    """Files and programs."""

    @property
    def processes(self) -> Processes:
        """The process runner."""
        ...


class Units(Protocol):
    """The parts of the service manager that drop-ins need."""

    def running(self) -> bool:
        """Whether it is process 1 here."""
        ...

    def daemon_reload(self) -> None:
        """Read unit files again."""
        ...

    def active(self, unit: str) -> bool:
        """Whether a unit is running."""
        ...

    def known(self, unit: str) -> bool:
        """Whether there is such a unit."""
        ...

    def start(self, unit: str) -> None:
        """Start a unit."""
        ...

    def restart(self, unit: str) -> None:
        """Stop and start a unit."""
        ...

    def stop(self, unit: str) -> None:
        """Stop a unit."""
        ...


class HasUnits(HasProcesses, Protocol):
    """Files, programs and units."""

    @property
    def systemd(self) -> Units:
        """The service manager."""
        ...
