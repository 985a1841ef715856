"""When the monitor restarts a container, and how patiently."""

import itertools

import pytest
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


def times(count: int, condition: Condition) -> list[Condition]:
    return [condition] * count


CASES: dict[str, tuple[list[Condition], list[int]]] = {
    "a service that was given up is started at once": (["failed"], [0]),
    "one bad look is no reason": (["unhealthy", "unhealthy", "healthy", "unhealthy", "unhealthy"], []),
    "three in a row are one": (times(3, "unhealthy"), [2]),
    "what an administrator stopped stays stopped": (times(100, "stopped"), []),
    "a start that takes long is waited for": (
        ["unhealthy", "starting", "unhealthy", "starting", "unhealthy"],
        [4],
    ),
    "a good look alone is not believed": (
        [*times(4, "failed"), "healthy", *times(3, "failed")],
        [0, 1, 3, 7],
    ),
    "after ten good minutes the retry delay is reset": (
        [*times(4, "failed"), *times(11, "healthy"), *times(2, "failed")],
        [0, 1, 3, 15, 16],
    ),
    "good minutes are counted in a row": (
        [*times(8, "failed"), *times(6, "healthy"), "starting", *times(6, "healthy"), *times(3, "failed")],
        [0, 1, 3, 7, 21],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_when_a_container_is_restarted(case: str) -> None:
    conditions, expected = CASES[case]
    assert restarts(conditions) == expected


def test_restarts_that_do_not_help_become_rare() -> None:
    found = restarts(["failed"] * 120)
    pauses = [after - before for before, after in itertools.pairwise(found)]
    assert pauses[:5] == [1, 2, 4, 8, 16]
    assert set(pauses[5:]) == {30}


def test_a_container_that_is_well_only_after_its_start_is_restarted_rarely() -> None:
    looks = times(3, "unhealthy") + times(3, "starting") + times(1, "healthy")
    assert len(restarts(looks * 100, every=8.0)) < 10


conditions = st.lists(st.sampled_from(["healthy", "starting", "stopped", "failed", "unhealthy"]), max_size=60)


@given(conditions)
def test_nothing_is_restarted_that_is_well_or_stopped(seen: list[Condition]) -> None:
    assert all(seen[number] in ("failed", "unhealthy", "starting") for number in restarts(seen))


def test_containers_are_watched_apart() -> None:
    watch, due = RestartWatch().look({"mstunnel-server": "failed", "mstunnel-agent": "healthy"}, 0.0)
    assert due == ("mstunnel-server",)
    _watch, due = watch.look({"mstunnel-server": "failed", "mstunnel-agent": "failed"}, 1.0)
    assert due == ("mstunnel-agent",)
