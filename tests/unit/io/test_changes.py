"""Waiting for files to change and processes to end: it ends when they do, and not before."""

import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mstunnel_setup.io.changes import Changes
from mstunnel_setup.io.files import Files

_LONG = 20.0


@pytest.fixture
def changes(tmp_path: Path) -> Iterator[Changes]:
    (tmp_path / "watched").mkdir()
    with Changes(Files(tmp_path)) as changes:
        changes.watch(["/watched", "/missing"])
        yield changes


def test_wait_without_a_change_times_out(changes: Changes, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("")
    assert not changes.wait(0.1)


def test_a_file_that_is_written_ends_the_wait(changes: Changes, tmp_path: Path) -> None:
    begun = time.monotonic()
    threading.Timer(0.2, (tmp_path / "watched/file").write_text, ["content"]).start()
    assert changes.wait(_LONG)
    assert time.monotonic() - begun < _LONG / 2


def test_change_before_the_wait_ends_it_at_once(changes: Changes, tmp_path: Path) -> None:
    Files(tmp_path).write("/watched/file", b"content")
    assert changes.wait(_LONG)
    changes.watch(["/watched"])
    (tmp_path / "watched/file").unlink()
    assert changes.wait(_LONG)


def test_a_link_in_place_of_a_file_ends_the_wait(changes: Changes, tmp_path: Path) -> None:
    (tmp_path / "watched/file").symlink_to("/dev/zero")
    assert changes.wait(_LONG)


def test_change_before_the_last_watch_is_ignored(changes: Changes, tmp_path: Path) -> None:
    Files(tmp_path).write("/watched/file", b"content")
    changes.watch(["/watched"])
    assert not changes.wait(0.1)


def test_new_directory_is_watched_from_the_next_watch_on(changes: Changes, tmp_path: Path) -> None:
    (tmp_path / "missing").mkdir()
    changes.watch(["/missing"])
    Files(tmp_path).write("/missing/file", b"content")
    assert changes.wait(_LONG)


def test_end_of_a_process_ends_the_wait(changes: Changes) -> None:
    with subprocess.Popen(["sleep", "0.2"]) as process:
        assert changes.wait(_LONG, [process.pid])
    assert changes.wait(_LONG, [process.pid])
