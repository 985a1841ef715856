"""Window arithmetic: whole days, midnight, every time zone, and the days on which clocks change."""

import itertools
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mstunnel_setup.admin.objects import WindowObject
from mstunnel_setup.admin.wire import utc_offset
from mstunnel_setup.upgrade.window import Window

ZONES = sorted(available_timezones())
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timedelta(minutes=minutes))
times = st.times().map(lambda moment: moment.replace(second=0, microsecond=0))
moments = st.datetimes(datetime(2026, 1, 1), datetime(2030, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
windows = st.builds(Window, times, times, offsets)


@given(windows, moments)
def test_the_next_opening_is_open_and_within_a_day(window: Window, now: datetime) -> None:
    opening = window.opens(now)
    assert window.contains(opening)
    assert now <= opening < now + timedelta(days=1)


@given(windows, moments)
def test_before_the_next_opening_it_is_closed(window: Window, now: datetime) -> None:
    opening = window.opens(now)
    if opening > now:
        assert not window.contains(now)
        assert not window.contains(opening - timedelta(microseconds=1))


@given(windows, moments)
def test_a_window_and_the_rest_of_the_day_never_overlap(window: Window, now: datetime) -> None:
    rest = Window(window.end, window.start, window.offset)
    if window.start != window.end:
        assert window.contains(now) != rest.contains(now)


def _changes(zone: ZoneInfo, year: int) -> list[date]:
    """Days of a year on which the zone's offset changes."""
    noons = [datetime(year, 1, 1, 12, tzinfo=UTC) + timedelta(days=day) for day in range(366)]
    pairs = itertools.pairwise(noons)
    return [
        after.date()
        for before, after in pairs
        if before.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset()
    ]


@pytest.mark.parametrize("year", range(2026, 2031))
def test_around_every_clock_change_the_wall_clock_decides_with_the_offset_of_that_moment(year: int) -> None:
    """The offset is the one that `mst-admin apply` would send at that moment for the zone in the file."""
    start, end = time(2, 30), time(4, 0)
    seen = 0
    for name in ZONES:
        zone = ZoneInfo(name)
        declared = WindowObject(start="02:30", end="04:00", time_zone=name)
        for day in _changes(zone, year):
            for hour in range(-24, 36):
                moment = datetime.combine(day, time(), UTC) + timedelta(hours=hour, minutes=17)
                local = moment.astimezone(zone)
                offset = timedelta(minutes=utc_offset(declared, moment))
                assert Window(start, end, offset).contains(moment) == (start <= local.time() < end)
                seen += 1
    assert seen > 5000
