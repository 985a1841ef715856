"""Calls in daemon threads: one that hangs in a system call delays neither the caller nor the program's end.

`concurrent.futures.ThreadPoolExecutor` waits for its threads at the end, and `multiprocessing.pool` needs
/dev/shm, which a container or a hardened host may lack.
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Self, TypeVar

Made = TypeVar("Made")


class LateError(Exception):
    """A call has not ended in time."""


class DaemonPool:
    """A pool of at most `size` concurrent calls.

    Calls that have not begun when the block ends are cancelled.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        for _number in range(self._size):
            threading.Thread(target=self._work, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for _number in range(self._size):
            self._calls.put(None)

    def submit(self, function: Callable[..., Made], *arguments: object) -> "Future[Made]":
        """Queue a call of the function; the future gets its result or exception."""
        future: Future[Made] = Future()

        def call() -> None:
            if self._ended.is_set():
                future.cancel()
            if not future.set_running_or_notify_cancel():
                return
            try:
                made = function(*arguments)
            except BaseException as error:  # noqa: BLE001 (it is raised where the result is asked for)
                future.set_exception(error)
            else:
                future.set_result(made)

        self._calls.put(call)
        return future

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()


def result_within(future: "Future[Made]", seconds: float) -> Made:
    """Return the result of a call or raise its exception. Raises LateError if it still runs."""
    if not wait([future], timeout=max(0.0, seconds)).done:
        raise LateError
    return future.result()
