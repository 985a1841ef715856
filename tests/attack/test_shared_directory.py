"""Another user of the host works beside root in a directory that all share, such as /tmp."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files
from tests.attack.record import record
from tests.attack.test_local_user import ATTACKER, outcome_of


def test_only_directories_of_root_below_tmp_are_written(reachable: Path) -> None:
    """In a sticky directory the attacker can add entries, and move none of root's."""
    shared, treasure = reachable / "shared", reachable / "treasure"
    (shared / "roots").mkdir(parents=True)
    shared.chmod(0o1777)
    treasure.write_text("root's")

    def move() -> None:
        (shared / "roots").rename(shared / "moved")

    def planting(directory: str) -> Callable[[], None]:
        return lambda: (shared / directory / "name").symlink_to(treasure)

    assert outcome_of((shared / "theirs").mkdir) == ""
    assert outcome_of(planting("theirs")) == ""
    assert outcome_of(move) == outcome_of(planting("roots")) == "PermissionError"
    files = Files(reachable)
    with pytest.raises(FileError) as caught:
        files.write("/shared/theirs/name", b"x")
    assert caught.value.code == "path-unsafe"
    files.write("/shared/roots/name", b"x")
    assert (shared / "roots" / "name").read_text() == "x"
    assert treasure.read_text() == "root's"
    record(ATTACKER, "offer root a directory below /tmp", "path-unsafe; root writes to its own alone")
