"""Writes docs/evidence/reliability.md from the figures of the last `make crash` and `make crash-strace`.

What has no record here stays on the page as it is; of a sample of the kill points nothing is written.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.crash import plugin, tally
from tests.crash.variants import VARIANTS
from tests.machines.report import section, survived

PAGE = Path("docs/evidence/reliability.md")
_JOURNAL = Path("build/bench/journal.json")
_KNOWN = Path(__file__).with_name("known.yaml")
_STRACE = "Killed by the kernel at a system call (strace), then run again"
_COST = "## What the journal costs"
_WAYS = {
    "resumed": "Install killed, run again: as undisturbed",
    "removed": "Install killed, uninstalled: as before",
    "removal-resumed": "Uninstall killed, run again: as before",
}
_PORTS = {
    "files": "File operations",
    "http": "Requests",
    "processes": "Processes",
    "engine": "Calls to the container engine",
}
_INTRODUCTION = """\
# Reliability

**After a kill or a power failure at any point, run the same command again:** it ends in the
same state as an undisturbed run, or stops with one named reason. Uninstallation removes
what was created and nothing else.

`make crash`, `make crash-strace` and `make machines` write this page; do not edit it. Each
cell shows how many of the trials were survived.

- **Kills**: every point of an installation and an uninstallation, on eight kinds of hosts,
  and every point of the commands that change something.
- **Power cuts**: in whole machines with real file systems, and in a model in which any
  combination of unsynced writes may be lost.
- **Failures**: every call to the file system, the tenant, a process and the container
  engine, in every way it can fail, and a full disk.
- **Operation**: reboots, a year of clock time, out of memory, firewalls, SELinux, an older
  release.

## What is not covered

- The exhaustive loops run the real programs with real files and a lab tenant; container
  engine and systemd are stand-ins that record calls. On real Podman with systemd, one run
  is killed in each step, and others at a sample of points
  (`tests/crash/test_kill_real.py`).
- If another root process edits a file between its check and its replacement, that edit is
  lost.
- The model of a power failure is not a file system; those of the whole machines are ext4
  and xfs.
"""


def main() -> int:
    """Write the page and say where it is; exit code 1 when points of the kill loops were left out."""
    kills = plugin.recorded("kill")
    left_out = [*tally.left_out(kills)] if kills else ["no kill points are on record: run `make crash`"]
    if left_out:
        sys.stdout.write("\n".join([*left_out, f"not written: {PAGE}", ""]))
        return 1
    page = PAGE.read_text()
    parts = [_INTRODUCTION, *_kills(), *_figures(page), f"{section(page)}\n", _cost(page), *_found()]
    text = "\n".join(parts)
    PAGE.write_text(text)
    sys.stdout.write(f"written: {PAGE}\n")
    return 0


def _figures(page: str) -> Iterator[str]:
    yield f"## Commands, power and failures (commit {plugin.commit()}, where no other is named)\n"
    yield "| What | Checked | Survived |\n| --- | --- | --- |"
    yield from _rows(_killed())
    if strace := plugin.recorded("strace"):
        yield from _rows([_row(f"{_STRACE} (commit {strace[-1]['commit']})", strace)])
    else:
        yield from re.findall(rf"^\| {re.escape(_STRACE)}.*$", page, re.MULTILINE)
    yield from _rows(_tried())
    yield ""


def _kills() -> Iterator[str]:
    """A table of the hosts, with a column for each way on; of a host with many points a part is tried."""
    yield f"## Kills (commit {plugin.commit()})\n"
    yield f"| Host | Points tried | {' | '.join(_WAYS.values())} |\n| --- | --- | --- | --- | --- |"
    runs = plugin.recorded("kill")
    for variant, kind in VARIANTS.items():
        for pairs in (False, True):
            some = [run for run in runs if (run["variant"], run["then"] is not None) == (variant, pairs)]
            if not some:
                continue
            by_way = [[run for run in some if run["way"] == way] for way in _WAYS]
            cells = [f"{survived(part)} of {len(part)}" if part else "" for part in by_way]
            tried = "pairs of points" if pairs else f"one of {kind.every}" if kind.every > 1 else "all"
            yield f"| {variant}{', killed twice' if pairs else ''} | {tried} | {' | '.join(cells)} |"
    yield ""


def _killed() -> Iterator[tuple[str, int, int]]:
    commands, asked, real = (plugin.recorded(figure) for figure in ("commands", "asked", "real"))
    names = len({run["command"] for run in commands})
    yield _row(f"Kill points of {names} commands: run again, then uninstalled", commands)
    yield _row("Kill points of a monitor during an upgrade requested by the agent, good and bad image", asked)
    spread = f", spread over {real[-1]['of']} points" if real else ""
    yield _row(f"Installations killed on real Podman with systemd{spread}", real)


def _tried() -> Iterator[tuple[str, int, int]]:
    latest = {item["what"]: item for item in plugin.recorded("disks")}
    for what, item in latest.items():
        yield f"Disks after a power failure: {what} ({item['moments']} moments)", item["disks"], item["disks"]
    faults = plugin.recorded("faults")
    for run, (port, about) in product(("install", "uninstall"), _PORTS.items()):
        some = [item for item in faults if (item["run"], item["port"]) == (run, port)]
        sites = len({item["at"] for item in some})
        yield _row(f"{about} made to fail ({run}, {sites} calls, each in every way), run again", some)
    for item in plugin.recorded("full")[-1:]:
        yield f"Full disk of 1 MiB ({item['stopped']} of them stopped the run)", item["sizes"], item["sizes"]
    states = plugin.recorded("states")
    steps = sum(item["steps"] for item in states)
    broken = sum(bool(item["complaints"]) for item in states)
    yield "Steps of the state machine (any order of everything)", steps, steps - broken


def _row(about: str, runs: Sequence[dict[str, Any]]) -> tuple[str, int, int]:
    return about, len(runs), survived(runs)


def _rows(rows: Iterable[tuple[str, int, int]]) -> Iterator[str]:
    yield from (f"| {about} | {checked} | {survived} |" for about, checked, survived in rows if checked)


def _cost(page: str) -> str:
    """What the journal costs; without a measurement of `make bench` the section that the page has."""
    if not _JOURNAL.exists():
        kept = re.search(rf"^{_COST}\n.*?(?=^## )", page, re.MULTILINE | re.DOTALL)
        return f"{kept[0].rstrip()}\n" if kept else ""
    figures = json.loads(_JOURNAL.read_text())
    percent, limit = figures["journal_percent"], figures["limit_percent"]
    return f"""\
{_COST}

{percent["median"]} % of the time of an installation ({percent["min"]} to {percent["max"]} % in
{figures["rounds"]} rounds on real Podman, every record synced). `make bench` measures it and
fails at {limit} %.
"""


def _found() -> Iterator[str]:
    yield "## Crash bugs found and fixed\n"
    yield "| What | Found by | Command that shows it |\n| --- | --- | --- |"
    for item in YAML(typ="safe").load(_KNOWN.read_text()):
        yield f"| {item['what']} | {item['found']} | `pytest {item['shown']}` |"
    yield ""


if __name__ == "__main__":
    sys.exit(main())
