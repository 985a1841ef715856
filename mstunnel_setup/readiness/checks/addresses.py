"""Group `host`, networks: client pool, bridges, routes, DNS servers and rules must not overlap."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network

from mstunnel_setup.base.text import text
from mstunnel_setup.readiness import findings
from mstunnel_setup.readiness.facts import AddressFacts, TunnelFacts
from mstunnel_setup.readiness.model import Checks, Group, Severity, Verdict, passed, skipped

CHECKS = Checks(Group.HOST)

_SPARE = ("192.168.240.0/20", "172.30.0.0/16", "10.250.0.0/16", "100.127.0.0/16")
_UNKNOWN = text("the server configuration is not known yet")
_LEAST_MTU = 1280
_USUAL_MTU = 1500

Named = tuple[str, str]


def overlaps(left: Iterable[Named], right: Iterable[Named]) -> Iterator[str]:
    """Each overlap of two lists of (what it is, network), named with both sides."""
    others = [(name, network, ip_network(network, strict=False)) for name, network in right]
    for name, own in left:
        network = ip_network(own, strict=False)
        for other, other_text, other_network in others:
            if _overlap(network, other_network):
                yield f"{name} {own} and {other} {other_text}"


def _overlap(left: IPv4Network | IPv6Network, right: IPv4Network | IPv6Network) -> bool:
    if isinstance(left, IPv4Network) and isinstance(right, IPv4Network):
        return left.overlaps(right)
    return isinstance(left, IPv6Network) and isinstance(right, IPv6Network) and left.overlaps(right)


def _bridges(addresses: AddressFacts) -> list[Named]:
    return [
        (text("bridge {name} ({source})", name=item.name, source=item.source), item.network)
        for item in addresses.bridges
    ]


def _routes(addresses: AddressFacts) -> list[Named]:
    """Routes of the host that lead elsewhere than to a bridge, or to devices of a running gateway."""
    names = {item.name for item in addresses.bridges}
    return [
        (text("route via {device}", device=item.device), item.network)
        for item in addresses.routes
        if item.device not in names
    ]


def _resolvers(addresses: AddressFacts) -> list[Named]:
    return [(text("DNS server"), address) for address in addresses.resolvers]


def _pool(tunnel: TunnelFacts) -> list[Named]:
    return [(text("client pool"), tunnel.pool)] if tunnel.pool else []


def _servers(tunnel: TunnelFacts) -> list[Named]:
    return [(text("DNS server for clients"), address) for address in tunnel.dns_servers]


def free_range(addresses: AddressFacts, tunnel: TunnelFacts) -> str:
    """A /24 for the bridge that nothing known here overlaps; empty when there is none left."""
    rules = [(text("include rule"), item) for item in tunnel.includes]
    taken = [*_routes(addresses), *_resolvers(addresses), *_servers(tunnel), *_pool(tunnel), *rules]
    candidates = (str(item) for spare in _SPARE for item in ip_network(spare).subnets(new_prefix=24))
    return next((item for item in candidates if not list(overlaps([("", item)], taken))), "")


def _bridge(addresses: AddressFacts, tunnel: TunnelFacts, others: Iterable[Named]) -> Verdict:
    found = "; ".join(overlaps(_bridges(addresses), others))
    if not found:
        return passed(text("nothing overlaps"))
    if free := free_range(addresses, tunnel):
        return findings.BRIDGE_OVERLAP(overlaps=found, free=free)
    return findings.BRIDGE_OVERLAP_EVERYWHERE(overlaps=found)


def _pool_against(tunnel: TunnelFacts, others: Iterable[Named]) -> Verdict:
    if not tunnel.pool:
        return skipped(_UNKNOWN)
    found = "; ".join(overlaps(_pool(tunnel), others))
    return findings.POOL_OVERLAP(overlaps=found) if found else passed(text("nothing overlaps"))


@CHECKS.add(
    "bridge-route",
    "Bridges and routes",
    passes=(
        "No bridge of the engine (existing, in `daemon.json`, netavark or CNI files, or the "
        "default) overlaps a route."
    ),
)
def _bridge_route(addresses: AddressFacts) -> Verdict:
    return _bridge(addresses, TunnelFacts(), _routes(addresses))


@CHECKS.add(
    "bridge-dns",
    "Bridges and DNS servers",
    passes="No bridge contains a DNS server of the host or of the clients.",
)
def _bridge_dns(addresses: AddressFacts, tunnel: TunnelFacts) -> Verdict:
    return _bridge(addresses, tunnel, [*_resolvers(addresses), *_servers(tunnel)])


@CHECKS.add("bridge-rules", "Bridges and include rules", passes="No bridge overlaps an include rule.")
def _bridge_rules(addresses: AddressFacts, tunnel: TunnelFacts) -> Verdict:
    rules = [(text("include rule"), item) for item in tunnel.includes]
    return _bridge(addresses, tunnel, rules) if tunnel.source else skipped(_UNKNOWN)


@CHECKS.add("pool-route", "Client pool and routes", passes="The client pool overlaps no route.")
def _pool_route(addresses: AddressFacts, tunnel: TunnelFacts) -> Verdict:
    return _pool_against(tunnel, _routes(addresses))


@CHECKS.add("pool-bridge", "Client pool and bridges", passes="The client pool overlaps no bridge.")
def _pool_bridge(addresses: AddressFacts, tunnel: TunnelFacts) -> Verdict:
    return _pool_against(tunnel, _bridges(addresses))


@CHECKS.add("pool-dns", "Client pool and DNS servers", passes="The client pool contains no DNS server.")
def _pool_dns(addresses: AddressFacts, tunnel: TunnelFacts) -> Verdict:
    return _pool_against(tunnel, [*_resolvers(addresses), *_servers(tunnel)])


@CHECKS.add(
    "resolvers",
    "DNS servers of the host",
    passes="`/etc/resolv.conf` names a DNS server (behind systemd-resolved: its servers).",
)
def _dns(addresses: AddressFacts) -> Verdict:
    if addresses.resolvers:
        return passed(", ".join(addresses.resolvers))
    return findings.RESOLVERS_MISSING()


@CHECKS.add(
    "mtu",
    "MTU of the default route",
    Severity.RECOMMENDED,
    passes="The MTU of the default route's device is 1500 or more.",
)
def _mtu(addresses: AddressFacts) -> Verdict:
    if not addresses.mtu:
        return findings.DEFAULT_ROUTE_MISSING()
    seen = f"{addresses.mtu} on {addresses.device}"
    if addresses.mtu >= _USUAL_MTU:
        return passed(seen)
    if addresses.mtu < _LEAST_MTU:
        return findings.MTU_TOO_SMALL(seen=seen)
    return findings.MTU_UNUSUAL(seen=seen)


@CHECKS.add(
    "ipv6-leak",
    "IPv6 of devices",
    Severity.RECOMMENDED,
    passes=(
        "With a full tunnel: the kernel has IPv6, so that devices send IPv6 into the tunnel, "
        "where it is refused unless the site gives them an IPv6 network."
    ),
)
def _ipv6_leak(addresses: AddressFacts, tunnel: TunnelFacts) -> Verdict:
    """Without IPv6 the gateway's tunnel devices take no IPv6 address, and ocserv then offers none."""
    if not tunnel.source:
        return skipped(_UNKNOWN)
    if tunnel.includes:
        return passed(text("does not apply to a split tunnel"))
    if not addresses.ipv6:
        return findings.IPV6_OFF()
    if tunnel.ipv6_pool:
        return passed(text("enters the full tunnel"))
    return passed(text("enters the full tunnel and is blocked at the gateway"))
