"""Group `host`, networks: client pool, bridges, routes, DNS servers and rules must not overlap."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network

from mstunnel_setup.readiness.facts import AddressFacts, TunnelFacts
from mstunnel_setup.readiness.model import (
    Check,
    Group,
    Severity,
    Verdict,
    check,
    passed,
    problem,
    skipped,
    warning,
)

_MOVE_BRIDGE = (
    "Move the bridge during installation: set `bridge: {free}` in the answer file; this range is free here."
)
_NO_RANGE = "Reserve a range of your network for the bridge and set it as `bridge` in the answer file."
_SPARE = ("192.168.240.0/20", "172.30.0.0/16", "10.250.0.0/16", "100.127.0.0/16")
_MOVE_POOL = "Choose another range in the server configuration, such as 169.254.0.0/16."
_UNKNOWN = "the server configuration is not known yet"
_LEAST_MTU = 1280
_USUAL_MTU = 1500
# The names that ocserv gives its devices.
_TUNNELS = ("vpns", "tun")

Named = tuple[str, str]


def overlaps(left: Iterable[Named], right: Iterable[Named]) -> Iterator[str]:
    """Each overlap of two lists of (what it is, network), named with both sides."""
    others = [(name, network, ip_network(network, strict=False)) for name, network in right]
    for name, text in left:
        network = ip_network(text, strict=False)
        for other, other_text, other_network in others:
            if _overlap(network, other_network):
                yield f"{name} {text} and {other} {other_text}"


def _overlap(left: IPv4Network | IPv6Network, right: IPv4Network | IPv6Network) -> bool:
    if isinstance(left, IPv4Network) and isinstance(right, IPv4Network):
        return left.overlaps(right)
    return isinstance(left, IPv6Network) and isinstance(right, IPv6Network) and left.overlaps(right)


def _bridges(addresses: AddressFacts) -> list[Named]:
    return [(f"bridge {item.name} ({item.source})", item.network) for item in addresses.bridges]


def _routes(addresses: AddressFacts) -> list[Named]:
    """Routes of the host that lead elsewhere than to a bridge, or to devices of a running gateway."""
    names = {item.name for item in addresses.bridges}
    return [
        (f"route via {item.device}", item.network) for item in addresses.routes if item.device not in names
    ]


def _resolvers(addresses: AddressFacts) -> list[Named]:
    return [("DNS server", address) for address in addresses.resolvers]


def _pool(tunnel: TunnelFacts) -> list[Named]:
    return [("client pool", tunnel.pool)] if tunnel.pool else []


def _servers(tunnel: TunnelFacts) -> list[Named]:
    return [("DNS server for clients", address) for address in tunnel.dns_servers]


def free_range(addresses: AddressFacts, tunnel: TunnelFacts) -> str:
    """A /24 for the bridge that nothing known here overlaps; empty when there is none left."""
    rules = [("include rule", item) for item in tunnel.includes]
    taken = [*_routes(addresses), *_resolvers(addresses), *_servers(tunnel), *_pool(tunnel), *rules]
    candidates = (str(item) for spare in _SPARE for item in ip_network(spare).subnets(new_prefix=24))
    return next((item for item in candidates if not list(overlaps([("", item)], taken))), "")


def _move(addresses: AddressFacts, tunnel: TunnelFacts) -> str:
    free = free_range(addresses, tunnel)
    return _MOVE_BRIDGE.format(free=free) if free else _NO_RANGE


def _judged(left: Iterable[Named], right: Iterable[Named], hint: str) -> Verdict:
    found = list(overlaps(left, right))
    return problem("; ".join(found), hint) if found else passed("nothing overlaps")


@check("bridge-route", Group.HOST, "Bridges and routes")
def _bridge_route(addresses: AddressFacts) -> Verdict:
    return _judged(_bridges(addresses), _routes(addresses), _move(addresses, TunnelFacts()))


@check("bridge-dns", Group.HOST, "Bridges and DNS servers")
def _bridge_dns(addresses: AddressFacts, tunnel: TunnelFacts) -> Verdict:
    return _judged(_bridges(addresses), [*_resolvers(addresses), *_servers(tunnel)], _move(addresses, tunnel))


@check("bridge-rules", Group.HOST, "Bridges and include rules")
def _bridge_rules(addresses: AddressFacts, tunnel: TunnelFacts) -> Verdict:
    if not tunnel.source:
        return skipped(_UNKNOWN)
    rules = [("include rule", item) for item in tunnel.includes]
    return _judged(_bridges(addresses), rules, _move(addresses, tunnel))


@check("pool-route", Group.HOST, "Client pool and routes")
def _pool_route(addresses: AddressFacts, tunnel: TunnelFacts) -> Verdict:
    return _judged(_pool(tunnel), _routes(addresses), _MOVE_POOL) if tunnel.pool else skipped(_UNKNOWN)


@check("pool-bridge", Group.HOST, "Client pool and bridges")
def _pool_bridge(addresses: AddressFacts, tunnel: TunnelFacts) -> Verdict:
    return _judged(_pool(tunnel), _bridges(addresses), _MOVE_POOL) if tunnel.pool else skipped(_UNKNOWN)


@check("pool-dns", Group.HOST, "Client pool and DNS servers")
def _pool_dns(addresses: AddressFacts, tunnel: TunnelFacts) -> Verdict:
    if not tunnel.pool:
        return skipped(_UNKNOWN)
    return _judged(_pool(tunnel), [*_resolvers(addresses), *_servers(tunnel)], _MOVE_POOL)


@check("resolvers", Group.HOST, "DNS servers of the host")
def _dns(addresses: AddressFacts) -> Verdict:
    if addresses.resolvers:
        return passed(", ".join(addresses.resolvers))
    return problem(
        "/etc/resolv.conf has no DNS server",
        "Add the DNS servers of your network: `nameserver ADDRESS`.",
    )


@check("mtu", Group.HOST, "MTU of the default route", Severity.RECOMMENDED)
def _mtu(addresses: AddressFacts) -> Verdict:
    if not addresses.mtu:
        return warning("there is no default route", "Add one; `ip route` shows the routes.")
    seen = f"{addresses.mtu} on {addresses.device}"
    if addresses.mtu >= _USUAL_MTU:
        return passed(seen)
    if addresses.mtu < _LEAST_MTU:
        return problem(f"{seen}: too small for IPv6 through the tunnel", f"Raise it to {_LEAST_MTU} or more.")
    return problem(
        f"{seen}: less than the usual {_USUAL_MTU}",
        "Usual in clouds. If large pages stall in the tunnel, set `mtu` in the server configuration.",
    )


@check("ipv6-leak", Group.HOST, "IPv6 of devices", Severity.RECOMMENDED)
def _ipv6_leak(addresses: AddressFacts, tunnel: TunnelFacts) -> Verdict:
    """Without IPv6 the gateway's tunnel devices take no IPv6 address, and ocserv then offers none."""
    if not tunnel.source:
        return skipped(_UNKNOWN)
    if tunnel.includes:
        return passed("does not apply to a split tunnel")
    if not addresses.ipv6:
        return warning(
            "this kernel has no IPv6: devices get no IPv6 address and may send IPv6 outside the tunnel",
            "Boot without `ipv6.disable=1`; the host itself needs no IPv6 address.",
        )
    return passed("enters the full tunnel and is blocked at the gateway")


CHECKS: tuple[Check, ...] = (
    _bridge_route,
    _bridge_dns,
    _bridge_rules,
    _pool_route,
    _pool_bridge,
    _pool_dns,
    _dns,
    _mtu,
    _ipv6_leak,
)
