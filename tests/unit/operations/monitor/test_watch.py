"""When the monitor restarts a container, and how patiently."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from mstunnel_setup.operations.monitor.watch import Condition, RestartWatch

NAME = "mstunnel-server"
MINUTE = 60.0


def restarts(conditions: list[Condition], *, every: float = MINUTE) -> list[int]:
    """Numbers of the looks after which the container is restarted."""
    watch, found = RestartWatch(), []
    for number, condition in enumerate(conditions):
        watch, due = watch.look({NAME: condition}, number * every)
        found += [number] if due else []
    return found


def test_a_service_that_was_given_up_is_started_at_once() -> None:
    assert restarts(["failed"]) == [0]


def test_one_bad_look_is_no_reason() -> None:
    assert restarts(["unhealthy", "unhealthy", "well", "unhealthy", "unhealthy"]) == []
    assert restarts(["unhealthy", "unhealthy", "unhealthy"]) == [2]


def test_what_an_administrator_stopped_stays_stopped() -> None:
    assert restarts(["stopped"] * 100) == []


def test_a_start_that_takes_long_is_waited_for() -> None:
    assert restarts(["unhealthy", "starting", "unhealthy", "starting", "unhealthy"]) == [4]


def test_restarts_that_do_not_help_become_rare() -> None:
    found = restarts(["failed"] * 120)
    pauses = [after - before for before, after in itertools.pairwise(found)]
    assert pauses[:5] == [1, 2, 4, 8, 16]
    assert set(pauses[5:]) == {30}


def times(count: int, condition: Condition) -> list[Condition]:
    return [condition] * count


def test_a_good_look_alone_is_not_believed() -> None:
    assert restarts([*times(4, "failed"), "well", *times(3, "failed")]) == [0, 1, 3, 7]


def test_after_ten_good_minutes_the_retry_delay_is_reset() -> None:
    assert restarts([*times(4, "failed"), *times(11, "well"), *times(2, "failed")]) == [0, 1, 3, 15, 16]


def test_good_minutes_are_counted_in_a_row() -> None:
    good = times(6, "well")
    assert restarts([*times(8, "failed"), *good, "starting", *good, *times(3, "failed")]) == [0, 1, 3, 7, 21]


def test_a_container_that_is_well_only_after_its_start_is_restarted_rarely() -> None:
    looks = times(3, "unhealthy") + times(3, "starting") + times(1, "well")
    assert len(restarts(looks * 100, every=8.0)) < 10


conditions = st.lists(st.sampled_from(["well", "starting", "stopped", "failed", "unhealthy"]), max_size=60)


@given(conditions)
def test_nothing_is_restarted_that_is_well_or_stopped(seen: list[Condition]) -> None:
    assert all(seen[number] in ("failed", "unhealthy", "starting") for number in restarts(seen))


def test_containers_are_watched_apart() -> None:
    watch, due = RestartWatch().look({"mstunnel-server": "failed", "mstunnel-agent": "well"}, 0.0)
    assert due == ("mstunnel-server",)
    _watch, due = watch.look({"mstunnel-server": "failed", "mstunnel-agent": "failed"}, 1.0)
    assert due == ("mstunnel-agent",)
