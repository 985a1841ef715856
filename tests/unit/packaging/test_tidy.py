"""The start of the one file removes older versions of it, and starts whatever else is beside it."""

import fcntl
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

START = Path(__file__).parents[3] / "scripts/bundle/start"
OWN, OLDER, NEWER = "1.2.0-0123456789ab", "1.1.9-0123456789ab", "1.10.0-0123456789ab"
FOREIGN = ("lost+found", "note.txt", "1.0-notes", "1.0", "-0123456789ab", "x-0123456789ab", ".hidden")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in (OWN, OLDER, NEWER):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    return tmp_path


def tidy(place: Path, own: str = OWN) -> set[str]:
    """The names that are left beside the version `own`, itself included."""
    runpy.run_path(str(START / "tidy.py"))["remove_others"](f"{place}/{own}")
    return {path.name for path in place.iterdir()}


def test_an_older_version_is_removed_and_a_newer_one_stays(place: Path) -> None:
    assert tidy(place) == {OWN, NEWER}


def test_an_older_version_that_runs_stays(place: Path) -> None:
    held = os.open(place / OLDER, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_SH)
    assert tidy(place) == {OWN, OLDER, NEWER}
    os.close(held)
    assert tidy(place) == {OWN, NEWER}


def test_what_others_put_there_stays(place: Path) -> None:
    for name in FOREIGN:
        (place / name).touch()
    assert tidy(place) == {OWN, NEWER, *FOREIGN}


def test_a_folder_of_another_name_removes_no_version(place: Path) -> None:
    (place / "copy").mkdir()
    assert tidy(place, "copy") == {OWN, OLDER, NEWER, "copy"}


def test_version_removed_meanwhile_stops_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "listdir", lambda _place: ["1.0.0-0123456789ab", OLDER, OWN])
    assert tidy(place) == {OWN, NEWER}


def test_leftovers_are_removed_and_files_in_use_stay(place: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left = {f".{OLDER}.{gone.pid}", f".{OWN}.{gone.pid}.damaged"}
    needed = {f".{NEWER}.{os.getpid()}"}
    for name in left | needed:
        (place / name).mkdir()
    assert tidy(place) == {OWN, NEWER, *needed}


def test_a_place_that_cannot_be_listed_stops_no_start(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> list[str]:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.syspath_prepend(START)
    start = runpy.run_path(str(START / "start.py"))["tidy"]
    monkeypatch.setitem(start.__globals__, "FOLDER", str(place / OWN))
    monkeypatch.setattr(os, "listdir", refuse)
    start()
