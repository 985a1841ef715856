"""What devices must not reach on this host, as the gateway's container cannot see it: `host-addresses`."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_network

from mstunnel_setup import paths
from mstunnel_setup.host.clock import Clock
from mstunnel_setup.host.files import Files
from mstunnel_setup.readiness.facts import Settings
from mstunnel_setup.readiness.read import text_of
from mstunnel_setup.readiness.read.host import HostReader

_LOCAL = re.compile(r"\|-- ([0-9.]+)\s+/32 host LOCAL")


def own_addresses(files: Files, clock: Clock) -> str:
    """Networks of the container engine and the host's addresses outside of them, one a line.

    Loopback and link-local addresses are left out: the gateway refuses them all. Empty where the kernel tells
    nothing, such as below another root.
    """
    reader = HostReader(files, clock, Settings(), {})
    # The address of a bridge is there once a container has run, its network is known before.
    standing = [item for item in reader.addresses().bridges if item.source == "now" or not paths.ROOTLESS]
    bridges = [ip_network(bridge.network) for bridge in standing]
    found = [address for address in _addresses(files) if not any(address in network for network in bridges)]
    return "".join(f"{item}\n" for item in dict.fromkeys([*map(str, bridges), *map(str, found)]))


def _addresses(files: Files) -> Iterator[IPv4Address | IPv6Address]:
    """Source: proc(5), `/proc/net/fib_trie` and `/proc/net/if_inet6`."""
    for text in _LOCAL.findall(text_of(files, "/proc/net/fib_trie")):
        address = IPv4Address(text)
        if not (address.is_loopback or address.is_link_local):
            yield address
    for line in text_of(files, "/proc/net/if_inet6").splitlines():
        address6 = IPv6Address(bytes.fromhex(line.split()[0]))
        if not (address6.is_loopback or address6.is_link_local):
            yield address6
