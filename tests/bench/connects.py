"""How many sessions a gateway begins in a second, and how long one takes, beside ocserv on its host, in turn.

The device is as light as the protocol allows (`sessions.py`): connection, TLS, sign-in with a token, tunnel.
ocserv on the host (`plain_ocserv.py`) runs no script when a session begins; the gateway logs it. Before each
round a loop that never changes is timed: it tells how fast the machine is then.
"""

import json
import statistics
import time
from collections.abc import Sequence
from typing import Any, Final

from tests.bench import plain_ocserv
from tests.bench.bar import Bar, bars
from tests.bench.gateway import AUTHORITY, TOKEN, Gateway
from tests.bench.rounds import medians
from tests.testbed.installation import PUBLIC_ADDRESS

NAME = "connects"
_ROUNDS: Final = 3
_SECONDS: Final = 4
_AT_ONCE: Final = 4
"""Processes that begin sessions at the same time: enough to keep a gateway with two cores busy."""
LIMIT: Final = 0.95
"""Share of the sessions in a second of ocserv on the host without scripts."""
MILLISECONDS: Final = 9.0
"""How long one session may take to begin when nothing else happens."""
_PORTS: Final = {"gateway": 443, "plain": plain_ocserv.PORT}


def measure() -> dict[str, Any]:
    """The figures, as JSON data."""
    rates: dict[str, list[float]] = {name: [] for name in _PORTS}
    alone: dict[str, list[float]] = {name: [] for name in _PORTS}
    pace: list[float] = []
    with Gateway(programs=("sessions.py",)) as gateway:
        plain_ocserv.start(gateway.host)
        for _ in range(_ROUNDS):
            pace.append(_loop())
            for name, port in _PORTS.items():
                rates[name].append(len(_durations(gateway, port, _AT_ONCE)) / _SECONDS)
                alone[name].append(1000 * statistics.median(_durations(gateway, port, 1)))
    in_a_second, one = medians(rates), medians(alone, 2)
    ratio = round(in_a_second["gateway"] / in_a_second["plain"], 2)
    return {
        "what": "beginning sessions",
        "rounds": _ROUNDS,
        "sessions_a_second": in_a_second,
        "milliseconds_of_one": one,
        "of_each_round": {"sessions_a_second": rates, "milliseconds_of_one": alone, "loop": pace},
        **bars(
            Bar("Sessions that begin in a second, of ocserv on the host", ratio, LIMIT, "", at_least=True),
            Bar("One session, until it has begun", one["gateway"], MILLISECONDS, "ms"),
        ),
    }


def _loop() -> float:
    """Milliseconds of a loop that never changes, the least of three times."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        sum(number * number for number in range(400_000))
        times.append(1000 * (time.perf_counter() - started))
    return round(min(times), 1)


def _durations(gateway: Gateway, port: int, at_once: int) -> Sequence[float]:
    """Seconds of each session that began."""
    words = [f"{at_once}", PUBLIC_ADDRESS, f"{port}", AUTHORITY, TOKEN, f"{_SECONDS}"]
    done = gateway.client.run(["python3", "/root/sessions.py", *words], timeout=60)
    found: list[float] = json.loads(done.stdout)
    return found
