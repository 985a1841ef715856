"""What the gateway serves: the parts of `ocserv.conf` on this host that decide what devices reach."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final, TypeAlias

from mstunnel_setup.gateway.ocserv_conf import DEAD_END_NETWORK

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_SETTING: Final = re.compile(r"^([a-z0-9-]+) = (.*)$", re.MULTILINE)
_EVERYTHING: Final = "default"
_IPV4: Final = 4


@dataclass(frozen=True)
class Served:
    """`includes` empty: all traffic goes through the tunnel. `pools` are the addresses for devices.

    `session_timeout` is in seconds, 0 without one.
    """

    port: int
    by_token: bool
    pools: tuple[Network, ...]
    dns_servers: tuple[str, ...] = ()
    split_dns: tuple[str, ...] = ()
    includes: tuple[Network, ...] = ()
    excludes: tuple[Network, ...] = ()
    udp: bool = True
    session_timeout: int = 0

    def route_to(self, address: Address) -> Network | None:
        """The range by which devices send packets for `address` into the tunnel; None if they do not."""
        if any(address in network for network in self.excludes):
            return None
        if not self.includes:
            return ip_network("0.0.0.0/0" if address.version == _IPV4 else "::/0")
        return next((network for network in self.includes if address in network), None)

    def excluded_by(self, address: Address) -> Network | None:
        """The range to exclude that contains `address`, if any."""
        return next((network for network in self.excludes if address in network), None)

    def is_of_device(self, address: Address) -> bool:
        """Whether `address` is one that devices get."""
        return any(address in network for network in self.pools)

    def asks_for(self, name: str) -> bool:
        """Whether devices look `name` up at the DNS servers of the tunnel."""
        if not self.dns_servers:
            return False
        lower = name.lower().rstrip(".")
        domains = [domain.lower().strip(".") for domain in self.split_dns]
        return not domains or any(lower == domain or lower.endswith(f".{domain}") for domain in domains)


def read_served(configuration: bytes) -> Served | None:
    """What the text of an `ocserv.conf` serves; None for one that is not ours or was damaged."""
    settings: dict[str, list[str]] = {}
    for name, value in _SETTING.findall(configuration.decode(errors="replace")):
        settings.setdefault(name, []).append(value.strip('"'))
    try:
        return Served(
            port=int(settings["tcp-port"][0]),
            by_token=settings["auth"][0].startswith("oidc"),
            pools=tuple(_pools(settings)),
            dns_servers=tuple(settings.get("dns", ())),
            split_dns=tuple(settings.get("split-dns", ())),
            includes=_networks(route for route in settings.get("route", ()) if route != _EVERYTHING),
            excludes=_networks(iter(settings.get("no-route", ()))),
            udp="udp-port" in settings,
            session_timeout=int(settings.get("session-timeout", ["0"])[0]),
        )
    except (KeyError, ValueError):
        return None


def _pools(settings: dict[str, list[str]]) -> Iterator[Network]:
    yield ip_network(f"{settings['ipv4-network'][0]}/{settings['ipv4-netmask'][0]}")
    for network in settings.get("ipv6-network", ()):
        if network != DEAD_END_NETWORK:
            yield ip_network(network)


def _networks(texts: Iterator[str]) -> tuple[Network, ...]:
    return tuple(map(ip_network, texts))
