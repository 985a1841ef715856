"""Arenas are expensive (lab tenant, first installation), so each test process has one of a kind."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.crash.arena import Arena
from tests.crash.kill import Scene
from tests.crash.variants import VARIANTS

# In memory: the tests sync thousands of times, and durability is not what a kill tests.
_MEMORY = Path("/dev/shm")


@pytest.fixture(scope="session")
def variant() -> Iterator[Callable[[str], Scene]]:
    """Scenes by the name of their variant."""
    scenes: dict[str, Scene] = {}
    places: list[Path] = []

    def scene(name: str) -> Scene:
        if name not in scenes:
            places.append(Path(tempfile.mkdtemp(prefix="crash-", dir=_MEMORY if _MEMORY.is_dir() else None)))
            scenes[name] = VARIANTS[name].scene(places[-1])
        return scenes[name]

    yield scene
    for made in scenes.values():
        made.arena.close()
    for place in places:
        shutil.rmtree(place)


@pytest.fixture
def fresh(variant: Callable[[str], Scene]) -> Scene:
    """A scene on a fresh host, everything forgotten."""
    scene = variant("fresh")
    scene.reset()
    return scene


@pytest.fixture
def arena(fresh: Scene) -> Arena:
    """The arena of a fresh host, with the usual answers."""
    return fresh.arena


@pytest.fixture
def everything(request: pytest.FixtureRequest) -> bool:
    """Whether all points are to be run."""
    return bool(request.config.getoption("--kill-points", "sample") == "all")
