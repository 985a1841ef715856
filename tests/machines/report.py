"""Writes what whole machines showed to the reliability page: `python -m tests.machines.report`."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from tests.machines.record import recorded

PAGE = Path("docs/reference/reliability.md")
BEGIN = "<!-- machines: begin -->"
END = "<!-- machines: end -->"
_HEAD = """\
## Whole machines

Written by `make machines`: machines with their own kernel, in QEMU with that of the distribution on an
emulated processor, in user mode with one of the same source as a process. A power cut kills it: what the
machine had not written to its disk is lost. A trial counts as survived when the machine boots, the same
command then ends as an undisturbed one does (in one of five trials: when an uninstallation leaves nothing),
and the file system checker finds nothing; any other one when a device gets a page through the tunnel, in
the time given, and a year when also memory, open files and disk have not grown in its second half.

| What | Machine | Seen | Tried | Survived | Median time |
| --- | --- | --- | --- | --- | --- |
"""


def main() -> None:
    """Write the section; without a record the page stays as it is."""
    if outcomes := recorded():
        page = PAGE.read_text()
        PAGE.write_text(page.replace(section(page), f"{BEGIN}\n\n{_HEAD}{''.join(rows(outcomes))}\n{END}"))


def section(page: str) -> str:
    """The section of a page, with its markers. Raises ValueError when one is missing."""
    begin, end = page.index(BEGIN), page.index(END)
    return page[begin : end + len(END)]


def rows(outcomes: Iterable[dict[str, Any]]) -> Iterator[str]:
    """A row of the table for each kind of trial on each kind of machine."""
    for (what, machine), group in groupby(sorted(outcomes, key=_key), key=_key):
        some = list(group)
        dates = sorted({outcome["date"] for outcome in some})
        seen = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
        survived = sum(not outcome["complaints"] for outcome in some)
        times = sorted(outcome["seconds"] for outcome in some if "seconds" in outcome)
        median = f"{round(times[len(times) // 2])} s" if times else ""
        yield f"| {what} | {machine} | {seen} | {len(some)} | {survived} | {median} |\n"


def _key(outcome: dict[str, Any]) -> tuple[str, str]:
    machine = (
        f"{outcome['suite']}, {outcome['file_system']}; Linux {outcome['kernel']} in {outcome['runs']}, "
        f"{outcome['engine']}, {outcome['init']}, cgroup {outcome['groups']}"
    )
    return outcome["what"], machine


if __name__ == "__main__":
    main()
