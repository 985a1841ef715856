"""What a recipe made is kept until the recipe changes, and what has a longer name is another thing."""

from pathlib import Path

import pytest

from tests.machines import places


def test_a_recipe_is_followed_once_and_replaces_its_earlier_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "DIRECTORY", tmp_path)
    monkeypatch.setattr("tests.testbed.cache.unshared", lambda: True)
    made: list[Path] = []

    def make(directory: Path) -> None:
        made.append(directory)
        (directory / "file").touch()

    other = places.kept("trixie-docker", "recipe", make)
    first = places.kept("trixie", "recipe", make)
    assert places.kept("trixie", "recipe", make) == first
    assert len(made) == 2

    second = places.kept("trixie", "another", make)

    assert sorted(tmp_path.iterdir()) == sorted([other, second])
    assert (second / "file").exists()
