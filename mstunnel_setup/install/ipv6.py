"""Whether the gateway of this host gets IPv6, as `kernel` and `launch` prepare it, or Docker's proxy."""

from mstunnel_setup.install.context import Context
from mstunnel_setup.install.readiness_input import engine_name
from mstunnel_setup.readiness.checks.ipv6 import obstacle
from mstunnel_setup.readiness.facts import Settings
from mstunnel_setup.readiness.read.host import HostReader


def reaches_gateway(context: Context) -> bool:
    """Whether the host has IPv6, and its container engine can give it to the gateway."""
    reader = HostReader(context.ports.files, context.ports.clock, Settings(), {})
    engine = engine_name(context)
    return not obstacle(reader.addresses(), context.answers.mode, engine, reader.network_backend())


def hides_senders(context: Context) -> bool:
    """Whether Docker's own proxy takes IPv6 here: to the gateway each connection then comes from the host.

    A link-local address is enough, so a host without other ones is no exception.
    """
    found = HostReader(context.ports.files, context.ports.clock, Settings(), {}).addresses()
    return engine_name(context) == "docker" and found.ipv6 and not found.ipv6_disabled
