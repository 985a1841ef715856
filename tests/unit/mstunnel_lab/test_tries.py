"""Limits on guessing, by a clock of which the test knows what it says."""

from mstunnel_lab.entra.safeguards import FailedAttempts
from tests.unit.clocks import FakeClock


def test_a_name_is_refused_until_its_first_wrong_try_is_old() -> None:
    clock = FakeClock()
    tries = FailedAttempts(3, 600, clock)
    for _ in range(3):
        assert not tries.exhausted("a")
        tries.count("a")
        clock.elapsed += 100
    assert (tries.exhausted("a"), tries.exhausted("b")) == (True, False)
    clock.elapsed = 599
    assert tries.exhausted("a")
    clock.elapsed = 600
    assert not tries.exhausted("a")


def test_a_name_that_is_unlocked_begins_from_nothing() -> None:
    tries = FailedAttempts(1, 600, FakeClock())
    tries.count("a")
    tries.forget("a")
    assert not tries.exhausted("a")
