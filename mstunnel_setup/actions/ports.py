"""The ports that actions on the operating system need."""

from typing import Protocol

from mstunnel_setup.io.process import Processes
from mstunnel_setup.io.systemd import Systemd
from mstunnel_setup.transaction.ports import HasFiles


class HasProcesses(HasFiles, Protocol):
    """Files and programs."""

    @property
    def processes(self) -> Processes:
        """The process runner."""
        ...


class HasUnits(HasProcesses, Protocol):
    """Files, programs and units."""

    @property
    def systemd(self) -> Systemd:
        """The service manager."""
        ...
