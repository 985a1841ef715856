"""Where the uplink of a rootless gateway is: its files, sockets and addresses."""

from typing import Final

from mstunnel_setup.base import paths
from mstunnel_setup.base.parsing import whole_number
from mstunnel_setup.io.files import Files

SOCKETS: Final = "/run/mstunnel-uplink"
DIRECTORY: Final = "/etc/mstunnel-uplink"
HOOK: Final = f"{DIRECTORY}/attach.json"
"""The hook that Podman runs when it starts the gateway (oci-hooks(5))."""
# Both addresses are in the range for links within a host (RFC 7335), which no network or pool overlaps.
HOST_END: Final = "192.0.0.5"
GATEWAY_END: Final = "192.0.0.6"


def socket_of(port: int) -> str:
    """Return the socket at which a gateway on `port` gets its uplink."""
    return f"{SOCKETS}/{port}"


def prepared(files: Files) -> tuple[int, ...]:
    """Return the ports for which root has prepared an uplink: one, or none."""
    if files.state(SOCKETS) is None or files.state(HOOK) is None:
        return ()
    ports = map(whole_number, files.names(SOCKETS))
    return tuple(port for port in ports if port is not None)


def ready(files: Files, port: int) -> bool:
    """Return whether root has prepared the host for a gateway on `port`."""
    return port in prepared(files)


def gateway_address(files: Files, port: int) -> str:
    """Return the address at which this host reaches its own gateway."""
    return GATEWAY_END if paths.ROOTLESS and ready(files, port) else "127.0.0.1"
