"""What agent, monitor and the engine's service use while nothing happens."""

import time
from typing import Any, Final

from tests.bench.bar import Bar, bars
from tests.bench.commands import on_server
from tests.testbed.installation import Installation
from tests.testbed.testbed import Testbed

NAME = "at-rest"
_SETTLE: Final = 120.0
_SECONDS: Final = 240.0
MEBIBYTES: Final = 90.0
"""Proportional set size of the three together, on average."""
PERCENT: Final = 0.5
"""Of one core, the three together."""
_SERVICES: Final = ("mstunnel-agent.service", "mstunnel_monitor.service", "podman.service")


def measure() -> dict[str, Any]:
    """The figures, as JSON data."""
    with Testbed() as testbed:
        host = Installation(testbed, testbed.start_registry().references)
        host.prepare()
        host.setup()
        host.await_verdict()
        host.wait_until_healthy()
        time.sleep(_SETTLE)
        services = on_server(host, "rest", _SERVICES, _SECONDS, timeout=_SECONDS + 60)
    memory = round(sum(found["mean_mib"] for found in services.values()), 1)
    percent = round(sum(found["percent_of_a_core"] for found in services.values()), 3)
    return {
        "what": "agent, monitor and the engine's service at rest",
        "seconds": _SECONDS,
        "services": services,
        **bars(
            Bar("Agent, monitor and Podman's service at rest, memory", memory, MEBIBYTES, "MiB"),
            Bar("The same, of a core", percent, PERCENT, "%"),
        ),
    }
