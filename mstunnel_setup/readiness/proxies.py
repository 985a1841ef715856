"""Addresses of proxies: host and port, what is reached without one, and whether SELinux knows the ports."""

from mstunnel_setup.answers.variables import proxy_place
from mstunnel_setup.base.parsing import whole_number
from mstunnel_setup.readiness.facts.host import ProxyFacts
from mstunnel_setup.readiness.facts.programs import SecurityFacts


def bypassed(host: str, no_proxy: str) -> bool:
    """Whether `no_proxy` (names, domains, addresses, separated by commas) names the host."""
    names = (item.strip().lower().removeprefix("*").lstrip(".") for item in no_proxy.split(","))
    wanted = host.lower()
    return no_proxy.strip() == "*" or any(
        name and (wanted == name or wanted.endswith(f".{name}")) for name in names
    )


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
    bounds = (
        (whole_number(low), whole_number(high or low))
        for low, _, high in (item.partition("-") for item in ranges)
    )
    return any(low is not None and high is not None and low <= port <= high for low, high in bounds)
