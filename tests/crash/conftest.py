"""Arenas are expensive (lab tenant, fork server), so each test process has one of a kind."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.crash.arena import Arena
from tests.crash.kill import Scene

# In memory: the tests sync thousands of times, and durability is not what a kill tests.
_MEMORY = Path("/dev/shm")


def _nothing() -> None:
    """A host without anything of ours or anybody's."""


@pytest.fixture(scope="session")
def variant() -> Iterator[Callable[[str], Scene]]:
    """Scenes by name: `fresh`, `occupied` (somebody's files where ours will be), `systemd`."""
    scenes: dict[str, Scene] = {}
    arenas: list[Arena] = []
    places: list[Path] = []

    def scene(name: str) -> Scene:
        if name not in scenes:
            places.append(Path(tempfile.mkdtemp(prefix="crash-", dir=_MEMORY if _MEMORY.is_dir() else None)))
            arena = Arena(places[-1], systemd=name == "systemd")
            arenas.append(arena)
            scenes[name] = Scene(arena, arena.occupy if name == "occupied" else _nothing).rehearse()
        return scenes[name]

    yield scene
    for arena in arenas:
        arena.close()
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
    fresh.arena.write_answers({})
    return fresh.arena


@pytest.fixture
def everything(request: pytest.FixtureRequest) -> bool:
    """Whether all points are to be run."""
    return bool(request.config.getoption("--kill-points", "sample") == "all")
