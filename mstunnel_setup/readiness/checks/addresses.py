"""Group `host`, networks: client pool, bridges, routes and DNS servers must not overlap; IPv6 of devices."""

from collections.abc import Iterable, Iterator
from ipaddress import ip_network

from mstunnel_setup.base.text import joined, text
from mstunnel_setup.readiness.checks.utils import chosen_engine
from mstunnel_setup.readiness.facts.host import AddressFacts, KernelFacts, TunnelFacts, ipv6_obstacle
from mstunnel_setup.readiness.facts.parse import Bridge
from mstunnel_setup.readiness.facts.programs import EngineFacts
from mstunnel_setup.readiness.facts.section import Settings
from mstunnel_setup.readiness.model import Checks, Group, Verdict, passed, problem, skipped, warning
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
    """Yield each overlap of two lists of (description, network), named with both sides."""
    others = [(name, network, ip_network(network, strict=False)) for name, network in right]
    for name, own in left:
        network = ip_network(own, strict=False)
        for other, other_text, other_network in others:
            if network.version == other_network.version and network.overlaps(other_network):
                yield text(
                    "{name} {network} and {other} {overlapped}",
                    name=name,
                    network=own,
                    other=other,
                    overlapped=other_text,
                )


def _moved(addresses: AddressFacts, settings: Settings) -> AddressFacts:
    """Return the networks with the engine's bridge in the range of the settings."""
    if not settings.bridge:
        return addresses
    others = tuple(item for item in addresses.bridges if item.name not in ENGINE_BRIDGES)
    gone = {item.network for item in addresses.bridges} - {item.network for item in others}
    name = next((item.name for item in addresses.bridges if item.name in ENGINE_BRIDGES), "bridge")
    routes = tuple(item for item in addresses.routes if item.network not in gone)
    bridge = Bridge(network=settings.bridge, name=name, source="to be")
    return addresses.model_copy(update={"bridges": (*others, bridge), "routes": routes})


def _named(addresses: AddressFacts, tunnel: TunnelFacts) -> dict[str, list[Named]]:
    """Return all networks by kind, each with its description. Addresses count as networks of one."""
    bridges = {item.name for item in addresses.bridges}
    return {
        "bridges": [
            (text("bridge {name} ({source})", name=item.name, source=item.source), item.network)
            for item in addresses.bridges
        ],
        # Routes to a bridge, or to devices of a running gateway, are left out.
        "routes": [
            (text("route via {device}", device=item.device), item.network)
            for item in addresses.routes
            if item.device not in bridges
        ],
        "resolvers": [(text("DNS server"), address) for address in addresses.resolvers],
        "servers": [(text("DNS server for clients"), address) for address in tunnel.dns_servers],
        "pool": [(text("client pool"), tunnel.pool)] if tunnel.pool else [],
        "rules": [(text("include rule"), item) for item in tunnel.includes],
    }


def free_range(addresses: AddressFacts, tunnel: TunnelFacts) -> str:
    """Return a /24 for the bridge that overlaps nothing known here; empty if there is none left."""
    named = _named(addresses, tunnel)
    taken = [item for kind, items in named.items() if kind != "bridges" for item in items]
    candidates = (str(item) for spare in _SPARE for item in ip_network(spare).subnets(new_prefix=24))
    return next((item for item in candidates if not list(overlaps([("", item)], taken))), "")


def _bridge(addresses: AddressFacts, tunnel: TunnelFacts, settings: Settings, *others: str) -> Verdict:
    """Return the verdict on overlaps of a bridge with networks of other kinds."""
    addresses = _moved(addresses, settings)
    named = _named(addresses, tunnel)
    found = joined(overlaps(named["bridges"], [item for kind in others for item in named[kind]]), "; ")
    if not found:
        return passed("nothing overlaps")
    if free := free_range(addresses, tunnel):
        return problem(
            "{overlaps}",
            hint="Move the bridge during installation: set `bridge: {free}` in the answer file; this range "
            "is free here.",
            overlaps=found,
            free=free,
        )
    return problem(
        "{overlaps}",
        hint="Reserve a range of your network for the bridge and set it as `bridge` in the answer file.",
        overlaps=found,
    )


def _pool(addresses: AddressFacts, tunnel: TunnelFacts, settings: Settings, *others: str) -> Verdict:
    """Return the verdict on overlaps of the client pool with networks of other kinds."""
    if not tunnel.pool:
        return skipped(_UNKNOWN)
    named = _named(_moved(addresses, settings), tunnel)
    found = joined(overlaps(named["pool"], [item for kind in others for item in named[kind]]), "; ")
    if not found:
        return passed("nothing overlaps")
    return problem(
        "{overlaps}",
        hint="Choose another range in the server configuration, such as 169.254.0.0/16.",
        overlaps=found,
    )


@CHECKS.add("bridge-route", "Bridges and routes")
def _bridge_route(addresses: AddressFacts, settings: Settings) -> Verdict:
    """No bridge of the engine (existing, in `daemon.json`, netavark or CNI files, or the default) overlaps a
    route.

    Addresses in both ranges lead to the bridge, so devices cannot reach that part of your network.
    """
    return _bridge(addresses, TunnelFacts(), settings, "routes")


