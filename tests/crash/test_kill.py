"""Killed at any instant: the next run ends in the same place, or uninstall leaves nothing (P1, P2)."""

import random
from collections.abc import Callable, Sequence

import pytest

from tests.crash import plugin
from tests.crash.kill import Scene
from tests.crash.variants import VARIANTS

CHUNKS = 16
_WAYS: dict[str, Callable[..., list[str]]] = {
    "resumed": Scene.resumed,
    "removed": Scene.removed,
    "removal-resumed": Scene.removal_resumed,
}


def chosen(count: int, chunk: int, every: int) -> Sequence[int]:
    """The points of one chunk out of `count`, spread evenly."""
    return range(1 + chunk * every, count + 1, CHUNKS * every)


def fails(scene: Scene, variant: str, way: str, point: int, then: int | None = None) -> list[str]:
    """What is wrong after a kill at `point`; recorded."""
    complaints = _WAYS[way](scene, point, **({} if then is None else {"then": then}))
    passed = scene.removal_points if way == "removal-resumed" else scene.points
    found = {"complaints": complaints, "of": len(passed), "every": VARIANTS[variant].every}
    plugin.record("kill", variant=variant, way=way, point=point, then=then, **found)
    return [f"{variant}, {way}, point {point} ({passed[point - 1]}), {then}: {text}" for text in complaints]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize("way", _WAYS)
@pytest.mark.parametrize("name", VARIANTS)
def test_a_kill_anywhere_is_survived(
    variant: Callable[[str], Scene], everything: bool, name: str, way: str, chunk: int
) -> None:
    if not everything and (chunk % 4 or name != "fresh") and chunk != 0:
        pytest.skip("a sample: run `make crash` for all points")
    scene = variant(name)
    count = len(scene.removal_points if way == "removal-resumed" else scene.points)
    points = chosen(count, chunk, VARIANTS[name].every)
    failed = [text for point in points[:: 1 if everything else 24] for text in fails(scene, name, way, point)]
    assert failed == []


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("chunk", range(8))
@pytest.mark.parametrize("way", ["resumed", "removed"])
def test_a_second_kill_in_the_next_run_is_survived(
    request: pytest.FixtureRequest, variant: Callable[[str], Scene], way: str, chunk: int
) -> None:
    scene = variant("fresh")
    dice = random.Random(f"{way} {chunk}")
    pairs = int(request.config.getoption("--kill-pairs", 8) or 8) // 8
    failed: list[str] = []
    for _ in range(pairs):
        point = dice.randrange(1, len(scene.points) + 1)
        # A resumed run passes fewer points; a number beyond its end means that it is not killed again.
        then = dice.randrange(1, len(scene.points) - point + 50 if way == "resumed" else 400)
        failed += fails(scene, "fresh", way, point, then)
    assert failed == []


def test_there_are_hundreds_of_points(variant: Callable[[str], Scene]) -> None:
    scene = variant("fresh")
    kinds = {point.split()[0] for point in scene.points}
    assert len(scene.points) > 500
    assert {"open", "write", "fsync", "rename", "mkdir", "chmod", "symlink", "POST", "GET", "engine"} <= kinds
