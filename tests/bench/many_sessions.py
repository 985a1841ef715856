"""Many devices: what they carry together, and how soon all are back after a restart, beside `podman run`.

Every device is the real VPN client, which connects again when it is cut off (`devices.py`). Streams of all
DEVICES run at the same time, by each server in turn. Then STORM devices connect, the server is restarted, and
all of them have to come back. The metrics have to count the devices of the gateway soon.
"""

import json
import os
import time
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, Final

from mstunnel_setup.base import paths
from scripts.docs.error_codes import table as markdown
from tests.bench import plain_ocserv
from tests.bench.bar import Bar, bar_of, bars
from tests.bench.commands import on_server
from tests.bench.devices import NETWORK
from tests.bench.gateway import Gateway
from tests.bench.rounds import percentile, ratios, rotated, spread
from tests.testbed.process import TestbedError
from tests.testbed.waiting import eventually

NAME = "sessions"
DEVICES: Final = 16
"""Devices that send or receive at the same time."""
_ROUNDS: Final = 6
_SECONDS: Final = 3
LIMIT: Final = 0.95
"""Share of what `podman run` carries for all devices together."""
STORM: Final = 500
"""Devices that are connected when a server is restarted."""
_STORMS: Final = 3
COUNTED: Final = 15.0
"""Seconds after which the metrics, in the file and when scraped, count a device."""
LATER: Final = 1.1
"""How much later the last device may be back than with `podman run`."""
_PATIENCE: Final = 240.0
_SETTLE: Final = 2.0
_DIRECTIONS: Final = {"up": "upload", "down": "download"}
_PROGRAM: Final = "/root/devices.py"
_END: Final = f"pkill -TERM -f '[p]ython3 {_PROGRAM}'; while pgrep -x openconnect; do sleep 0.2; done"
_RESTARTS: Final = {
    "gateway": ("mstunnel-server", ("systemctl", "restart", "mstunnel-server")),
    "podman-run": (plain_ocserv.CONTAINER, ("podman", "restart", plain_ocserv.CONTAINER)),
}
"""The container of a server, and how it is restarted."""
Rounds = dict[str, dict[str, list[float]]]
"""By server and direction a figure of each round."""


def measure() -> dict[str, Any]:
    """The figures, as JSON data."""
    with Gateway(programs=("devices.py",)) as gateway:
        plain_ocserv.start(gateway.host)
        megabits, busy = _streams(gateway)
        before, memory = _mebibytes(gateway), dict[str, float]()
        storms: dict[str, list[dict[str, float]]] = {}
        counted: list[float] = []
        for name in _RESTARTS:
            _connect_all(gateway, name)
            if name == "gateway":
                counted.append(_seconds_until_counted(gateway))
            memory[name] = _mebibytes(gateway) - before
            storms[name] = [_storm(gateway, name) for _ in range(_STORMS)]
            gateway.client.shell(_END, timeout=60, check=False)
    back = {name: [storm["seconds_until_all_are_back"] for storm in found] for name, found in storms.items()}
    return {
        "what": "many devices: Mbit/s together, percent of all cores busy; a restart with all connected",
        "rounds": _ROUNDS,
        "cores": os.cpu_count(),
        "devices": DEVICES,
        "megabits": _spreads(megabits),
        "busy_percent": _spreads(busy),
        "sessions": STORM,
        "mebibytes_a_session": round(memory["gateway"] / STORM, 2),
        "seconds_until_the_metrics_count_all": counted[0],
        "storms": storms,
        "seconds_until_all_are_back": {name: spread(values, 1) for name, values in back.items()},
        **bars(
            *(
                bar_of(
                    f"{DEVICES} devices, {title}, relative to `podman run`",
                    ratios(megabits["gateway"][way], megabits["podman-run"][way]),
                    LIMIT,
                    at_least=True,
                )
                for way, title in _DIRECTIONS.items()
            ),
            Bar(f"The metrics count {STORM} devices", counted[0], COUNTED, "s"),
            Bar(
                f"Sessions lost of {STORM}, after a restart",
                max(storm["lost"] for storm in storms["gateway"]),
                0,
                "",
            ),
            bar_of(
                f"Last of {STORM} devices back after a restart, relative to `podman restart`",
                ratios(back["gateway"], back["podman-run"]),
                LATER,
            ),
        ),
    }


def _spreads(rounds: Rounds) -> dict[str, dict[str, dict[str, float]]]:
    return {name: {way: spread(values, 1) for way, values in found.items()} for name, found in rounds.items()}


