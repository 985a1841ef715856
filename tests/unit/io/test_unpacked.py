"""The directory of the unpacked program is removed when no process runs from it any more."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mstunnel_setup.io.bundle import remove_unpacked
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from tests.unit.clocks import FakeClock

PLACE = "/usr/lib/mstunnel-setup"
# start.py marks its version as in use in this way.
HOLD = """import fcntl, os, sys, time
fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_SH)
print(flush=True)
"""


@pytest.fixture
def version(tmp_path: Path) -> Path:
    folder = tmp_path / PLACE.lstrip("/") / "1.2.0-0123456789ab"
    folder.mkdir(parents=True)
    (folder / "modules").touch()
    return folder


def started(*command: str) -> subprocess.Popen[bytes]:
    """Start a program that runs until its standard input is closed, and wait for its first line."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


@contextmanager
def holding(version: Path) -> Iterator[int]:
    """Run a process that has marked the version as in use."""
    with started(sys.executable, "-c", f"{HOLD}input()", str(version)) as process:
        yield process.pid
        process.communicate(b"\n")


def test_unused_version_is_removed(tmp_path: Path, version: Path) -> None:
    assert remove_unpacked(Files(tmp_path), FakeClock(), PLACE) == []
    assert not version.parent.exists()
    assert remove_unpacked(Files(tmp_path), FakeClock(), PLACE) == []


def test_version_in_use_is_kept_and_its_process_returned(tmp_path: Path, version: Path) -> None:
    with holding(version) as process:
        assert remove_unpacked(Files(tmp_path), FakeClock(), PLACE) == [process]
        assert (version / "modules").exists()
    assert remove_unpacked(Files(tmp_path), FakeClock(), PLACE) == []


def test_version_of_a_program_that_just_started_is_kept(tmp_path: Path, version: Path) -> None:
    program = version / "cat"
    shutil.copy("/bin/cat", program)
    with subprocess.Popen([program], stdin=subprocess.PIPE) as process:
        assert remove_unpacked(Files(tmp_path), FakeClock(), PLACE) == [process.pid]
        process.communicate()
    assert remove_unpacked(Files(tmp_path), FakeClock(), PLACE) == []


def test_removal_waits_for_a_command_that_ends_soon(tmp_path: Path, version: Path) -> None:
    with started(sys.executable, "-c", f"{HOLD}time.sleep(1)", str(version)) as process:
        assert remove_unpacked(Files(tmp_path), Clock(), PLACE) == []
        assert process.poll() == 0
    assert not version.parent.exists()


def test_program_can_remove_its_own_version(tmp_path: Path, version: Path) -> None:
    held = os.open(version, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_SH)
    assert remove_unpacked(Files(tmp_path), FakeClock(), PLACE) == []
    os.close(held)


def test_second_removal_does_not_wait_for_the_first(tmp_path: Path, version: Path) -> None:
    """Check that two removals do not wait for each other's end."""
    with holding(version.parent):
        handle = os.open(version.parent, os.O_RDONLY)
        assert remove_unpacked(Files(tmp_path), FakeClock(), PLACE) == []
        os.close(handle)
    assert version.exists()


@pytest.mark.parametrize(("made", "other", "left"), [(True, "", False), (True, "x", True), (False, "", True)])
def test_parent_directory_is_removed_if_the_program_made_it(
    tmp_path: Path, version: Path, other: str, *, made: bool, left: bool
) -> None:
    above = version.parents[1]
    if made:
        # scripts/bundle/boot.sh writes this mark.
        (version.parent / ".made-above").touch()
    if other:
        (above / other).touch()
    assert remove_unpacked(Files(tmp_path), FakeClock(), PLACE) == []
    assert above.exists() == left
