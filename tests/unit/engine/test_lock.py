"""One run at a time; the file of the lock goes with the lock, and nobody slips in on a removed one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mstunnel_setup.engine.lock import exclusive
from mstunnel_setup.errors import LockedError
from mstunnel_setup.host.appender import Appender
from mstunnel_setup.host.clock import SystemClock
from mstunnel_setup.host.files import Files

_LOCK = "/mstunnel-setup.lock"


class _LetGo(Files):
    """Files of a host on which another run ends between the opening of its lock and the locking."""

    gone = False

    @contextmanager
    def appender(self, path: str, mode: int = 0o600, *, durable: bool = True) -> Iterator[Appender]:
        with super().appender(path, mode, durable=durable) as opened:
            if not self.gone:
                self.remove(path)
            self.gone = True
            yield opened


def test_the_file_goes_with_the_lock(tmp_path: Path) -> None:
    with exclusive(Files(tmp_path), SystemClock(), _LOCK):
        assert list(tmp_path.iterdir()) == [tmp_path / _LOCK[1:]]
    assert list(tmp_path.iterdir()) == []


def test_the_file_goes_when_the_run_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), exclusive(Files(tmp_path), SystemClock(), _LOCK):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_lock_on_a_removed_file_is_none(tmp_path: Path) -> None:
    with (
        exclusive(_LetGo(tmp_path), SystemClock(), _LOCK),
        pytest.raises(LockedError),
        exclusive(Files(tmp_path), SystemClock(), _LOCK),
    ):
        pass
