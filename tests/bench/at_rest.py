"""What everything on a host uses for its gateway while nothing happens, without and with a connected device.

Two servers, one for each of both, at the same time; beside each the same image by `podman run`.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from scripts.docs.error_codes import table as markdown
from tests.bench import plain_ocserv
from tests.bench.bar import Bar, bars
from tests.bench.commands import on_server
from tests.testbed.installation import Installation

NAME = "at-rest"
_SETTLE: Final = 90.0
_SECONDS: Final = 600.0
MEBIBYTES: Final = 90.0
"""Proportional set size of agent and monitor together, on average."""
PERCENT: Final = 0.6
"""Of one core, everything that systemd runs on the host: health checks and their units too."""
_ALL: Final = "system.slice"
_PODMAN_RUN: Final = "machine.slice"
_SERVER: Final = f"{_ALL}/mstunnel-server.service"
_AGENT_AND_MONITOR: Final = (f"{_ALL}/mstunnel-agent.service", f"{_ALL}/mstunnel_monitor.service")
_OTHERS: Final = (*_AGENT_AND_MONITOR, f"{_ALL}/podman.service")
_NAMES: Final = {
    _ALL: "all services of the host",
    _SERVER: "gateway",
    **dict(zip(_OTHERS, ("agent", "monitor", "Podman's service"), strict=True)),
    _PODMAN_RUN: plain_ocserv.TITLES["podman-run"],
}


def measure(seconds: float = _SECONDS) -> dict[str, Any]:
    """The figures, as JSON data; both states are watched for so many seconds."""
    with Installation.booted() as one, Installation.booted() as other, ThreadPoolExecutor() as both:
        hosts = {"without a device": one, "with a device": other}
        for host in hosts.values():
            host.setup()
            host.await_verdict()
            host.wait_until_healthy()
            plain_ocserv.start(host)
        other.connect()
        time.sleep(_SETTLE)
        watched = {
            state: both.submit(on_server, host, "rest", [*_NAMES], seconds, seconds + 60)
            for state, host in hosts.items()
        }
        found = {state: future.result() for state, future in watched.items()}
    alone = found["without a device"]
    memory = round(sum(alone[name]["mean_mib"] for name in _AGENT_AND_MONITOR), 1)
    return {
        "what": "everything that the host runs for the gateway, at rest",
        "seconds": seconds,
        "services": found,
        **bars(
            Bar("Agent and monitor at rest, memory", memory, MEBIBYTES, "MiB"),
            *(
                Bar(
                    f"All services of the host at rest, {state}, share of a core",
                    services[_ALL]["percent_of_a_core"],
                    PERCENT,
                    "%",
                )
                for state, services in found.items()
            ),
        ),
    }


def section(figures: dict[str, Any]) -> str:
    """The table of docs/evidence/benchmarks.md: a row for each service, and one for short-lived units."""
    states = figures["services"]
    percents = {
        name: [services[key]["percent_of_a_core"] for services in states.values()]
        for key, name in _NAMES.items()
    }
    whole, *parts, _ = percents.values()
    percents["health checks, systemd's own services"] = [
        all_of - sum(rest) for all_of, *rest in zip(whole, *parts, strict=True)
    ]
    rows = [[name, *(f"{value:.2f} %" for value in values)] for name, values in percents.items()]
    memory = {name: states["without a device"][key]["mean_mib"] for key, name in _NAMES.items()}
    for row in rows:
        row.append(f"{memory[row[0]]:.0f} MiB" if row[0] in memory else "")
    return markdown(("What", *(f"{state}, share of a core" for state in states), "memory"), rows)