@CHECKS.add("bridge-dns", "Bridges and DNS servers")
def _bridge_dns(addresses: AddressFacts, tunnel: TunnelFacts, settings: Settings) -> Verdict:
    """No bridge contains a DNS server of the host or of the clients.

    Packets to that DNS server would stay on the bridge: names would not resolve.
    """
    return _bridge(addresses, tunnel, settings, "resolvers", "servers")


@CHECKS.add("bridge-rules", "Bridges and include rules")
def _bridge_rules(addresses: AddressFacts, tunnel: TunnelFacts, settings: Settings) -> Verdict:
    """No bridge overlaps an include rule.

    Packets of devices to that range would stay on the bridge and reach nothing.
    """
    return _bridge(addresses, tunnel, settings, "rules") if tunnel.source else skipped(_UNKNOWN)


@CHECKS.add("pool-route", "Client pool and routes")
def _pool_route(addresses: AddressFacts, tunnel: TunnelFacts, settings: Settings) -> Verdict:
    """The client pool overlaps no route.

    Replies to devices would take the route instead of the tunnel.
    """
    return _pool(addresses, tunnel, settings, "routes")


@CHECKS.add("pool-bridge", "Client pool and bridges")
def _pool_bridge(addresses: AddressFacts, tunnel: TunnelFacts, settings: Settings) -> Verdict:
    """The client pool overlaps no bridge.

    Replies to devices would go to the bridge instead of the tunnel.
    """
    return _pool(addresses, tunnel, settings, "bridges")


@CHECKS.add("pool-dns", "Client pool and DNS servers")
def _pool_dns(addresses: AddressFacts, tunnel: TunnelFacts) -> Verdict:
    """The client pool contains no DNS server.

    Packets to that DNS server would go into the tunnel: names would not resolve.
    """
    return _pool(addresses, tunnel, Settings(), "resolvers", "servers")


@CHECKS.add("resolvers", "DNS servers of the host")
def _dns(addresses: AddressFacts) -> Verdict:
    """`/etc/resolv.conf` names a DNS server (behind systemd-resolved: its servers).

    Without a DNS server neither the tenant nor the image registry can be found.
    """
    if addresses.resolvers:
        return passed(", ".join(addresses.resolvers))
    return problem(
        "/etc/resolv.conf has no DNS server",
        hint="Add the DNS servers of your network: `nameserver ADDRESS`.",
    )


@CHECKS.add("mtu", "MTU of the default route", "recommended")
def _mtu(addresses: AddressFacts) -> Verdict:
    """The MTU of the default route's device is 1500 or more.

    Large packets of the tunnel are cut or dropped: small pages load, large ones stall.
    """
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


@CHECKS.add("ipv6-leak", "IPv6 of devices", "recommended")
def _ipv6_leak(addresses: AddressFacts, tunnel: TunnelFacts) -> Verdict:
    """With a full tunnel: the kernel has IPv6, so that devices send IPv6 into the tunnel, where it is refused
    unless the site gives them an IPv6 network.

    With a full tunnel, IPv6 traffic would bypass the tunnel, and your network would not see it.
    """
    # Without IPv6 the gateway's tunnel devices take no IPv6 address, and ocserv then offers none.
    if not tunnel.source:
        return skipped(_UNKNOWN)
    if tunnel.includes:
        return passed("does not apply to a split tunnel")
    if not addresses.ipv6:
        return warning(
            "this kernel has no IPv6: devices get no IPv6 address and may send IPv6 outside the tunnel",
            hint="Boot without `ipv6.disable=1`; the host itself needs no IPv6 address.",
        )
    if tunnel.ipv6_pool:
        return passed("enters the full tunnel")
    return passed("enters the full tunnel and is blocked at the gateway")


@CHECKS.add("ipv6-network", "IPv6 for devices", "recommended")
def _ipv6_network(
    addresses: AddressFacts, tunnel: TunnelFacts, engine: EngineFacts, kernel: KernelFacts, settings: Settings
) -> Verdict:
    """With an IPv6 network for devices: Podman with netavark runs as root here, and the host has an IPv6
    address that is not link-local, and forwards IPv6.

    Devices would send the included IPv6 traffic into the tunnel, and the gateway would refuse it.
    """
    if not tunnel.source:
        return skipped(_UNKNOWN)
    if not tunnel.ipv6_pool:
        return passed("the site gives devices no IPv6 network")
    chosen = chosen_engine(settings, engine)
    name = chosen.name if chosen else ""
    if reason := ipv6_obstacle(addresses, settings.mode, name):
        return warning(
            "devices get addresses of {pool} that lead nowhere: {reason}",
            hint="`mst-cli help ipv6` lists what the gateway needs; until then it rejects IPv6 traffic of "
            "devices.",
            pool=tunnel.ipv6_pool,
            reason=reason,
        )
    if kernel.sysctls.get(FORWARD_6) != "1":
        return warning(
            "net.ipv6.conf.all.forwarding is {value}",
            hint="Run mstunnel-setup again: it sets this, and keeps the routes that routers advertise.",
            value=kernel.sysctls.get(FORWARD_6, "unknown"),
        )
    return passed("devices get addresses of {ipv6_pool}", ipv6_pool=tunnel.ipv6_pool)
