"""The ports that container actions need."""

from typing import Protocol

from mstunnel_setup.containers.engine import ContainerEngine, Progress
from mstunnel_setup.io.process import Processes
from mstunnel_setup.io.systemd import Systemd
from mstunnel_setup.transaction.ports import HasClock


class HasEngine(HasClock, Protocol):
    """Files, processes, time, the container engine and systemd."""

    @property
    def processes(self) -> Processes:
        """The process runner."""
        ...

    @property
    def engine(self) -> ContainerEngine:
        """The container engine."""
        ...

    @property
    def systemd(self) -> Systemd:
        """The service manager."""
        ...

    @property
    def progress(self) -> Progress:
        """Listener for the progress of a pull."""
        ...
