"""Group `host`: whether the gateway can carry the IPv6 that the site gives to devices."""

from mstunnel_setup.base.text import text
from mstunnel_setup.readiness.checks.utils import chosen_engine
from mstunnel_setup.readiness.facts import (
    AddressFacts,
    EngineFacts,
    KernelFacts,
    Settings,
    TunnelFacts,
)
from mstunnel_setup.readiness.model import Checks, Group, Requirement, Verdict, passed, skipped, warning
from mstunnel_setup.readiness.sysctls import FORWARD_6

CHECKS = Checks(Group.HOST)


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
