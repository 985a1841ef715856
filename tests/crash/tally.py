"""Counts what the kill loops recorded: installations by themselves, and whether no point was left out."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

Runs = Sequence[dict[str, Any]]
_OF_INSTALLATION = ("resumed", "removed")


def summary(kills: Runs, commands: Runs) -> Iterator[str]:
    """The lines at the end of a run: the points of an installation first, each of them counted once."""
    single = [run for run in kills if run["then"] is None]
    yield _line("kill points", [run for run in single if run["way"] in _OF_INSTALLATION])
    yield _line("of uninstallations", [run for run in single if run["way"] not in _OF_INSTALLATION])
    yield _line("killed twice", [run for run in kills if run["then"] is not None])
    yield _line("of commands", commands)
    yield from left_out(kills)


def left_out(kills: Runs) -> Iterator[str]:
    """The hosts and ways some of whose points have no row: what ran them died, or never began.

    A row says how many points its host has (`of`), and that one of `every` is run.
    """
    single = sorted((run for run in kills if run["then"] is None), key=_host)
    for (variant, way), some in groupby(single, key=_host):
        runs = list(some)
        wanted = range(1, max(run["of"] for run in runs) + 1, runs[0]["every"])
        missing = sorted(set(wanted) - {run["point"] for run in runs})
        if missing:
            first = ", ".join(map(str, missing[:5]))
            yield f"LEFT OUT: {len(missing)} of {len(wanted)} points ({variant} host, {way}): {first}, ..."


def _host(run: dict[str, Any]) -> tuple[str, str]:
    return run["variant"], run["way"]


def _line(about: str, runs: Runs) -> str:
    lost = {_point(run) for run in runs if run["complaints"]}
    points = {_point(run) for run in runs}
    return f"{about}: {len(points) - len(lost)} of {len(points)} survived"


def _point(run: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(run.get(name) for name in ("variant", "way", "command", "point", "then"))
