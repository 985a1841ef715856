"""What one device gets through a gateway, with and without root, beside `podman run` and ocserv on the host.

All are up at once and take turns, so that a machine that is busy for a while is busy for all.
"""

from collections.abc import Iterator
from typing import Any, Final

from scripts.docs.error_codes import table as markdown
from tests.bench import plain_ocserv
from tests.bench.bar import bar_of, bars
from tests.bench.gateway import URL, Gateway
from tests.bench.rounds import ratios, rotated, spread
from tests.testbed.kinds import PODMAN_ROOTLESS

NAME = "data-plane"
_ROUNDS: Final = 6
_SECONDS: Final = 3
ROOTLESS_LIMIT: Final = 0.9
"""Share of the throughput with root that a gateway without root has to reach, in each direction and mode."""
LEAST: Final = 230.0
"""Mbit/s that it has to reach in any case: what the vendor says its own carries at most without root."""
LIMIT: Final = 0.98
"""Share of the throughput of `podman run` that a gateway with root has to reach."""
_MODES: Final = {"DTLS": "", "TLS": "--no-dtls"}
_NAMES: Final = {
    "host": plain_ocserv.TITLES["host"],
    "podman-run": plain_ocserv.TITLES["podman-run"],
    "rootful": "gateway with root",
    "uplink": "gateway without root, uplink",
}
Rates = dict[str, list[float]]


def measure() -> dict[str, Any]:
    """The figures, as JSON data: Mbit/s and ratios."""
    rates: dict[str, Rates] = {name: {} for name in _NAMES}
    with Gateway() as rootful, Gateway(PODMAN_ROOTLESS) as rootless:
        plain_ocserv.start(rootful.host)
        for number in range(_ROUNDS):
            for name in rotated([*rates], number):
                gateway = rootless if name == "uplink" else rootful
                for mode, rate in _rates(gateway, plain_ocserv.URLS.get(name, URL)):
                    rates[name].setdefault(mode, []).append(rate)
    rootless_of_rootful = _ratios(rates["uplink"], rates["rootful"])
    return {
        "what": "one device, one TCP stream, Mbit/s",
        "rounds": _ROUNDS,
        "megabits": {
            name: {mode: spread(values, 1) for mode, values in found.items()} for name, found in rates.items()
        },
        "of_podman_run": {
            name: {mode: spread(values) for mode, values in _ratios(rates[name], rates["podman-run"]).items()}
            for name in _NAMES
        },
        "of_each_round": rates,
        **bars(
            *(
                bar_of(
                    f"Without root, {mode}, relative to a gateway with root",
                    ratio,
                    ROOTLESS_LIMIT,
                    at_least=True,
                )
                for mode, ratio in rootless_of_rootful.items()
            ),
            bar_of(
                "Without root, the slowest",
                min(rates["uplink"].values(), key=sum),
                LEAST,
                "Mbit/s",
                at_least=True,
                digits=0,
            ),
            *(
                bar_of(f"With root, {mode}, relative to `podman run`", ratio, LIMIT, at_least=True)
                for mode, ratio in _ratios(rates["rootful"], rates["podman-run"]).items()
            ),
        ),
    }


def _ratios(found: Rates, base: Rates) -> dict[str, tuple[float, ...]]:
    return {mode: ratios(values, base[mode]) for mode, values in found.items()}


def section(figures: dict[str, Any]) -> str:
    """The table of docs/evidence/benchmarks.md: a row for each server."""
    modes = [*figures["megabits"]["host"]]
    rows = [
        [_NAMES[name], *(_cell(found[mode]) for mode in modes)] for name, found in figures["megabits"].items()
    ]
    return markdown(["Server", *modes], rows)


def _cell(found: dict[str, float]) -> str:
    if found["least"] == found["most"]:
        return f"{found['median']:.0f}"
    return f"{found['median']:.0f} ({found['least']:.0f} to {found['most']:.0f})"


def _rates(gateway: Gateway, url: str) -> Iterator[tuple[str, float]]:
    """What a device gets: by DTLS and TLS, up and down."""
    for mode, options in _MODES.items():
        gateway.host.connect(f"{url} {options}")
        for direction in ("up", "down"):
            yield f"{direction} {mode}", gateway.traffic(direction, _SECONDS)["megabits"]
        gateway.host.disconnect()
