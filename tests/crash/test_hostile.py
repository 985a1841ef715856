"""Foreign objects are where our files will be: refused by name, and not touched."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mstunnel_setup.base import paths
from tests.crash.arena import Arena, Ended
from tests.crash.kill import Scene
from tests.testbed.paths import JOURNAL

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other accounts")

_TARGETS = (paths.ENVIRONMENT, paths.OIDC_JSON, paths.AGENT_INFO, JOURNAL)
_NOBODY = 65534
Trick = Callable[[Path, Path], None]


@pytest.fixture
def treasure(arena: Arena) -> Iterator[Path]:
    """A foreign directory with one file; neither may change."""
    directory = arena.directory / "treasure"
    directory.mkdir()
    (directory / "file").write_text("A=1\n")
    (directory / "file").chmod(0o604)
    yield directory
    assert (directory / "file").read_text() == "A=1\n"
    assert (directory / "file").stat().st_mode & 0o777 == 0o604
    assert [path.name for path in directory.iterdir()] == ["file"]
    shutil.rmtree(directory)


def made(arena: Arena, path: str) -> Path:
    """Where a path of the host really is; the directories above it are made, for root alone."""
    place = arena.place(path)
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    return place


def check_refused(ended: Ended, path: str) -> None:
    """Ended with a named reason that says where."""
    assert ended.code == 10, ended.stdout
    assert ended.error in {
        "path-not-regular",
        "path-unsafe",
        *({"journal-damaged"} if path == JOURNAL else ()),
    }
    assert path in ended.message, ended.stdout


def link(place: Path, treasure: Path) -> None:
    place.symlink_to(treasure / "file")


def pipe(place: Path, _treasure: Path) -> None:
    os.mkfifo(place)


def directory(place: Path, _treasure: Path) -> None:
    place.mkdir()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("path", _TARGETS)
@pytest.mark.parametrize("trick", [link, pipe, directory])
def test_what_is_no_file_is_refused(arena: Arena, treasure: Path, path: str, trick: Trick) -> None:
    trick(made(arena, path), treasure)
    check_refused(arena.install(), path)
    place = made(arena, path)
    place.rmdir() if place.is_dir() and not place.is_symlink() else place.unlink()
    arena.install().checked()
    assert arena.install().envelope["status"] == "unchanged"


def test_a_hard_link_at_a_target_keeps_its_other_name(arena: Arena, treasure: Path) -> None:
    made(arena, paths.OIDC_JSON).hardlink_to(treasure / "file")
    arena.install().checked()
    assert made(arena, paths.OIDC_JSON).stat().st_nlink == 1


def test_neither_journal_nor_log_nor_lock_follow_a_hard_link(arena: Arena, treasure: Path) -> None:
    made(arena, paths.SETUP_LOG).hardlink_to(treasure / "file")
    warned = arena.install().checked()
    assert paths.SETUP_LOG in str(warned.envelope["warnings"])
    arena.uninstall().checked()
    for path in (JOURNAL, paths.LOCK):
        made(arena, path).unlink(missing_ok=True)
        made(arena, path).hardlink_to(treasure / "file")
        ended = arena.install()
        assert ended.code == 10, ended.stdout
        made(arena, path).unlink()


@pytest.mark.parametrize("path", [paths.CONFIGURATION, paths.STATE, paths.PRIVATE])
def test_a_link_in_the_place_of_a_directory_is_refused(arena: Arena, treasure: Path, path: str) -> None:
    made(arena, path).symlink_to(treasure)
    check_refused(arena.install(), path)


@pytest.mark.parametrize("change", ["mode", "owner"])
@pytest.mark.parametrize("path", [paths.CONFIGURATION, paths.PRIVATE])
def test_a_directory_that_others_may_write_to_is_refused(arena: Arena, path: str, change: str) -> None:
    made(arena, path).mkdir()
    if change == "mode":
        made(arena, path).chmod(0o775)
        os.chown(made(arena, path), 0, _NOBODY)
    else:
        os.chown(made(arena, path), _NOBODY, 0)
    ended = arena.install()
    assert (ended.code, ended.error) == (10, "path-unsafe"), ended.stdout
    assert path.rpartition("/")[2] in ended.message


def test_directory_swapped_for_a_link_leads_nowhere(arena: Arena, treasure: Path) -> None:
    arena.daemon.hold = 2.0
    configuration = made(arena, paths.CONFIGURATION)

    def swap() -> None:
        arena.daemon.holding.wait(4)
        configuration.rename(configuration.with_name("moved"))
        configuration.symlink_to(treasure)

    swapping = threading.Thread(target=swap)
    swapping.start()
    ended = arena.install()
    swapping.join()
    check_refused(ended, paths.CONFIGURATION)


def test_nothing_is_written_where_all_users_may_write(fresh: Scene, arena: Arena) -> None:
    """Not even with a hostile TMPDIR: the program has no temporary files but beside their targets."""
    before = {path.name for path in Path("/tmp").iterdir()}
    arena.install().checked()
    opened = [point for point in fresh.points if point.startswith("open ")]
    assert opened
    assert not [point for point in opened if "/tmp" in point]
    assert not [
        name for name in {path.name for path in Path("/tmp").iterdir()} - before if "mstunnel" in name
    ]
