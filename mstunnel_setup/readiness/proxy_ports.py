"""Ports of proxies, and whether SELinux knows them as such."""

from mstunnel_setup.readiness.facts import ProxyFacts, SecurityFacts
from mstunnel_setup.readiness.text import proxy_place


def ports(proxies: ProxyFacts) -> tuple[int, ...]:
    """The ports of all proxies that are named anywhere, in order."""
    found = (proxy_place(item.value) for item in proxies.places if item.name != "no_proxy")
    return tuple(sorted({place[1] for place in found if place is not None}))


def unlabelled(security: SecurityFacts, proxies: ProxyFacts) -> tuple[int, ...]:
    """Ports that an enforcing SELinux keeps from proxies; none when its port types cannot be read."""
    if security.selinux != "enforcing" or security.proxy_ports is None:
        return ()
    ranges = security.proxy_ports
    return tuple(port for port in ports(proxies) if not _allowed(port, ranges))


def _allowed(port: int, ranges: tuple[str, ...]) -> bool:
    bounds = (item.partition("-") for item in ranges)
    return any(int(low) <= port <= int(high or low) for low, _, high in bounds)
