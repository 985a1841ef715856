"""The host of a gateway, as commands see it that change no more than its containers."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from mstunnel_setup.base.scope import Scope
from mstunnel_setup.containers.choice import EngineChoice, EnginePreference, open_engine
from mstunnel_setup.containers.engine import ContainerEngine
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.io.process import Processes
from mstunnel_setup.io.systemd import Systemd

OpenedEngine: TypeAlias = tuple[ContainerEngine, EngineChoice]


@dataclass(frozen=True)
class GatewayHost:
    """The files, programs, engine and service manager of a host.

    `engine_opener` is called when the engine is first needed.
    """

    files: Files
    processes: Processes
    clock: Clock
    systemd: Systemd
    engine_opener: Callable[[], OpenedEngine]

    @property
    def engine(self) -> ContainerEngine:
        """The container engine. Raises EngineError if no engine can run the gateway."""
        return self._opened[0]

    @property
    def chosen(self) -> EngineChoice:
        """The chosen engine, and the reason. Raises EngineError as `engine` does."""
        return self._opened[1]

    @cached_property
    def _opened(self) -> OpenedEngine:
        return self.engine_opener()


@contextmanager
def gateway_host(operator: Operator, scope: Scope, preference: EnginePreference) -> Iterator[GatewayHost]:
    """Build the operator's host for one command. Anything started only for the command ends with it."""
    with ExitStack() as stack:
        yield GatewayHost(
            operator.files,
            operator.processes,
            operator.clock,
            Systemd(operator.processes, user=scope is Scope.ACCOUNT),
            lambda: open_engine(preference, operator.files, operator.processes, operator.clock, stack),
        )
