"""How many sessions a gateway begins in a second, and how long each takes, beside `podman run` and the host.

The device is as light as the protocol allows (`sessions.py`): connection, TLS, sign-in with a token, tunnel.
The others (`plain_ocserv.py`) run no script when a session begins; the gateway logs it.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from scripts.docs.error_codes import table as markdown
from tests.bench import plain_ocserv
from tests.bench.bar import bar_of, bars
from tests.bench.gateway import AUTHORITY, TOKEN, Gateway
from tests.bench.rounds import ratios, rotated, spread
from tests.testbed.installation import PUBLIC_ADDRESS

NAME = "connects"
_ROUNDS: Final = 6
_SECONDS: Final = 4
_AT_ONCE: Final = {"one at a time": 1, "four at once": 4}
"""Processes that begin sessions at the same time: four are enough to keep a gateway with two cores busy."""
LIMIT: Final = 0.95
"""Share of the sessions in a second of `podman run`."""
SLOW: Final = 40.0
"""Milliseconds: the shortest time for which Linux delays an acknowledgement."""
MORE_SLOW: Final = 0.05
"""How much larger the share of sessions that take longer than SLOW may be than that of `podman run`."""


def measure() -> dict[str, Any]:
    """The figures, as JSON data: of each way and server the sessions in a second, and milliseconds of one."""
    found: dict[str, dict[str, list[Sequence[float]]]] = {
        way: {name: [] for name in plain_ocserv.PORTS} for way in _AT_ONCE
    }
    with Gateway(programs=("sessions.py",)) as gateway:
        plain_ocserv.start(gateway.host)
        for number in range(_ROUNDS):
            for name, port in rotated([*plain_ocserv.PORTS.items()], number):
                for way, at_once in _AT_ONCE.items():
                    found[way][name].append(_durations(gateway, port, at_once))
    rates = {
        way: {name: [len(times) / _SECONDS for times in rounds] for name, rounds in servers.items()}
        for way, servers in found.items()
    }
    alone = found["one at a time"]
    slow = {name: [_share(times) for times in rounds] for name, rounds in alone.items()}
    more_slow = [ours - theirs for ours, theirs in zip(slow["gateway"], slow["podman-run"], strict=True)]
    return {
        "what": "beginning sessions",
        "rounds": _ROUNDS,
        "sessions_a_second": {
            way: {name: spread(values, 1) for name, values in servers.items()}
            for way, servers in rates.items()
        },
        "milliseconds": {
            name: {
                **spread([1000 * seconds for times in rounds for seconds in times], 1),
                "share_slow": round(_share([seconds for times in rounds for seconds in times]), 3),
            }
            for name, rounds in alone.items()
        },
        "of_each_round": rates,
        **bars(
            *(
                bar_of(
                    f"Sessions that begin in a second, {way}, relative to `podman run`",
                    ratios(servers["gateway"], servers["podman-run"]),
                    LIMIT,
                    at_least=True,
                )
                for way, servers in rates.items()
            ),
            bar_of(
                f"Share of sessions that take over {SLOW:.0f} ms, more than with `podman run`",
                more_slow,
                MORE_SLOW,
            ),
        ),
    }


def section(figures: dict[str, Any]) -> str:
    """The table of docs/evidence/benchmarks.md: a row for each server."""
    heads = ["Server", *(f"{way}, in a second" for way in _AT_ONCE)]
    heads += ["mean", "median", "90 %", f"over {SLOW:.0f} ms"]
    rows = []
    for name, times in figures["milliseconds"].items():
        rates = [figures["sessions_a_second"][way][name] for way in _AT_ONCE]
        rows.append(
            [
                plain_ocserv.TITLES[name],
                *(f"{rate['median']:g} ({rate['least']:g} to {rate['most']:g})" for rate in rates),
                *(f"{times[figure]:g} ms" for figure in ("mean", "median", "percentile_90")),
                f"{100 * times['share_slow']:.0f} %",
            ]
        )
    return markdown(heads, rows)


def _share(seconds: Sequence[float]) -> float:
    return sum(1000 * value > SLOW for value in seconds) / len(seconds)


def _durations(gateway: Gateway, port: int, at_once: int) -> Sequence[float]:
    """Seconds of each session that began."""
    words = [f"{at_once}", PUBLIC_ADDRESS, f"{port}", AUTHORITY, TOKEN, f"{_SECONDS}"]
    done = gateway.client.run(["python3", "/root/sessions.py", *words], timeout=60)
    found: list[float] = json.loads(done.stdout)
    return found
