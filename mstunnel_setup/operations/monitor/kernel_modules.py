"""Repair of unloaded kernel modules, and of a gateway that was started before its tunnel device."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mstunnel_setup.actions import containers, tunnel_device
from mstunnel_setup.actions.kernel import load_module
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.base.text import text
from mstunnel_setup.containers.gateway_host import GatewayHost
from mstunnel_setup.exchange import log_lines
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.safe_paths import visible_kind
from mstunnel_setup.operations.monitor.monitor_context import MonitorContext
from mstunnel_setup.operations.monitor.task import Pace
from mstunnel_setup.readiness.facts.host import HostReader
from mstunnel_setup.readiness.facts.section import Settings
from mstunnel_setup.readiness.sysctls import MODULE_FILES

# A failed load or restart is repeated after this pause.
_RETRY_SECONDS: Final = 600.0


class KernelModules:
    """The loader of missing kernel modules, which restarts the gateway if it needs them."""

    def __init__(self, context: MonitorContext) -> None:
        self._context = context
        self._lost: Sequence[str] = ()
        self._reason = ""
        self._loads = Pace(_RETRY_SECONDS)
        self._restarts = Pace(_RETRY_SECONDS)

    def load_lost(self) -> None:
        """Load missing modules, at most every ten minutes; then restart the server if it runs.

        A loss is reported once.
        """
        context = self._context
        files, clock = context.files, context.clock
        if not files.live:
            return
        lost = lost_modules(files, clock)
        if lost and self._loads.allows(clock.monotonic()):
            self._reason = _load_modules(context.host, lost)
        self._lost = self._lost or lost
        if left := lost and lost_modules(files, clock):
            raise StepError(
                "module-lost",
                "kernel module missing: {modules}: {reason}",
                hint="Load it with modprobe; after a kernel update, restart the host.",
                modules=", ".join(left),
                reason=self._reason or text("loading it did not help"),
            )
        if self._lost:
            context.tell(log_lines.MODULES(modules=", ".join(self._lost)))
            self._lost = ()
            if not context.gateway_is_stopped():
                containers.restart(context.host, paths.SERVER)

    def restart_without_device(self) -> None:
        """Restart a gateway that was started before its tunnel device could be used."""
        context = self._context
        if not context.files.live:
            return
        reason = tunnel_device.out_of_date(context.host)
        if reason and self._restarts.allows(context.clock.monotonic()):
            context.tell(log_lines.TUNNEL(container=paths.SERVER, device=tunnel_device.DEVICE, reason=reason))
            containers.restart(context.host, paths.SERVER)


def lost_modules(files: Files, clock: Clock) -> Sequence[str]:
    """Return the modules that the gateway needs and this kernel can load, but has not loaded.

    A system update may have removed them; without them no device can connect. `tun` counts as lost while its
    device is missing.
    """
    reader = HostReader(files.given, clock, Settings(), {})
    away = [name for name in MODULE_FILES if name not in reader.modules()]
    found = set(away) & reader.loadable() if away else set[str]()
    return sorted(found if visible_kind(Path(tunnel_device.DEVICE)) else {*found, "tun"})


def _load_modules(host: GatewayHost, names: Sequence[str]) -> str:
    """Load modules; return why that failed, empty on success."""
    if paths.ROOTLESS:
        return text("only root may load it: run `modprobe --all {names}` as root", names=" ".join(names))
    try:
        for name in names:
            load_module(host.processes, name)
    except StepError as error:
        return error.message
    return ""
