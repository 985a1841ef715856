"""Group `host`, networks: client pool, bridges, routes and DNS servers must not overlap; IPv6 of devices."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network

from mstunnel_setup.base.text import text
from mstunnel_setup.readiness.checks.utils import chosen_engine
from mstunnel_setup.readiness.facts.host import AddressFacts, KernelFacts, TunnelFacts
from mstunnel_setup.readiness.facts.parse import Bridge
from mstunnel_setup.readiness.facts.programs import EngineFacts
from mstunnel_setup.readiness.facts.section import Settings
from mstunnel_setup.readiness.model import (
    Checks,
    Group,
    Requirement,
    Verdict,
    passed,
    problem,
    skipped,
    warning,
)
from mstunnel_setup.readiness.sysctls import FORWARD_6

CHECKS = Checks(Group.HOST)

_SPARE = ("192.168.240.0/20", "172.30.0.0/16", "10.250.0.0/16", "100.127.0.0/16")
_UNKNOWN = text("the server configuration is not known yet")
_LEAST_MTU = 1280
_USUAL_MTU = 1500

ENGINE_BRIDGES = ("docker0", "podman0", "cni-podman0")
"""The bridges that `Settings.bridge` moves."""

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


def _moved(addresses: AddressFacts, settings: Settings) -> AddressFacts:
    """The networks once the engine's bridge has the range that the settings name."""
    if not settings.bridge:
        return addresses
    others = tuple(item for item in addresses.bridges if item.name not in ENGINE_BRIDGES)
    gone = {item.network for item in addresses.bridges} - {item.network for item in others}
    name = next((item.name for item in addresses.bridges if item.name in ENGINE_BRIDGES), "bridge")
    routes = tuple(item for item in addresses.routes if item.network not in gone)
    bridge = Bridge(network=settings.bridge, name=name, source="to be")
    return addresses.model_copy(update={"bridges": (*others, bridge), "routes": routes})


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
        return problem(
            "{overlaps}",
            hint=(
                "Move the bridge during installation: set `bridge: {free}` in the answer file; this range "
                "is free here."
            ),
            overlaps=found,
            free=free,
        )
    return problem(
        "{overlaps}",
        hint="Reserve a range of your network for the bridge and set it as `bridge` in the answer file.",
        overlaps=found,
    )


def _pool_against(tunnel: TunnelFacts, others: Iterable[Named]) -> Verdict:
    if not tunnel.pool:
        return skipped(_UNKNOWN)
    found = "; ".join(overlaps(_pool(tunnel), others))
    return (
        problem(
            "{overlaps}",
            hint="Choose another range in the server configuration, such as 169.254.0.0/16.",
            overlaps=found,
        )
        if found
        else passed(text("nothing overlaps"))
    )


@CHECKS.add(
    "bridge-route",
    "Bridges and routes",
    passes=(
        "No bridge of the engine (existing, in `daemon.json`, netavark or CNI files, or the "
        "default) overlaps a route."
    ),
    why="Addresses in both ranges lead to the bridge, so devices cannot reach that part of your network.",
)
def _bridge_route(addresses: AddressFacts, settings: Settings) -> Verdict:
    addresses = _moved(addresses, settings)
    return _bridge(addresses, TunnelFacts(), _routes(addresses))


@CHECKS.add(
    "bridge-dns",
    "Bridges and DNS servers",
    passes="No bridge contains a DNS server of the host or of the clients.",
    why="Packets to that DNS server would stay on the bridge: names would not resolve.",
)
def _bridge_dns(addresses: AddressFacts, tunnel: TunnelFacts, settings: Settings) -> Verdict:
    addresses = _moved(addresses, settings)
    return _bridge(addresses, tunnel, [*_resolvers(addresses), *_servers(tunnel)])


@CHECKS.add(
    "bridge-rules",
    "Bridges and include rules",
    passes="No bridge overlaps an include rule.",
    why="Packets of devices to that range would stay on the bridge and reach nothing.",
)
def _bridge_rules(addresses: AddressFacts, tunnel: TunnelFacts, settings: Settings) -> Verdict:
    rules = [(text("include rule"), item) for item in tunnel.includes]
    return _bridge(_moved(addresses, settings), tunnel, rules) if tunnel.source else skipped(_UNKNOWN)


@CHECKS.add(
    "pool-route",
    "Client pool and routes",
    passes="The client pool overlaps no route.",
    why="Answers to devices would take the route instead of the tunnel.",
)
def _pool_route(addresses: AddressFacts, tunnel: TunnelFacts, settings: Settings) -> Verdict:
    return _pool_against(tunnel, _routes(_moved(addresses, settings)))


@CHECKS.add(
    "pool-bridge",
    "Client pool and bridges",
    passes="The client pool overlaps no bridge.",
    why="Answers to devices would go to the bridge instead of the tunnel.",
)
def _pool_bridge(addresses: AddressFacts, tunnel: TunnelFacts, settings: Settings) -> Verdict:
    return _pool_against(tunnel, _bridges(_moved(addresses, settings)))


@CHECKS.add(
    "pool-dns",
    "Client pool and DNS servers",
    passes="The client pool contains no DNS server.",
    why="Packets to that DNS server would go into the tunnel: names would not resolve.",
)
def _pool_dns(addresses: AddressFacts, tunnel: TunnelFacts) -> Verdict:
    return _pool_against(tunnel, [*_resolvers(addresses), *_servers(tunnel)])


