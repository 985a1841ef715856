"""Commands of an installed gateway beside what they ask, and runs that find nothing to do, in turn."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.bench.bar import Bar, bars
from tests.testbed.installation import ANSWERS, Installation
from tests.testbed.testbed import Testbed

NAME = "commands"
_ROUNDS: Final = 9
MORE_LIMIT: Final = 150.0
"""Milliseconds that a command may take beyond what it asks the engine and the gateway."""
AGAIN_LIMIT: Final = 600.0
"""Milliseconds of a run, or a plan, that finds nothing to do."""
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


def measure() -> dict[str, Any]:
    """The figures, as JSON data: medians in milliseconds."""
    with Testbed() as testbed:
        host = Installation(testbed, testbed.start_registry().references)
        host.prepare()
        host.setup()
        host.await_verdict()
        host.wait_until_healthy()
        named = {
            **{_line(asked): ["sh", "-c", _line(asked)] for asked in _ASKED.values()},
            **{name: name.split() for name in _ASKED},
            **_AGAIN,
        }
        figures = on_server(host, "commands", named, _ROUNDS, timeout=600)
    return {
        "what": "commands of an installed gateway, milliseconds",
        "rounds": _ROUNDS,
        "milliseconds": figures,
        **bars(
            *(
                Bar(f"`{name}`, beyond what it asks", _more(figures, name), MORE_LIMIT, "ms")
                for name in _ASKED
            ),
            *(
                Bar(f"`{name}` with nothing to do", figures[name]["wall"], AGAIN_LIMIT, "ms")
                for name in _AGAIN
            ),
        ),
    }


def _more(figures: Mapping[str, Mapping[str, float]], name: str) -> float:
    return round(figures[name]["wall"] - figures[_line(_ASKED[name])]["wall"], 1)


def on_server(host: Installation, work: str, given: object, amount: float, timeout: float) -> Any:
    """What `on_server.py` finds there."""
    script = Path(__file__).with_name("on_server.py").read_text()
    host.server.write("/root/on_server.py", script)
    command = ["python3", "/root/on_server.py", work, f"{amount}"]
    return json.loads(host.server.run(command, stdin=json.dumps(given), timeout=timeout).stdout)


def _line(asked: list[list[str]]) -> str:
    """One command of a shell for several."""
    return " && ".join(map(" ".join, asked))
