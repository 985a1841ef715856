"""The host, log and service that the tasks of the monitor share."""

from contextlib import ExitStack
from functools import cached_property

from mstunnel_setup.base import paths
from mstunnel_setup.base.log_line import Tell
from mstunnel_setup.containers.gateway_host import GatewayHost
from mstunnel_setup.install.installed import open_host
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.io.systemd import ServiceManager


class MonitorContext:
    """The shared state of the tasks: this host, with the engine's connection kept open between rounds.

    `tell` writes to the log, `service` reports to systemd.
    """

    def __init__(self, operator: Operator, tell: Tell, service: ServiceManager) -> None:
        self.operator = operator
        self.files = operator.files
        self.clock = operator.clock
        self.tell = tell
        self.service = service
        self._open = ExitStack()

    @cached_property
    def host(self) -> GatewayHost:
        """This host. Its engine stays open, since opening it costs more than a check."""
        return self._open.enter_context(open_host(self.operator))

    def close(self) -> None:
        """Close the connection to the engine; the next use of `host` opens it again."""
        self.__dict__.pop("host", None)
        self._open.close()

    def gateway_is_stopped(self) -> bool:
        """Return whether an administrator stopped the gateway. Without systemd this is unknown."""
        systemd, unit = self.host.systemd, f"{paths.SERVER}.service"
        return systemd.known(unit) and systemd.stopped(unit)
