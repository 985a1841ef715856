"""Whether the gateway of this host gets IPv6: the steps `kernel` and `launch` then prepare for it."""

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
