"""Runs on the server: time commands in turn, or watch services at rest; the figures as JSON.

`on_server.py commands ROUNDS` reads `{NAME: [WORD, …]}`, `on_server.py rest SECONDS` names of control groups.
"""

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_GROUPS = Path("/sys/fs/cgroup")
# Short, because the processor time of a service is lost when it ends.
_PAUSE = 0.5
# `mst-cli health` ends with 3 where a row is unhealthy, as the load of a busy machine is.
_GOOD = (0, 3)


def commands(named: dict[str, list[str]], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each command by the clock, in so many rounds."""
    return {name: [wall for wall, _ in times] for name, times in in_turn(named, rounds).items()}


def in_turn(named: dict[str, list[str]], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Milliseconds of each command, by the clock and of the processor, in so many rounds.

    Each round begins with another command, so that none has the same one before it each time.
    """
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in named}
    names = [*named]
    for number in range(rounds + 1):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            times = _timed(named[name])
            # The first round fills caches.
            if number:
                found[name].append(times)
    return found


def _timed(words: list[str]) -> tuple[float, float]:
    begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    spent, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in _GOOD:
        raise SystemExit(f"{' '.join(words)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return 1000 * spent, 1000 * cpu


class _Group:
    """What a control group used; its service may end and start again meanwhile."""

    def __init__(self, name: str) -> None:
        self._group = _GROUPS / name
        self._first = self._last = self._usage()
        self._before = 0
        self._memory: list[float] = []

    def look(self) -> None:
        """Take a sample."""
        usage = self._usage()
        if usage < self._last:
            self._before, self._first = self._before + self._last - self._first, 0
        self._last = usage
        self._memory.append(self._mebibytes())

    def figures(self, seconds: float) -> dict[str, float]:
        """Mean and most of the memory, and the share of one core."""
        used = self._before + self._last - self._first
        return {
            "mean_mib": round(statistics.mean(self._memory), 2),
            "median_mib": round(statistics.median(self._memory), 2),
            "most_mib": round(max(self._memory), 2),
            "percent_of_a_core": round(used / 1e6 / seconds * 100, 3),
        }

    def _usage(self) -> int:
        """Microseconds of processor time since the service started; 0 while it does not run."""
        try:
            text = (self._group / "cpu.stat").read_text()
        except OSError:
            return 0
        return int(text.split()[1])

    def _mebibytes(self) -> float:
        """The proportional set size of all its processes."""
        processes = [name for path in self._group.rglob("cgroup.procs") for name in _lines(path)]
        rows = [row for name in processes for row in _lines(Path(f"/proc/{name}/smaps_rollup"))]
        return sum(int(row.split()[1]) for row in rows if row.startswith("Pss:")) / 1024


def _lines(path: Path) -> list[str]:
    """Empty when the process has ended."""
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def rest(names: list[str], seconds: float) -> dict[str, dict[str, float]]:
    """What these control groups use while nothing happens."""
    groups = {name: _Group(name) for name in names}
    begun = time.monotonic()
    while (spent := time.monotonic() - begun) < seconds:
        for group in groups.values():
            group.look()
        time.sleep(_PAUSE)
    return {name: group.figures(spent) for name, group in groups.items()}


_WORK: dict[str, Callable[[Any, float], Any]] = {
    "commands": lambda named, rounds: commands(named, int(rounds)),
    "rest": rest,
}


if __name__ == "__main__":
    print(json.dumps(_WORK[sys.argv[1]](json.load(sys.stdin), float(sys.argv[2]))))
