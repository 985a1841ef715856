"""Window arithmetic: whole days, midnight, every time zone, and days with a clock change."""

import itertools
import time as clock
from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mst_admin.objects.site import WindowObject, utc_offset
from mstunnel_setup.exchange.window import Window

ZONES = sorted(available_timezones())
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timedelta(minutes=minutes))
times = st.times().map(lambda moment: moment.replace(second=0, microsecond=0))
moments = st.datetimes(datetime(2026, 1, 1), datetime(2030, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
zones = st.one_of(offsets.map(timezone), st.sampled_from(ZONES).map(ZoneInfo))
windows = st.builds(Window, times, times, offsets.map(timezone))
anywhere = st.builds(Window, times, times, zones)


@given(windows, moments)
def test_window_without_clock_changes_opens_within_a_day(window: Window, now: datetime) -> None:
    assert now <= window.opens(now) < now + timedelta(days=1)


@given(anywhere, moments)
def test_window_opens_within_two_days_and_is_closed_until_then(window: Window, now: datetime) -> None:
    opening = window.opens(now)
    assert window.contains(opening)
    assert now <= opening < now + timedelta(days=2, hours=1)
    if opening > now:
        assert not window.contains(now)
        assert not window.contains(opening - timedelta(microseconds=1))


@given(anywhere, moments)
def test_window_and_its_complement_never_overlap(window: Window, now: datetime) -> None:
    rest = Window(window.end, window.start, window.zone)
    if window.start != window.end:
        assert window.contains(now) != rest.contains(now)


BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = Window(time(22), time(23), BERLIN)


def test_only_a_window_in_a_zone_follows_clock_changes() -> None:
    """Check 22-23 in Berlin, declared in summer: an hour off in winter unless the zone is known."""
    fixed = Window(time(22), time(23), timezone(timedelta(hours=2)))
    summer, winter = datetime(2026, 10, 24, 20, 30, tzinfo=UTC), datetime(2026, 10, 25, 21, 30, tzinfo=UTC)
    assert [NIGHT.contains(moment) for moment in (summer, winter)] == [True, True]
    assert [fixed.contains(moment) for moment in (summer, winter)] == [True, False]
    assert (fixed.fixed, NIGHT.fixed) == (True, False)


@pytest.mark.parametrize("zone_of_host", ["UTC", "Asia/Tokyo", "America/Los_Angeles"])
def test_time_zone_of_the_host_is_ignored(monkeypatch: pytest.MonkeyPatch, zone_of_host: str) -> None:
    monkeypatch.setenv("TZ", zone_of_host)
    clock.tzset()
    try:
        moment = datetime(2026, 1, 10, 21, 30, tzinfo=UTC).astimezone()
        assert NIGHT.contains(moment)
        assert not NIGHT.contains(moment + timedelta(hours=1))
    finally:
        monkeypatch.undo()
        clock.tzset()


# The last Sundays of March and October: clocks are put forward at 02:00, and back at 03:00 (both 01:00 UTC).
FORWARD = [date(2026, 3, 29), date(2027, 3, 28), date(2028, 3, 26), date(2029, 3, 25), date(2030, 3, 31)]
BACK = [date(2026, 10, 25), date(2027, 10, 31), date(2028, 10, 29), date(2029, 10, 28), date(2030, 10, 27)]


def _utc(day: date, hours: int, minutes: int = 0) -> datetime:
    return datetime.combine(day, time(), UTC) + timedelta(hours=hours, minutes=minutes)


@pytest.mark.parametrize("day", [*FORWARD, *BACK])
def test_window_opens_by_the_clocks_of_that_day(day: date) -> None:
    opening = _utc(day, 20 if day in FORWARD else 21)
    assert NIGHT.opens(_utc(day, 3)) == opening
    before = timedelta(hours=23 if day in FORWARD else 25)
    assert NIGHT.opens(opening - timedelta(hours=26)) == opening - before


@pytest.mark.parametrize("day", FORWARD)
def test_window_within_the_skipped_hour_does_not_open(day: date) -> None:
    assert Window(time(2, 30), time(4), BERLIN).opens(_utc(day, 0)) == _utc(day, 1), "at the change"
    assert Window(time(2), time(3), BERLIN).opens(_utc(day, 0)) == _utc(day, 24), "the next day"


@pytest.mark.parametrize("day", BACK)
def test_window_within_the_repeated_hour_opens_twice(day: date) -> None:
    window = Window(time(2, 30), time(2, 50), BERLIN)
    assert window.opens(_utc(day, 0)) == _utc(day, 0, 30)
    assert window.opens(_utc(day, 0, 50)) == _utc(day, 1, 30)


def _changes(zone: ZoneInfo, year: int) -> list[date]:
    """Return the days of a year on which the zone's offset changes."""
    noons = [datetime(year, 1, 1, 12, tzinfo=UTC) + timedelta(days=day) for day in range(366)]
    pairs = itertools.pairwise(noons)
    return [
        after.date()
        for before, after in pairs
        if before.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset()
    ]


@pytest.mark.parametrize("year", range(2026, 2031))
def test_window_follows_the_wall_clock_around_every_change(year: int) -> None:
    """Check against the offset that `mst-admin apply` would send for the file's zone at that moment."""
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
                assert Window(start, end, timezone(offset)).contains(moment) == (start <= local.time() < end)
                assert Window(start, end, zone).contains(moment) == (start <= local.time() < end)
                seen += 1
    assert seen > 5000
