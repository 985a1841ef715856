"""Seconds without traffic that a connected device sees: an upgrade, a new certificate, `podman restart`.

The device is the real VPN client, which connects again when it is cut off (`devices.py`). All the while it
sends datagrams through the tunnel, and something behind the gateway returns them (`gaps.py`).
"""

import time
from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any, Final

from scripts.docs.error_codes import table as markdown
from tests.bench import plain_ocserv
from tests.bench.bar import Bar, bar_of, bars
from tests.bench.gateway import INTRANET, Gateway, put
from tests.bench.rounds import ratios, spread
from tests.testbed.installation import PUBLIC_ADDRESS, Installation
from tests.testbed.process import TestbedError
from tests.testbed.waiting import eventually, settled

NAME = "interruption"
_ROUNDS: Final = 20
LIMIT: Final = 1.2
"""How long an upgrade may interrupt traffic, as a multiple of `podman restart`."""
_DEVICES: Final = {"upgrade": "gateway", "certificate": "gateway", "podman restart": "podman-run"}
"""What happens, and the interface of the device that sees it."""
_CUT: Final = ("upgrade", "podman restart")
_PATIENCE: Final = 120.0
_SETTLE: Final = 2.0
_RELEASES: Final = (("gateway-next", "agent-next"), ("gateway", "agent"))


def measure() -> dict[str, Any]:
    """The figures, as JSON data: seconds."""
    found: dict[str, list[float]] = {event: [] for event in _DEVICES}
    with Gateway(programs=("devices.py", "gaps.py")) as gateway:
        plain_ocserv.start(gateway.host)
        _watch(gateway)
        happen: dict[str, Callable[[int], None]] = {
            "upgrade": lambda number: _upgrade(gateway.host, number),
            "certificate": lambda _number: _replace_certificate(gateway.host),
            "podman restart": lambda _number: _restart(gateway.host),
        }
        for number, event in product(range(_ROUNDS), happen):
            begun = time.time()
            happen[event](number)
            found[event].append(_without_traffic(gateway, _DEVICES[event], begun, cut=event in _CUT))
    return {
        "what": "seconds without traffic that a connected device sees",
        "rounds": _ROUNDS,
        "seconds": {event: spread(values, 1) for event, values in found.items()},
        "of_each_round": found,
        **bars(
            bar_of(
                "Without traffic during an upgrade, relative to `podman restart`",
                ratios(found["upgrade"], found["podman restart"]),
                LIMIT,
            ),
            Bar("Without traffic during a new certificate, the longest", max(found["certificate"]), 0, "s"),
        ),
    }


def section(figures: dict[str, Any]) -> str:
    """The table of docs/evidence/benchmarks.md: a row for each event."""
    heads = ("What happens", "Median", "90 %", "Worst")
    names = ("median", "percentile_90", "most")
    rows = [
        [event, *(f"{seconds[name]:g} s" for name in names)] for event, seconds in figures["seconds"].items()
    ]
    return markdown(heads, rows)


def _watch(gateway: Gateway) -> None:
    """Connect a device to each server, and note when nothing comes back to it."""
    put(gateway.intranet, "gaps.py")
    gateway.intranet.start(["python3", "/root/gaps.py", "serve"])
    for server in set(_DEVICES.values()):
        # It begins to look first: the time before the device is connected is the first one without an answer.
        gateway.client.start(["python3", "/root/gaps.py", "watch", INTRANET, f"{server}0", _gaps(server)])
        gateway.keep_connected(1, server, "route", plain_ocserv.URLS[server])
        if not eventually(partial(_noted, gateway, server), _PATIENCE):
            raise TestbedError(f"the device of {server} does not connect")


def _without_traffic(gateway: Gateway, server: str, begun: float, *, cut: bool) -> float:
    """Seconds without an answer since `begun`, once it is over; with `cut` there has to be such a time."""

    def seconds() -> float:
        return sum(end - max(start, begun) for start, end in _noted(gateway, server) if end > begun)

    if cut and not eventually(seconds, _PATIENCE):
        raise TestbedError(f"the device of {server} was not cut off, or does not come back")
    return round(settled(seconds, _SETTLE), 2)


def _noted(gateway: Gateway, server: str) -> list[tuple[float, float]]:
    """When nothing came back: beginnings and ends."""
    lines = gateway.client.run(["cat", _gaps(server)], check=False).stdout.splitlines()
    return [(float(start), float(end)) for start, end in map(str.split, lines)]


def _gaps(server: str) -> str:
    return f"/root/gaps-{server}"


def _upgrade(host: Installation, number: int) -> None:
    """Offer one of two releases, in turn, and upgrade to it."""
    host.offer(*_RELEASES[number % len(_RELEASES)], f"{number + 2}.0")
    host.server.run(["mst-cli", "upgrade", "apply"], timeout=300)


def _replace_certificate(host: Installation) -> None:
    host.place_certificate(*host.authority.issue(PUBLIC_ADDRESS))
    files = ("--cert", host.path("chain.pem"), "--key", host.path("key.pem"))
    host.server.run(["mst-cli", "import_cert", *files], timeout=120)


def _restart(host: Installation) -> None:
    host.server.run(["podman", "restart", plain_ocserv.CONTAINER], timeout=120)
