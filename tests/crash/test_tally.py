"""What the crash tests say about themselves: no kill is counted that did not happen, no point forgotten."""

from typing import Any

from tests.crash import tally
from tests.crash.strace import places


def runs(*points: int, of: int = 6, every: int = 1, **more: Any) -> list[dict[str, Any]]:
    row: dict[str, Any] = {
        "variant": "fresh",
        "way": "resumed",
        "then": None,
        "of": of,
        "every": every,
        "complaints": [],
    }
    return [{**row, "point": point, **more} for point in points]


def test_all_points_are_none_left_out() -> None:
    assert list(tally.left_out(runs(1, 2, 3, 4, 5, 6))) == []
    assert list(tally.left_out(runs(1, 3, 5, every=2))) == []


def test_a_point_that_was_not_run_is_named() -> None:
    found = list(tally.left_out(runs(1, 2, 4, 5, 6) + runs(3, then=2)))
    assert found == ["LEFT OUT: 1 of 6 points (fresh host, resumed): 3, ..."]


def test_installations_are_counted_by_themselves_and_a_point_once() -> None:
    kills = [
        *runs(1, 2, 2),
        *runs(3, complaints=["wrong"]),
        *runs(1, way="removal-resumed"),
        *runs(1, then=5),
    ]
    commands = [{"command": "site", "point": 1, "of": 1, "complaints": []}]
    lines = list(tally.summary(kills, commands))
    assert lines[:4] == [
        "kill points: 2 of 3 survived",
        "of uninstallations: 1 of 1 survived",
        "killed twice: 1 of 1 survived",
        "of commands: 1 of 1 survived",
    ]


def test_system_calls_are_numbered_for_each_thread_and_reading_is_no_place() -> None:
    lines = [
        '10 openat(AT_FDCWD, "/etc/hosts", O_RDONLY|O_CLOEXEC) = 3',
        '10 openat(5, ".a", O_WRONLY|O_CREAT|O_EXCL, 0600) = 4',
        '11 write(4, "x", 1 <unfinished ...>',
        '10 write(4, "y", 1) = 1',
        "11 <... write resumed>) = 1",
        '10 write(4, "z", 1) = 1',
    ]
    assert places(lines) == [("openat", 2), ("write", 1), ("write", 2)]
