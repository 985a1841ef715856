"""The table of the machines counts trials, and leaves the rest of its page alone."""

import time
from typing import Any

import pytest

from tests.machines import qemu, report
from tests.machines.power import Cut, Records

_MACHINE = {
    "suite": "trixie",
    "file_system": "xfs",
    "runs": "QEMU",
    "kernel": "6.12",
    "engine": "Podman 5.4.2",
    "init": "systemd 257",
    "groups": "v2",
}


def outcome(date: str, *complaints: str, **figures: Any) -> dict[str, Any]:
    return {**_MACHINE, "date": date, "what": "Power cut", "complaints": list(complaints), **figures}


def test_a_row_counts_what_was_tried_and_what_survived() -> None:
    outcomes = [outcome("2026-01-02", seconds=30), outcome("2026-01-01", "no answer", seconds=10)]
    (row,) = report.rows([*outcomes, outcome("2026-01-02", seconds=20)])
    assert row == "| Power cut | trixie, xfs, QEMU | 2026-01-01 to 2026-01-02 | 2 of 3 | 20 s |\n"


def test_a_row_without_times_has_none() -> None:
    (row,) = report.rows([outcome("2026-01-01")])
    assert row.endswith("| 2026-01-01 | 1 of 1 |  |\n")


def test_power_cuts_are_counted_for_each_command_on_each_file_system() -> None:
    cuts = [
        {**outcome("2026-01-01"), "what": "Power cut in `uninstall`", "file_system": "ext4"},
        {**outcome("2026-01-01", "no answer"), "what": "Power cut in `uninstall`"},
        {**outcome("2026-01-02"), "what": "Power cut in `uninstall`"},
        {**outcome("2026-01-01"), "what": "Power cut in `restore`"},
    ]
    text = "".join(report.tables([*cuts, {**outcome("2026-01-01"), "what": "Reboot"}]))
    assert "### Power cuts: 3 of 4 survived" in text
    assert "| `restore` |  | 1 of 1 |\n| `uninstall` | 1 of 1 | 1 of 2 |\n" in text
    assert text.count("| Reboot |") == 1


def test_only_the_section_is_replaced() -> None:
    page = f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
    assert report.section(page) == f"{report.BEGIN}\nold\n{report.END}"
    with pytest.raises(ValueError, match="substring not found"):
        report.section("a page without it")


@pytest.mark.parametrize(
    ("cut", "records", "seconds", "due"),
    [
        (Cut(record=2), ["a"], 99, False),
        (Cut(record=2), ["a", "b"], 0, True),
        (Cut(seconds=3), ["a"], 2.9, False),
        (Cut(seconds=3), [], 3, True),
    ],
)
def test_a_cut_is_due_after_its_record_or_its_time(
    cut: Cut, records: list[str], seconds: float, due: bool
) -> None:
    assert cut.due(records, seconds) == due


def test_what_keeps_a_machine_from_running_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qemu, "PROGRAM", "qemu-system-none")
    assert qemu.missing() == "qemu-system-none is not installed"


def test_reading_records_ends_with_the_children_of_what_reads_them() -> None:
    begin = time.monotonic()
    with Records(["sh", "-c", "echo; sleep 60 & wait"]):
        pass
    assert time.monotonic() - begin < 10
