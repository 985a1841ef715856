"""The Podman network that gives containers IPv6, in addition to Podman's unchanged bridge.

Podman reads the file at each start of a container (netavark's format); the device exists while one runs. With
netavark's name servers, containers would no longer use the host's.
"""

import hashlib
from typing import Final

from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.containers.container_spec import MANAGED_LABEL

NETWORK: Final = "mstunnel-ipv6"
SUBNET: Final = "fdb3:7c1e:94a2:1::/64"
"""A unique local network (RFC 4193): the host translates its addresses to its own."""
GATEWAY: Final = "fdb3:7c1e:94a2:1::1"
DIRECTORY: Final = "/etc/containers/networks"
FILE: Final = f"{DIRECTORY}/{NETWORK}.json"

DEFINITION: Final[JsonObject] = {
    "name": NETWORK,
    "id": hashlib.sha256(NETWORK.encode()).hexdigest(),
    "driver": "bridge",
    "network_interface": "mstunnel6",
    "subnets": [{"subnet": SUBNET, "gateway": GATEWAY}],
    "ipv6_enabled": True,
    "internal": False,
    "dns_enabled": False,
    "labels": {MANAGED_LABEL: "1"},
    "ipam_options": {"driver": "host-local"},
}
