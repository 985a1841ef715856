"""What the gateway's services use while nothing happens, without and with a connected device."""

import time
from typing import Any, Final

from tests.bench.bar import Bar, bars
from tests.bench.commands import on_server
from tests.testbed.installation import Installation
from tests.testbed.testbed import Testbed

NAME = "at-rest"
_SETTLE: Final = 120.0
_SECONDS: Final = 600.0
MEBIBYTES: Final = 125.0
"""Proportional set size of agent, monitor and the engine's service together, on average."""
PERCENT: Final = 0.6
"""Of one core, everything that systemd runs on the host: health checks and their units too."""
_SERVICES: Final = ("mstunnel-agent.service", "mstunnel_monitor.service", "podman.service")
_ALL: Final = "."
"""The slice of all services."""


def measure(seconds: float = _SECONDS) -> dict[str, Any]:
    """The figures, as JSON data; each state is watched for so many seconds."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    with Testbed() as testbed:
        host = Installation(testbed, testbed.start_registry().references)
        host.prepare()
        host.setup()
        host.await_verdict()
        host.wait_until_healthy()
        for state in ("without a device", "with a device"):
            if state == "with a device":
                host.connect()
            time.sleep(_SETTLE)
            names = (*_SERVICES, "mstunnel-server.service", _ALL)
            found[state] = on_server(host, "rest", names, seconds, timeout=seconds + 60)
    alone = found["without a device"]
    memory = round(sum(alone[name]["mean_mib"] for name in _SERVICES), 1)
    percent = {state: services[_ALL]["percent_of_a_core"] for state, services in found.items()}
    return {
        "what": "everything that the host runs for the gateway, at rest",
        "seconds": seconds,
        "services": found,
        **bars(
            Bar("Agent, monitor and Podman's service at rest, memory", memory, MEBIBYTES, "MiB"),
            *(
                Bar(f"All services of the host at rest, {state}, of a core", value, PERCENT, "%")
                for state, value in percent.items()
            ),
        ),
    }
