"""Killed at any instant: the next run ends in the same place, or uninstall leaves nothing (P1, P2)."""

import random
from collections.abc import Callable, Sequence
from itertools import product

import pytest

from tests.crash import plugin
from tests.crash.kill import Scene
from tests.crash.variants import VARIANTS
from tests.parameters import sample

CHUNKS = 16
# The hosts of which `make test` runs a chunk: the plainest, the fullest, and the one with a gateway.
_KEPT = ("fresh", "everything", "vendor")
_WAYS: dict[str, Callable[..., list[str]]] = {
    "resumed": Scene.resumed,
    "removed": Scene.removed,
    "removal-resumed": Scene.removal_resumed,
}


def cases(*, everything: bool) -> list[tuple[str, str, int]]:
    """Host, way and chunk of each test of the kill loop: all, or a sample with each host and each way."""
    return [
        (name, way, chunk)
        for name, way, chunk in product(VARIANTS, _WAYS, range(CHUNKS))
        if everything or chunk == 0 or (name == "fresh" and chunk % 4 == 0)
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Generate what is run and no more: a test that is always skipped would hide one that should not be."""
    if metafunc.definition.originalname == "test_a_kill_anywhere_is_survived":
        everything = metafunc.config.getoption("--kill-points", "sample") == "all"
        kept = {(name, way, 0) for name, way in product(_KEPT, _WAYS)}
        metafunc.parametrize(("name", "way", "chunk"), sample(cases(everything=everything), kept=kept))


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


@pytest.mark.timeout(7200)
def test_a_kill_anywhere_is_survived(
    variant: Callable[[str], Scene], everything: bool, name: str, way: str, chunk: int
) -> None:
    scene = variant(name)
    count = len(scene.removal_points if way == "removal-resumed" else scene.points)
    points = chosen(count, chunk, VARIANTS[name].every)
    failed = [text for point in points[:: 1 if everything else 24] for text in fails(scene, name, way, point)]
    assert failed == []


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("chunk", sample(range(8), kept=(0,)))
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


def test_kill_loop_covers_each_point_once() -> None:
    everything = cases(everything=True)
    assert len(set(everything)) == len(everything) == len(VARIANTS) * len(_WAYS) * CHUNKS
    points = [point for chunk in range(CHUNKS) for point in chosen(1000, chunk, 1)]
    assert sorted(points) == list(range(1, 1001))


def test_a_sample_of_the_kill_loop_has_each_host_and_way() -> None:
    chosen_cases = cases(everything=False)
    assert {(name, way) for name, way, _ in chosen_cases} == set(product(VARIANTS, _WAYS))
    assert set(chosen_cases) < set(cases(everything=True))
    assert len(chosen_cases) == 33
