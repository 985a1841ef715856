"""Power cuts: when the power fails, and what must hold after the next boot."""

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from tests.machines.installation import MachineInstallation
from tests.testbed.paths import JOURNAL
from tests.testbed.process import Completed

_FOLLOW = f"echo; exec tail --quiet --lines=0 --follow=name --retry {JOURNAL} 2>/dev/null"


@dataclass(frozen=True)
class Cut:
    """Right after the record of this number that a command writes into the journal, or after `seconds`."""

    record: int = 0
    seconds: float = 0

    def due(self, records: Sequence[str], seconds: float) -> bool:
        """Whether the time has come, so many seconds after the command was started."""
        return len(records) >= self.record if self.record else seconds >= self.seconds

    def __str__(self) -> str:
        return f"after record {self.record}" if self.record else f"after {self.seconds:.1f} s"


@dataclass(frozen=True)
class Watched:
    """What a command wrote into the journal, how long it ran, and how it ended, if the power lasted."""

    records: Sequence[str]
    seconds: float
    ended: Completed | None


def chosen(generator: random.Random, undisturbed: Watched) -> Cut:
    """An aimed cut or a random one, in a command that writes these records in this time."""
    if undisturbed.records and generator.random() < 0.5:
        return Cut(record=generator.randint(1, len(undisturbed.records)))
    return Cut(seconds=generator.uniform(0, undisturbed.seconds))


def watched(host: MachineInstallation, command: Callable[[], Completed], cut: Cut | None = None) -> Watched:
    """Run a command to its end; with `cut` the power fails when that is due, at its end at the latest."""
    ended: list[Completed] = []
    with Records(host.server.argv(["sh", "-c", _FOLLOW])) as records:
        worker = threading.Thread(target=lambda: ended.append(command()), daemon=True)
        begin = time.monotonic()
        worker.start()
        while worker.is_alive() and not (cut and cut.due(records.seen, time.monotonic() - begin)):
            time.sleep(0.02)
        seconds, running = time.monotonic() - begin, worker.is_alive()
        if cut:
            host.bed.cut()
    worker.join(60)
    return Watched(tuple(records.seen), seconds, None if running else ended[0])


class Records:
    """The records that are added to the journal, as soon as they can be read.

    `follow` is a command that writes an empty line when it begins, and each record from then on.
    """

    def __init__(self, follow: Sequence[str]) -> None:
        self.seen: list[str] = []
        self._process = subprocess.Popen(
            follow, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        # What holds the pipe open is a child of it.
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._thread.join(20)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                self.seen.append(line.decode(errors="replace"))
