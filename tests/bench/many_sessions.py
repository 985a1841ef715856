"""Many devices at a gateway: what they carry together beside ocserv on the host, and a restart with 500.

Every device is the real VPN client, which connects again when it is cut off (`devices.py`). Streams of 1 to
16 of them run at the same time, by the gateway and by ocserv on the host in turn. Then 500 devices connect,
the gateway is restarted, and all of them have to come back.
"""

import os
import time
from collections.abc import Mapping
from itertools import product
from typing import Any, Final

from tests.bench import plain_ocserv
from tests.bench.bar import Bar, bars
from tests.bench.commands import on_server
from tests.bench.devices import NETWORK
from tests.bench.gateway import AUTHORITY, TOKEN, URL, Gateway
from tests.bench.rounds import medians
from tests.testbed.process import TestbedError

NAME = "sessions"
COUNTS: Final = (1, 2, 4, 8, 16)
"""Devices that send or receive at the same time."""
_ROUNDS: Final = 2
_SECONDS: Final = 4
LIMIT: Final = 0.95
"""Share of what ocserv on the host carries for all devices together, at its best number of them."""
STORM: Final = 500
"""Devices that are connected when the gateway is restarted."""
_PATIENCE: Final = 240.0
_SERVED: Final = {"gateway": URL, "plain": plain_ocserv.URL}
_DIRECTIONS: Final = ("up", "down")
_PROGRAM: Final = "/root/devices.py"
_END: Final = f"pkill -TERM -f '[p]ython3 {_PROGRAM}'; while pgrep -x openconnect; do sleep 0.2; done"
Point = dict[str, float]
Curve = dict[int, Point]


def measure() -> dict[str, Any]:
    """The figures, as JSON data."""
    with Gateway(programs=("devices.py",)) as gateway:
        plain_ocserv.start(gateway.host)
        curves = _curves(gateway)
        storm = _storm(gateway)
    best = {name: {way: most(curve) for way, curve in found.items()} for name, found in curves.items()}
    ratio = {way: round(best["gateway"][way] / best["plain"][way], 2) for way in _DIRECTIONS}
    return {
        "what": "many devices at once: Mbit/s together, percent of all cores busy; a restart with 500",
        "rounds": _ROUNDS,
        "cores": os.cpu_count(),
        "curves": curves,
        "most_megabits": best,
        "of_plain": ratio,
        "storm": storm,
        **bars(
            *(
                Bar(f"Many devices, {way}, of ocserv on the host", ratio[way], LIMIT, "", at_least=True)
                for way in _DIRECTIONS
            ),
            Bar(f"Sessions lost of {STORM}, after a restart", storm["lost"], 0, ""),
        ),
    }


def most(curve: Mapping[int, Mapping[str, float]]) -> float:
    """The Mbit/s at the best number of devices."""
    return max(point["megabits"] for point in curve.values())


def _curves(gateway: Gateway) -> dict[str, dict[str, Curve]]:
    """By server and direction: Mbit/s and busy percent by the number of devices."""
    for name, url in _SERVED.items():
        _start(gateway, max(COUNTS), name, "route", url)
    devices = len(_SERVED) * max(COUNTS)
    routes = f"until [ $(ip -4 route show {NETWORK} | wc -l) -ge {devices} ]; do sleep 0.2; done"
    gateway.client.shell(routes, timeout=120)
    found: dict[tuple[str, str, int], dict[str, list[float]]] = {}
    for _, count, way, name in product(range(_ROUNDS), COUNTS, _DIRECTIONS, _SERVED):
        interfaces = [f"{name}{number}" for number in range(count)]
        for figure, value in gateway.traffic(way, _SECONDS, interfaces).items():
            found.setdefault((name, way, count), {}).setdefault(figure, []).append(value)
    gateway.client.shell(_END, timeout=60, check=False)
    return {
        name: {way: {count: medians(found[name, way, count]) for count in COUNTS} for way in _DIRECTIONS}
        for name in _SERVED
    }


def _storm(gateway: Gateway) -> dict[str, float]:
    """Connect STORM devices and restart the gateway; what a session takes, and how many did not come back."""
    before = _mebibytes(gateway)
    _start(gateway, STORM, "storm", "none", URL)
    connected = _await_sessions(gateway)
    if gateway.sessions() < STORM:
        raise TestbedError(f"{gateway.sessions()} of {STORM} devices connected within {connected:.0f} s")
    memory = _mebibytes(gateway) - before
    gateway.server.run(["systemctl", "restart", "mstunnel-server"], timeout=120)
    again = _await_sessions(gateway)
    return {
        "sessions": STORM,
        "seconds_until_all_are_connected": round(connected, 1),
        "seconds_until_all_are_back": round(again, 1),
        "mebibytes_a_session": round(memory / STORM, 2),
        "lost": STORM - gateway.sessions(),
    }


def _mebibytes(gateway: Gateway) -> float:
    """What all processes of the gateway have in memory (proportional set size)."""
    service = "mstunnel-server.service"
    found: dict[str, dict[str, float]] = on_server(gateway.host, "rest", [service], 1, timeout=60)
    return found[service]["mean_mib"]


def _start(gateway: Gateway, count: int, name: str, script: str, url: str) -> None:
    options = ("--http-auth=Bearer", "--token-mode=oidc", f"--token-secret=@{TOKEN}", f"--cafile={AUTHORITY}")
    gateway.client.start(["python3", _PROGRAM, f"{count}", name, script, url, *options])


def _await_sessions(gateway: Gateway) -> float:
    """Seconds until all devices are connected, or the time is over."""
    started = time.monotonic()
    while (spent := time.monotonic() - started) < _PATIENCE and gateway.sessions() < STORM:
        time.sleep(0.5)
    return spent