@CHECKS.add(
    "resolvers",
    "DNS servers of the host",
    passes="`/etc/resolv.conf` names a DNS server (behind systemd-resolved: its servers).",
    why="Without a DNS server neither the tenant nor the image registry can be found.",
)
def _dns(addresses: AddressFacts) -> Verdict:
    if addresses.resolvers:
        return passed(", ".join(addresses.resolvers))
    return problem(
        "/etc/resolv.conf has no DNS server",
        hint="Add the DNS servers of your network: `nameserver ADDRESS`.",
    )


@CHECKS.add(
    "mtu",
    "MTU of the default route",
    Requirement.RECOMMENDED,
    passes="The MTU of the default route's device is 1500 or more.",
    why="Large packets of the tunnel are cut or dropped: small pages load, large ones stall.",
)
def _mtu(addresses: AddressFacts) -> Verdict:
    if not addresses.mtu:
        return warning("there is no default route", hint="Add one; `ip route` shows the routes.")
    seen = f"{addresses.mtu} on {addresses.device}"
    if addresses.mtu >= _USUAL_MTU:
        return passed(seen)
    if addresses.mtu < _LEAST_MTU:
        return problem(
            "{seen}: too small for IPv6 through the tunnel", hint="Raise it to 1280 or more.", seen=seen
        )
    return problem(
        "{seen}: less than the usual 1500",
        hint="Usual in clouds. If large pages stall in the tunnel, set `mtu` in the server configuration.",
        seen=seen,
    )


@CHECKS.add(
    "ipv6-leak",
    "IPv6 of devices",
    Requirement.RECOMMENDED,
    passes=(
        "With a full tunnel: the kernel has IPv6, so that devices send IPv6 into the tunnel, "
        "where it is refused unless the site gives them an IPv6 network."
    ),
    why="With a full tunnel, IPv6 traffic would bypass the tunnel, and your network would not see it.",
)
def _ipv6_leak(addresses: AddressFacts, tunnel: TunnelFacts) -> Verdict:
    """Without IPv6 the gateway's tunnel devices take no IPv6 address, and ocserv then offers none."""
    if not tunnel.source:
        return skipped(_UNKNOWN)
    if tunnel.includes:
        return passed(text("does not apply to a split tunnel"))
    if not addresses.ipv6:
        return warning(
            "this kernel has no IPv6: devices get no IPv6 address and may send IPv6 outside the tunnel",
            hint="Boot without `ipv6.disable=1`; the host itself needs no IPv6 address.",
        )
    if tunnel.ipv6_pool:
        return passed(text("enters the full tunnel"))
    return passed(text("enters the full tunnel and is blocked at the gateway"))


def obstacle(addresses: AddressFacts, mode: str, engine: str, backend: str) -> str:
    """Why the gateway gets no IPv6 on this host; empty where it does.

    `engine` is the name of the container engine, `backend` what makes its networks.
    """
    if not addresses.ipv6:
        return text("this kernel has no IPv6")
    if addresses.ipv6_disabled:
        return text("net.ipv6.conf.all.disable_ipv6 is 1")
    if not addresses.ipv6_addresses:
        return text("this host has only link-local IPv6 addresses")
    if mode == "rootless":
        return text("a gateway without root gets none")
    if (engine, backend) != ("podman", "netavark"):
        return text("only Podman with netavark gives it to the gateway")
    return ""


def without_ipv6(settings: Settings, addresses: AddressFacts, engine: EngineFacts) -> str:
    """As `obstacle`, with the engine that an installation would use."""
    chosen = chosen_engine(settings, engine)
    return obstacle(addresses, settings.mode, chosen.name if chosen else "", engine.network_backend)


@CHECKS.add(
    "ipv6-network",
    "IPv6 for devices",
    Requirement.RECOMMENDED,
    passes=(
        "With an IPv6 network for devices: Podman with netavark runs as root here, and the host has an IPv6 "
        "address that is not link-local, and forwards IPv6."
    ),
    why="Devices would send the included IPv6 traffic into the tunnel, and the gateway would refuse it.",
)
def _ipv6_network(
    addresses: AddressFacts, tunnel: TunnelFacts, engine: EngineFacts, kernel: KernelFacts, settings: Settings
) -> Verdict:
    if not tunnel.source:
        return skipped(text("the server configuration is not known yet"))
    if not tunnel.ipv6_pool:
        return passed(text("the site gives devices no IPv6 network"))
    if reason := without_ipv6(settings, addresses, engine):
        return warning(
            "devices get addresses of {pool} that lead nowhere: {reason}",
            hint="`mst-cli help ipv6` says what the gateway needs; until then it refuses IPv6 of devices.",
            pool=tunnel.ipv6_pool,
            reason=reason,
        )
    if kernel.sysctls.get(FORWARD_6) != "1":
        return warning(
            "net.ipv6.conf.all.forwarding is {value}",
            hint="Run mstunnel-setup again: it sets this, and keeps the routes that routers advertise.",
            value=kernel.sysctls.get(FORWARD_6, "unknown"),
        )
    return passed(text("devices get addresses of {ipv6_pool}", ipv6_pool=tunnel.ipv6_pool))
