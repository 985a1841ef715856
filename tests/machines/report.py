"""Writes what whole machines showed to the reliability page: `python -m tests.machines.report`."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from scripts.docs.error_codes import with_tables
from tests.machines.record import CUT, Outcome, recorded
from tests.machines.suites import FILE_SYSTEMS

PAGE = Path("docs/evidence/reliability.md")
BEGIN = "<!-- machines: begin -->"
END = "<!-- machines: end -->"
_HEAD = """\
## Whole machines

Machines with their own kernel: in QEMU with that of the distribution, in user mode with one
of the same source as a process. A power cut kills it: what was not written to the disk is
lost. It counts as survived when the machine boots, the same command then ends as an
undisturbed one does (in one of five trials: an uninstallation leaves nothing), and the file
system checker finds nothing; any other trial when a device gets a page through the tunnel,
in the time given; a year when also memory, open files and disk have not grown in its second
half.
"""
_CUTS = """
### Power cuts: {survived} of {tried} survived

{machines}

| Cut off | Survived on ext4 | Survived on xfs |
| --- | --- | --- |
"""
_OTHERS = """
### Boots, engines, firewalls, SELinux

{machines}

| What | Machine | Seen | Survived | Median time |
| --- | --- | --- | --- | --- |
"""


def main() -> None:
    """Write the section; without a record the page stays as it is."""
    if outcomes := recorded():
        text = "".join(tables(outcomes))
        PAGE.write_text(with_tables(PAGE.read_text(), {"machines": f"\n{text}\n"}))


def section(page: str) -> str:
    """The section of a page, with its markers. Raises ValueError when one is missing."""
    begin, end = page.index(BEGIN), page.index(END)
    return page[begin : end + len(END)]


def tables(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """The section: one table of the power cuts, one of everything else."""
    yield _HEAD
    if cuts := [outcome for outcome in outcomes if outcome["what"].startswith(CUT)]:
        machines = "\n".join(sorted({f"- {cut['suite']}, {_details(cut)}, {cut['date']}" for cut in cuts}))
        yield _CUTS.format(survived=survived(cuts), tried=len(cuts), machines=machines)
        yield from cut_rows(cuts)
    others = [outcome for outcome in outcomes if outcome not in cuts]
    machines = "\n".join(sorted({f"- {_name(outcome)}: {_details(outcome)}" for outcome in others}))
    yield _OTHERS.format(machines=machines)
    yield from rows(others)


def cut_rows(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """A row for each command that was cut off, a column for each file system."""
    for what, group in groupby(sorted(outcomes, key=_what), key=_what):
        some = list(group)
        on = [[outcome for outcome in some if outcome["file_system"] == name] for name in FILE_SYSTEMS]
        cells = " | ".join(f"{survived(part)} of {len(part)}" if part else "" for part in on)
        yield f"| {what.removeprefix(CUT)} | {cells} |\n"


def rows(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """A row of the table for each kind of trial on each kind of machine."""
    for (what, name), group in groupby(sorted(outcomes, key=_key), key=_key):
        some = list(group)
        dates = sorted({outcome["date"] for outcome in some})
        seen = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
        times = sorted(outcome["seconds"] for outcome in some if "seconds" in outcome)
        median = f"{round(times[len(times) // 2])} s" if times else ""
        yield f"| {what} | {name} | {seen} | {survived(some)} of {len(some)} | {median} |\n"


def _what(outcome: Outcome) -> str:
    return str(outcome["what"])


def survived(outcomes: Iterable[Outcome]) -> int:
    """How many of them had no complaints."""
    return sum(not outcome["complaints"] for outcome in outcomes)


def _key(outcome: Outcome) -> tuple[str, str]:
    return _what(outcome), _name(outcome)


def _name(outcome: Outcome) -> str:
    """A short name of a machine: its suite, and what is unusual about it."""
    unusual = [
        "" if outcome["file_system"] == "ext4" else f", {outcome['file_system']}",
        "" if outcome["runs"] == "user mode" else f", {outcome['runs']}",
        "" if outcome["groups"] == "v2" else f", cgroup {outcome['groups']}",
    ]
    return f"{outcome['suite']}{''.join(unusual)}"


def _details(outcome: Outcome) -> str:
    return (
        f"{outcome['file_system']}; Linux {outcome['kernel']} in {outcome['runs']}, "
        f"{outcome['engine']}, {outcome['init']}, cgroup {outcome['groups']}"
    )


if __name__ == "__main__":
    main()
