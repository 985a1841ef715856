"""Calls in threads: results, errors, timeouts, and a host without /dev/shm."""

import errno
import multiprocessing.synchronize
import os
import threading
import time

import pytest

from mst_admin.servers import at_once
from mstunnel_setup.io.threads import DaemonPool, LateError, result_within
from mstunnel_setup.readiness.examine import gather
from mstunnel_setup.readiness.facts.section import Settings
from tests.unit.clocks import FakeClock


def _fails(number: int) -> int:
    raise ValueError(str(number))


def test_results_and_errors_are_returned() -> None:
    with DaemonPool(3) as pool:
        made = [pool.submit(pow, number, 2) for number in range(50)]
        failed = pool.submit(_fails, 7)
        assert [result_within(each, 10) for each in made] == [number**2 for number in range(50)]
        with pytest.raises(ValueError, match="7"):
            result_within(failed, 10)


def test_number_of_concurrent_calls_is_limited() -> None:
    running, most, lock = 0, 0, threading.Lock()

    def call() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1

    with DaemonPool(4) as pool:
        for each in [pool.submit(call) for _number in range(20)]:
            result_within(each, 10)
    assert most == 4


def test_hanging_call_times_out_and_delays_nothing() -> None:
    hanging, begun = threading.Event(), time.monotonic()
    with DaemonPool(1) as pool:
        late, never = pool.submit(hanging.wait), pool.submit(pow, 2, 2)
        with pytest.raises(LateError):
            result_within(late, 0.05)
    hanging.set()
    assert time.monotonic() - begun < 5
    assert result_within(late, 10)
    for _look in range(100):
        if never.cancelled():
            break
        time.sleep(0.05)
    assert never.cancelled()


@pytest.mark.usefixtures("no_shared_memory")
def test_threads_work_without_shared_memory() -> None:
    """Check a hardened host or container, which may have no /dev/shm."""
    assert at_once(lambda number: number + 1, [1, 2, 3]) == [2, 3, 4]
    facts = gather({}, Settings(), FakeClock(), 1)
    assert facts.unread == {}


@pytest.fixture
def no_shared_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_arguments: object) -> object:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(multiprocessing.synchronize._multiprocessing, "SemLock", missing)  # type: ignore[attr-defined]
