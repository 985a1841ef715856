"""One run at a time; the lock file is removed with the lock, and a lock on a removed file is not valid."""

import fcntl
import json
import multiprocessing
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from mstunnel_setup.base.errors import LockedError
from mstunnel_setup.io.appender import Appender
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.transaction.lock import exclusive
from tests.unit.clocks import FakeClock

_LOCK = "/mstunnel-setup.lock"


class _LetGo(Files):
    """Files of a host on which another run ends between opening and locking of the lock file."""

    gone = False

    @contextmanager
    def appender(self, path: str, mode: int = 0o600, *, durable: bool = True) -> Iterator[Appender]:
        with super().appender(path, mode, durable=durable) as opened:
            if not self.gone:
                self.remove(path)
            self.gone = True
            yield opened


def test_lock_file_is_removed_with_the_lock(tmp_path: Path) -> None:
    with exclusive(Files(tmp_path), Clock(), _LOCK):
        assert list(tmp_path.iterdir()) == [tmp_path / _LOCK[1:]]
    assert list(tmp_path.iterdir()) == []


def test_a_run_waits_for_one_that_ends_soon(tmp_path: Path) -> None:
    clock = FakeClock()
    with ExitStack() as first:
        first.enter_context(exclusive(Files(tmp_path), clock, _LOCK))
        with pytest.raises(LockedError), exclusive(Files(tmp_path), clock, _LOCK, patience=0.3):
            pass
        clock.during = [first.close]
        told: list[str] = []
        with exclusive(Files(tmp_path), clock, _LOCK, patience=10, waiting=lambda: told.append("waits")):
            assert clock.elapsed < 1
        assert told == ["waits"]


def test_lock_file_is_removed_when_the_run_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), exclusive(Files(tmp_path), Clock(), _LOCK):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_lock_on_a_removed_file_is_not_valid(tmp_path: Path) -> None:
    with (
        exclusive(_LetGo(tmp_path), Clock(), _LOCK),
        pytest.raises(LockedError),
        exclusive(Files(tmp_path), Clock(), _LOCK),
    ):
        pass


def message(tmp_path: Path) -> str:
    with pytest.raises(LockedError) as caught, exclusive(Files(tmp_path), Clock(), _LOCK):
        pass
    return caught.value.message


@pytest.mark.parametrize("left", [False, True], ids=["new", "left readable by a killed run"])
def test_lock_file_is_private_with_any_umask(tmp_path: Path, left: bool) -> None:
    before = os.umask(0)
    if left:
        (tmp_path / _LOCK[1:]).touch(0o644)
    try:
        with exclusive(Files(tmp_path), Clock(), _LOCK):
            assert stat.S_IMODE((tmp_path / _LOCK[1:]).stat().st_mode) == 0o600
    finally:
        os.umask(before)


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_another_user_cannot_open_the_lock_file(tmp_path: Path) -> None:
    directory = os.open(tmp_path, os.O_RDONLY)  # the attacker has passed the directories above, as in /run

    def attack() -> None:
        os.setuid(65534)
        try:
            os.open(_LOCK[1:], os.O_RDONLY, dir_fd=directory)
        except PermissionError:
            sys.exit(0)
        sys.exit(1)

    with exclusive(Files(tmp_path), Clock(), _LOCK):
        attacker = multiprocessing.get_context("fork").Process(target=attack)
        attacker.start()
        attacker.join()
    os.close(directory)
    assert attacker.exitcode == 0


def test_message_names_the_holder_of_the_lock(tmp_path: Path) -> None:
    with exclusive(Files(tmp_path), Clock(), _LOCK):
        assert f"(process {os.getpid()}, since " in message(tmp_path)


@pytest.mark.parametrize("pid", [1, 2**22 + 1, "1", None], ids=["lives", "dead", "text", "none"])
def test_message_names_no_process_without_the_lock(tmp_path: Path, pid: object) -> None:
    """Check a file of a killed run, whose next holder has not written yet."""
    stale = {"pid": pid, "since": "2026-01-01", "command": "mstunnel-setup"}
    (tmp_path / _LOCK[1:]).write_text(json.dumps(stale))
    with (tmp_path / _LOCK[1:]).open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert message(tmp_path) == "another run is in progress"
