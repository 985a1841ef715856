"""The rate limit of all that the agent can cause."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.log_line import LogLine
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.monitor.limits import LIMITS, Limit, LimitedLog, RateLimiter
from tests.unit.clocks import START, FakeClock

MINUTE = timedelta(minutes=1)


def done(limit: Limit, step: timedelta, whole: timedelta, end: datetime | None = None) -> int:
    """How many changes are made when one is asked for at every step."""
    count, now = 0, START
    while now < START + whole:
        if not limit.wait(end, now):
            end = limit.after_one_more(end, now)
            count += 1
        now += step
    return count


@pytest.mark.parametrize("burst", [1, 3, 10])
def test_at_most_a_burst_and_one_for_each_interval(burst: int) -> None:
    assert done(Limit(10 * MINUTE, burst), timedelta(seconds=8), timedelta(hours=2)) in (
        burst + 11,
        burst + 12,
    )


def test_after_a_quiet_time_a_whole_burst_is_allowed_again() -> None:
    limit = Limit(MINUTE, 2)
    end = limit.after_one_more(limit.after_one_more(None, START), START)
    assert limit.wait(end, START) == MINUTE
    assert not limit.wait(end, START + 2 * MINUTE)
    assert not limit.wait(limit.after_one_more(end, START + 2 * MINUTE), START + 2 * MINUTE)


@pytest.mark.parametrize("burst", [1, 2, 10])
@pytest.mark.parametrize("back", [timedelta(hours=1), timedelta(days=9000)])
def test_clock_set_back_allows_one_change_per_interval(burst: int, back: timedelta) -> None:
    limit = Limit(10 * MINUTE, burst)
    end = START + back + burst * limit.interval
    assert done(limit, timedelta(seconds=8), timedelta(hours=2), end) in (12, 13)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    found = Files(tmp_path)
    found.make_directories(paths.STATE)
    return found


def test_what_was_done_outlives_the_process(files: Files) -> None:
    RateLimiter(files).record("port", START)
    assert RateLimiter(files).wait("port", START + MINUTE) == 9 * MINUTE
    assert not RateLimiter(files).wait("upgrade", START)
    state = files.state(paths.AGENT_CHANGES)
    assert state is not None
    assert state.mode == 0o600


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"version": 2}', b'{"debts": {"port": "2026-01-01T00:00:00"}}']
)
def test_a_damaged_file_counts_as_none(files: Files, content: bytes) -> None:
    files.write(paths.AGENT_CHANGES, content)
    assert not RateLimiter(files).wait("port", START)
    RateLimiter(files).record("port", START)
    assert RateLimiter(files).wait("port", START)


def test_limits_that_an_earlier_release_recorded_count(files: Files) -> None:
    """Up to 0.2.0 the key was `debts`; the next change is recorded under the name of today."""
    files.write(paths.AGENT_CHANGES, b'{"debts": {"port": "%s"}}' % (START + 9 * MINUTE).isoformat().encode())
    assert RateLimiter(files).wait("port", START) == 9 * MINUTE
    RateLimiter(files).record("upgrade", START)
    assert RateLimiter(files).wait("port", START) == 9 * MINUTE
    assert b"debts" not in (files.read(paths.AGENT_CHANGES) or b"")


def test_a_flood_of_lines_is_cut_and_counted() -> None:
    said: list[str] = []
    clock = FakeClock()
    log = LimitedLog(said.append, clock)
    for number in range(1000):
        log.tell(LogLine("line", str(number)))
    assert len(said) == LIMITS["log"].burst
    clock.elapsed += 61
    log.tell(LogLine("line", "later"))
    assert said[-2:] == [f"log-limited: {1000 - LIMITS['log'].burst} lines were dropped", "line: later"]


def test_clock_set_back_keeps_the_log_limit_working() -> None:
    said: list[str] = []
    clock = FakeClock()
    log = LimitedLog(said.append, clock)
    for number in range(100):
        log.tell(LogLine("line", str(number)))
    clock.start -= timedelta(days=9000)
    del said[:]
    for number in range(100):
        log.tell(LogLine("line", str(number)))
    assert len(said) == 2, "how many were left out, and one line"


def test_only_an_interrupted_move_is_remembered(files: Files) -> None:
    RateLimiter(files).record("port", START, moving=8443)
    assert RateLimiter(files).moving == 8443
    assert RateLimiter(files).wait("port", START) == 10 * MINUTE
    RateLimiter(files).end_move()
    assert RateLimiter(files).moving is None
    assert RateLimiter(files).wait("port", START) == 10 * MINUTE
