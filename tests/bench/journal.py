"""What the journal costs: the time that real installations spend on it.

The server is a whole one (systemd, Podman, registry, lab tenant); its disk syncs.
"""

import json
from typing import Any

from tests.bench.bar import bar_of, bars
from tests.bench.gateway import put
from tests.bench.rounds import spread
from tests.testbed.installation import ANSWERS, Installation
from tests.testbed.paths import PROGRAM_PYTHON
from tests.testbed.process import TestbedError

NAME = "journal"
_ROUNDS = 6
LIMIT = 1
"""Percent of the time of an installation: the journal has to stay below."""
_SYNCS = """
import os, statistics, time
seconds = []
with open("/var/lib/sync-probe", "wb") as file:
    for _ in range(100):
        file.write(b"x" * 300)
        file.flush()
        started = time.monotonic()
        os.fsync(file.fileno())
        seconds.append(time.monotonic() - started)
os.unlink("/var/lib/sync-probe")
print(statistics.median(seconds))
"""


def measure() -> dict[str, Any]:
    """The figures, as JSON data."""
    with Installation.booted() as host:
        put(host.server, "timed_install.py")
        syncs = float(host.server.run(["python3", "-c", _SYNCS]).stdout)
        system = host.server.run(["stat", "--file-system", "--format=%T", "/var/lib"]).stdout.strip()
        runs = [_timed(host) for _ in range(_ROUNDS)]
    percent = [100 * run["journal_seconds"] / run["seconds"] for run in runs]
    return {
        "what": "cost of the journal in an installation, synced",
        "rounds": _ROUNDS,
        "file_system": system,
        "sync_milliseconds": round(syncs * 1000, 3),
        "records": runs[0]["records"],
        "seconds": spread([run["seconds"] for run in runs]),
        "journal_seconds": spread([run["journal_seconds"] for run in runs]),
        "journal_percent": spread(percent),
        **bars(bar_of("Journal, share of the time of an installation", percent, LIMIT, "%")),
    }


def _timed(host: Installation) -> dict[str, float]:
    """One installation, removed afterwards. Raises TestbedError when it fails."""
    command = (*PROGRAM_PYTHON, "/root/timed_install.py", "--answers", ANSWERS, "--unattended")
    host.program(*command)
    figures: dict[str, float] = json.loads(host.server.read("/root/timed.json"))
    removed = host.uninstall()
    if removed.envelope["warnings"]:
        raise TestbedError(removed.describe())
    return figures
