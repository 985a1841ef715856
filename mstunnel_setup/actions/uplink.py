"""The uplink: a veth pair from the host into a rootless gateway, with nftables rules.

Packets stay in the kernel, unlike with the programs for rootless networks (pasta, slirp4netns).
"""

from collections.abc import Mapping, Sequence
from typing import Final

from typing_extensions import override

from mstunnel_setup.actions.files import Link, WriteFile
from mstunnel_setup.actions.firewall import UPLINK_DEVICE, delete_table
from mstunnel_setup.actions.host import Host
from mstunnel_setup.actions.units import InstallService
from mstunnel_setup.base import rendering
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import Outputs
from mstunnel_setup.containers.uplink_address import (
    DIRECTORY,
    GATEWAY_END,
    HOST_END,
    SOCKETS,
)
from mstunnel_setup.transaction.action import Action, Undone, UndoRecord

PROGRAM: Final = "mstunnel_uplink"
SOCKET_UNIT: Final = "mstunnel-uplink.socket"
SERVICE_UNIT: Final = "mstunnel-uplink.service"
RULES_UNIT: Final = "mstunnel-uplink-rules.service"
_LOADS_RULES: Final = "nftables.service"
UNITS: Final = "/etc/systemd/system"
RULES: Final = f"{DIRECTORY}/rules.nft"
DEVICE: Final = UPLINK_DEVICE
TABLE: Final = "mstunnel-uplink"
NETWORK_BITS: Final = 30
_SECONDS: Final = 30.0


def rules(port: int, services: Sequence[int] = ()) -> str:
    """Return rules for `nft --file`; they replace earlier ones as a whole.

    `services` are the TCP ports of tenant and proxy, which may be on this host.
    """
    return rendering.render(
        "network/uplink.nft",
        table=TABLE,
        device=DEVICE,
        gateway=GATEWAY_END,
        host=HOST_END,
        port=port,
        services=services,
    )


class InstallUplink(InstallService):
    """Open the socket at which the account's gateway gets its uplink, now and at every boot."""

    kind = "install-uplink"
    description = text("open the socket {unit}, which connects the gateway to the network")

    @property
    @override
    def parts(self) -> Mapping[str, Action]:
        """The unit file and its link, both root's, even in a plan that the account makes for root.

        Sockets are opened before any service, and therefore before the account's gateway.
        """
        file = f"{UNITS}/{self.unit}"
        return {
            "file": WriteFile(path=file, text=self.text),
            "link": Link(path=f"{UNITS}/sockets.target.wants/{self.unit}", target=file),
        }

    def apply(self, host: Host, outputs: Outputs) -> None:
        """Open the socket; reload the uplink's rules whenever nftables loads the host's rules."""
        super().apply(host, outputs)
        if host.systemd.active(_LOADS_RULES):
            host.systemd.start(RULES_UNIT)

    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Close the socket, restore the earlier files, and remove device and rules."""
        undone = super().undo(host, record)
        for unit in (SERVICE_UNIT, RULES_UNIT):
            if host.systemd.known(unit):
                host.systemd.stop(unit)
        # Rules and device exist only after a gateway has started.
        delete_table(host.processes, TABLE)
        if host.processes.find("ip") is not None:
            host.processes.run(["ip", "link", "delete", DEVICE], timeout=_SECONDS, check=False)
        host.files.remove_tree(SOCKETS)
        return undone
