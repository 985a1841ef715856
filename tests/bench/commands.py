"""Commands of an installed gateway beside what they ask, with a long journal, and runs with nothing to do.

They take turns. `--version` and `--help` are those of the file that an installation puts in its place.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from scripts.docs.error_codes import table as markdown
from tests.bench.bar import bar_of, bars
from tests.bench.gateway import put
from tests.bench.rounds import ratios, spread
from tests.testbed.installation import ANSWERS, Installation
from tests.testbed.paths import JOURNAL, PROGRAM_PYTHON

NAME = "commands"
_ROUNDS: Final = 12
MORE_LIMIT: Final = 150.0
"""Milliseconds that a command may take beyond what it asks the engine and the gateway."""
AGAIN_LIMIT: Final = 600.0
"""Milliseconds of a run, or a plan, that finds nothing to do."""
LONG_LIMIT: Final = 1.1
"""What a command may take after 20 times the records of an installation, as a multiple of before."""
_TIMES: Final = 20
_INSPECT: Final = [["podman", "inspect", "mstunnel-server"], ["podman", "inspect", "mstunnel-agent"]]
_OCCTL: Final = ["podman", "exec", "mstunnel-server", "occtl", "--json", "show", "users"]
_ASKED: Final[Mapping[str, list[list[str]]]] = {
    "mst-cli status": _INSPECT,
    "mst-cli health": _INSPECT,
    "mst-cli server status": _INSPECT[:1],
    "mst-cli server show users": [_INSPECT[0], _OCCTL],
}
_FIXED: Final = ("--answers", ANSWERS, "--unattended")
_AGAIN: Final[Mapping[str, list[str]]] = {
    "mstunnel-setup": ["mstunnel-setup", *_FIXED],
    "mstunnel-setup plan": ["mstunnel-setup", "plan", *_FIXED],
}
_STARTS: Final = ("mst-cli --version", "mst-cli --help")
_READERS: Final = ("mst-cli status", "mst-cli server status")
Times = Mapping[str, Sequence[float]]
"""Milliseconds by the clock of each round, by command."""


def measure() -> dict[str, Any]:
    """The figures, as JSON data: milliseconds."""
    readers = {name: name.split() for name in _READERS}
    with Installation.booted() as host:
        host.setup()
        host.await_verdict()
        host.wait_until_healthy()
        named = {
            **{_line(asked): ["sh", "-c", _line(asked)] for asked in _ASKED.values()},
            **{name: name.split() for name in (*_ASKED, *_STARTS)},
            **_AGAIN,
        }
        times: Times = on_server(host, "commands", named, _ROUNDS, timeout=600)
        short: Times = on_server(host, "commands", readers, _ROUNDS, timeout=600)
        journal = _lengthen(host)
        long: Times = on_server(host, "commands", readers, _ROUNDS, timeout=600)
    return {
        "what": "commands of an installed gateway, milliseconds",
        "rounds": _ROUNDS,
        "milliseconds": {name: spread(found, 1) for name, found in times.items()},
        "journal": journal,
        "milliseconds_with_a_long_journal": {name: spread(found, 1) for name, found in long.items()},
        **bars(
            *(
                bar_of(f"`{name}`, beyond what it asks", _more(times, name), MORE_LIMIT, "ms")
                for name in _ASKED
            ),
            *(bar_of(f"`{name}` with nothing to do", times[name], AGAIN_LIMIT, "ms") for name in _AGAIN),
            *(
                bar_of(
                    f"`{name}` after {_TIMES} times the records, relative to before",
                    ratios(long[name], short[name]),
                    LONG_LIMIT,
                )
                for name in _READERS
            ),
        ),
    }


def section(figures: dict[str, Any]) -> str:
    """The table of docs/evidence/benchmarks.md: a row for each command."""
    rows = [
        [f"`{name}`", *(f"{times[figure]:.0f} ms" for figure in ("median", "percentile_90", "least", "most"))]
        for name, times in figures["milliseconds"].items()
    ]
    return markdown(("Command", "Median", "90 %", "Least", "Most"), rows)


def _more(times: Times, name: str) -> list[float]:
    return [ours - asked for ours, asked in zip(times[name], times[_line(_ASKED[name])], strict=True)]


def _lengthen(host: Installation) -> str:
    """Have as many runs as write _TIMES the records of the installation; what is left of them."""
    records = len(host.server.read(JOURNAL).splitlines())
    put(host.server, "long_journal.py")
    command = (*PROGRAM_PYTHON, "/root/long_journal.py", f"{_TIMES * records}")
    left = host.server.run(command, timeout=120).stdout
    return f"{records} records before; {_TIMES * records} more written, then (records, bytes): {left.strip()}"


def on_server(host: Installation, work: str, given: object, amount: float, timeout: float) -> Any:
    """What `on_server.py` finds there."""
    put(host.server, "on_server.py")
    command = ["python3", "/root/on_server.py", work, f"{amount}"]
    return json.loads(host.server.run(command, stdin=json.dumps(given), timeout=timeout).stdout)


def _line(asked: list[list[str]]) -> str:
    """One command of a shell for several."""
    return " && ".join(map(" ".join, asked))