def _streams(gateway: Gateway) -> tuple[Rounds, Rounds]:
    """Mbit/s of all devices together, and how busy the machine was, in percent of all its cores."""
    servers = plain_ocserv.URLS
    for name, url in servers.items():
        gateway.keep_connected(DEVICES, name, "route", url)
    devices = len(servers) * DEVICES
    routes = f"until [ $(ip -4 route show {NETWORK} | wc -l) -ge {devices} ]; do sleep 0.2; done"
    gateway.client.shell(routes, timeout=120)
    megabits: Rounds = {name: {way: [] for way in _DIRECTIONS} for name in servers}
    busy: Rounds = {name: {way: [] for way in _DIRECTIONS} for name in servers}
    for number, way in product(range(_ROUNDS), _DIRECTIONS):
        for name in rotated([*servers], number):
            interfaces = [f"{name}{device}" for device in range(DEVICES)]
            found = gateway.traffic(way, _SECONDS, interfaces)
            megabits[name][way].append(found["megabits"])
            busy[name][way].append(found["busy_percent"])
    gateway.client.shell(_END, timeout=60, check=False)
    return megabits, busy


def _connect_all(gateway: Gateway, name: str) -> None:
    """Connect STORM devices. Raises TestbedError."""
    gateway.keep_connected(STORM, "storm", "none", plain_ocserv.URLS[name])
    container, _ = _RESTARTS[name]
    if not _all_connected(gateway, container):
        found = gateway.sessions(container)
        raise TestbedError(f"{found} of {STORM} devices connected within {_PATIENCE:.0f} s")


def _seconds_until_counted(gateway: Gateway) -> float:
    """Seconds until the file of metrics, which a scrape reads, has all devices. Raises TestbedError."""
    begun = time.monotonic()
    line = f"mstunnel_connections {STORM}\n"
    if not eventually(lambda: line in gateway.server.read(f"{paths.AGENT_STATE}/metrics.prom"), _PATIENCE):
        raise TestbedError(f"the metrics do not count {STORM} devices within {_PATIENCE:.0f} s")
    return round(time.monotonic() - begun, 1)


def _storm(gateway: Gateway, name: str) -> dict[str, float]:
    """Restart a server with STORM connected devices: seconds until all are back, and why so long.

    A device that is back has started its client some time after the restart, and that has connected some time
    later: the last start, the slowest connection, and the 90th percentiles of both.
    """
    container, restart = _RESTARTS[name]
    begun = time.time()
    gateway.server.run(list(restart), timeout=120)
    restarted = time.time() - begun
    _all_connected(gateway, container)
    # The server counts a session a moment before the client notes it.
    time.sleep(_SETTLE)
    devices = json.loads(gateway.client.run(["python3", _PROGRAM, "times", "storm"]).stdout)
    starts = [started - begun for started, _ in devices]
    took = [connected - started for started, connected in devices]
    figures = {
        "seconds_of_the_restart": restarted,
        "seconds_until_all_are_back": max(connected - begun for _, connected in devices),
        "last_client_started_after": max(starts),
        "clients_started_after_90": percentile(starts, 90),
        "slowest_connection": max(took),
        "connection_90": percentile(took, 90),
        "lost": STORM - gateway.sessions(container),
    }
    return {figure: round(value, 2) for figure, value in figures.items()}


def section(figures: Mapping[str, Any]) -> str:
    """The tables of docs/evidence/benchmarks.md: throughput, then a restart in seconds."""
    streams = [
        [
            plain_ocserv.TITLES[name],
            *(
                f"{found[way]['median']:.0f} ({found[way]['least']:.0f} to {found[way]['most']:.0f}) Mbit/s, "
                f"{figures['busy_percent'][name][way]['median']:.0f} %"
                for way in _DIRECTIONS
            ),
        ]
        for name, found in figures["megabits"].items()
    ]
    heads = ("Server", "restarted", "all are back", "the last client was started", "90 % connected within")
    names = (
        *("seconds_of_the_restart", "seconds_until_all_are_back"),
        *("last_client_started_after", "connection_90"),
    )
    restarts = [
        [
            plain_ocserv.TITLES[name],
            *(_cell([storm[figure] for storm in storms]) for figure in names),
        ]
        for name, storms in figures["storms"].items()
    ]
    return f"{markdown(('Server', *_DIRECTIONS.values()), streams)}\n{markdown(heads, restarts)}"


def _cell(values: Sequence[float]) -> str:
    return f"{percentile(values, 50):.1f} ({min(values):.1f} to {max(values):.1f})"


def _mebibytes(gateway: Gateway) -> float:
    """What all processes of the gateway have in memory (proportional set size)."""
    service = "system.slice/mstunnel-server.service"
    found: dict[str, dict[str, float]] = on_server(gateway.host, "rest", [service], 1, timeout=60)
    return found[service]["mean_mib"]


def _all_connected(gateway: Gateway, container: str) -> bool:
    """Whether all STORM devices are connected before the time is over."""
    return eventually(lambda: gateway.sessions(container) >= STORM, _PATIENCE)
