"""The tunnel device in the gateway's container, which gets it, and the permission to use it, at its start."""

from contextlib import suppress
from pathlib import Path
from typing import Final

from typing_extensions import override

from mstunnel_setup.actions import containers
from mstunnel_setup.actions.host import Host
from mstunnel_setup.base import paths
from mstunnel_setup.base.text import printable, text
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.containers.gateway_host import GatewayHost
from mstunnel_setup.exchange import gateway_report as report
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.safe_paths import visible_kind
from mstunnel_setup.transaction.action import OneWayAction

DEVICE: Final = "/dev/net/tun"
# Opening for reading creates no interface, and no file if the device is missing.
_OPEN: Final = ("sh", "-c", f": <{DEVICE}")
_SECONDS: Final = 30.0


def closed(host: GatewayHost) -> str:
    """Return why the running gateway cannot open its tunnel device; empty if it can, or does not run.

    The gateway tries it twice a minute and reports success. Without a report of success it is tried here,
    which takes a tenth of a second. Raises EngineError.
    """
    state = host.engine.inspect(paths.SERVER)
    if state is None or state.status != "running":
        return ""
    with suppress(FileError):
        found = report.read_report(host.files)
        if found and found.opens_tunnel and state.started_at and found.at > state.started_at:
            return ""
    tried = host.engine.execute(paths.SERVER, _OPEN, _SECONDS)
    return printable(tried.error).strip() or text("exit code {code}", code=tried.code) if tried.code else ""


def out_of_date(host: GatewayHost) -> str:
    """Return why the gateway cannot open the host's tunnel device; empty if the host has none.

    The usual cause is a device that appeared, or was replaced, after the container was started. Whether the
    host itself can open it is not tried: the monitor's own unit may use no device.
    """
    return closed(host) if visible_kind(Path(DEVICE)) else ""


class RenewTunnelDevice(OneWayAction):
    """Restart the gateway if it cannot open the host's tunnel device.

    `reason` is the result of `closed`, empty if it can.
    """

    kind = "renew-tunnel-device"
    key_template = "tunnel-device"
    description = text(
        "restart {server}, which was started before {device} could be used",
        server=paths.SERVER,
        device=DEVICE,
    )
    reason: str = ""

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        return not (self.reason and visible_kind(Path(DEVICE)))

    @override
    def capture(self, host: Host) -> JsonObject:
        return {"reason": self.reason}

    @override
    def apply(self, host: Host, outputs: Outputs) -> None:
        """Restart the gateway, unless an interrupted run has done so."""
        if out_of_date(host):
            containers.restart(host, paths.SERVER)
