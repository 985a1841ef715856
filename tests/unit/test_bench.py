"""What the benchmarks calculate; `make bench` measures."""

from pathlib import Path

import pytest

from tests.bench.bar import Bar, bars, write_table
from tests.bench.rounds import medians, ratios
from tests.bench.sessions import complete
from tests.bench.starts import limits
from tests.bench.traffic import processor

FAST = Bar("Start", 9, 10, "ms")
SLOW = Bar("Rate", 0.8, 0.95, "", at_least=True)


def test_a_bar_that_is_missed_fails_the_benchmark() -> None:
    assert bars(FAST)["within_limit"]
    assert not bars(FAST, SLOW)["within_limit"]


def test_a_figure_at_its_limit_is_within_it() -> None:
    assert Bar("Start", 10, 10, "ms").met
    assert Bar("Rate", 0.95, 0.95, "", at_least=True).met


def test_the_table_names_what_was_missed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n\n<!-- bench: begin -->\n\nold\n\n<!-- bench: end -->\n")
    write_table([bars(FAST), {"figures": "without a limit"}, bars(SLOW)], page)
    written = page.read_text()
    assert "old" not in written
    assert "| Start | 9 ms | at most 10 ms |  |\n" in written
    assert "| Rate | 0.8 | at least 0.95 | missed |\n" in written


def test_the_middle_of_the_rounds_counts_whatever_their_order() -> None:
    assert medians({"a": [9, 1, 2], "b": [1, 2]}) == {"a": 2, "b": 1.5}
    assert medians({"a": [0.123, 0.128, 0.9]}, digits=2) == {"a": 0.13}


def test_ratios_are_to_the_same_figure_of_the_other() -> None:
    assert ratios({"up": 45, "down": 100}, {"up": 50, "down": 80}) == {"up": 0.9, "down": 1.25}


@pytest.mark.parametrize(
    ("answer", "whole"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody", True),
        (b"HTTP/1.1 200 CONNECTED\r\nX-CSTP-Version: 1\r\n\r\n", True),
    ],
    ids=["head", "no body", "body", "without a body"],
)
def test_an_answer_is_read_to_its_end(answer: bytes, whole: bool) -> None:
    assert complete(answer) is whole


def test_a_core_that_waits_is_not_busy() -> None:
    """Guests' time, the last two columns, is part of the first two."""
    stat = "cpu  10 20 30 400 50 6 7 8 9 9\ncpu0 1 1 1 1 1 1 1 1 1 1\n"
    assert processor(stat) == (81, 531)


def test_a_start_is_compared_with_what_does_nothing_and_a_help_with_another_help() -> None:
    least = {"interpreter": 10.0, "completion": 2.0, "pipx --help": 100.0}
    least |= {"mst-cli --version": 15.0, "mst-cli --help": 110.0}
    least |= {"mstunnel-setup --version": 25.0, "mstunnel-setup --help": 90.0}
    found = {bar.what: (bar.measured, bar.met) for bar in limits(least)}
    assert found == {
        "`mstunnel-setup --version`, of an interpreter": (2.5, False),
        "`mst-cli --version`, of an interpreter": (1.5, True),
        "`mstunnel-setup --help`, of `pipx --help`": (0.9, True),
        "`mst-cli --help`, of `pipx --help`": (1.1, False),
        "Completion of a word, of an interpreter": (0.2, True),
    }
