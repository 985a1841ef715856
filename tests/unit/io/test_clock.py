"""The clock of the machine."""

import time

import pytest

from mstunnel_setup.io.clock import SystemClock


def test_a_signal_that_comes_just_before_a_long_wait_is_seen_within_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`mst-admin servers --watch` went on for up to 30 s after such a Ctrl-C."""
    now, waits = [100.0], []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", wait)
    SystemClock().sleep(2.5)
    monkeypatch.undo()
    assert waits == [1.0, 1.0, 0.5]


def test_a_wait_takes_its_time() -> None:
    started = time.monotonic()
    SystemClock().sleep(0.05)
    assert time.monotonic() - started >= 0.05
