"""Signals, lost terminals and a second run: exit codes, a sound journal, and a run that goes on."""

import json
import os
import pty
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mstunnel_setup.base import paths
from tests.crash.arena import Arena, command, differences
from tests.crash.kill import Scene
from tests.crash.tenant import environment
from tests.parameters import sample

INTERRUPTED, LOCKED = 130, 9


@pytest.fixture
def begin(arena: Arena) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start the program on its own; the engine holds it up at its first pull for `hold` seconds."""
    started: list[subprocess.Popen[bytes]] = []

    def start(hold: float = 1.0, **options: Any) -> subprocess.Popen[bytes]:
        arena.daemon.hold = hold
        request = arena.request("mstunnel-setup", "--answers", str(arena.answers), quick=False)
        pipe = subprocess.PIPE
        given = {"stdin": subprocess.DEVNULL, "stdout": pipe, "stderr": pipe, **options}
        started.append(subprocess.Popen[bytes](command(request), env=environment(), **given))
        return started[-1]

    yield start
    for process in started:
        with process:
            process.kill()


def at_work(arena: Arena) -> None:
    """Return once the run waits for the engine."""
    assert arena.daemon.holding.wait(200), "the run did not come to its first pull"


def check_it_resumes(scene: Scene) -> None:
    """The next run ends where an undisturbed one does."""
    scene.arena.daemon.hold = 0.0
    scene.arena.install().checked()
    assert differences(scene.golden, scene.arena.state()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("times", sample([1, 2], kept=(1,)))
def test_a_signal_stops_it_and_the_next_run_goes_on(
    fresh: Scene, arena: Arena, begin: Callable[..., Any], number: signal.Signals, times: int
) -> None:
    process = begin()
    at_work(arena)
    for _ in range(times):
        process.send_signal(number)
        time.sleep(0.02)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == INTERRUPTED, errors
    assert b"Traceback" not in errors
    assert json.loads(output)["errors"][0]["code"] == "interrupted"
    check_it_resumes(fresh)


def test_a_run_under_nohup_goes_on_when_the_connection_is_lost(
    fresh: Scene, arena: Arena, begin: Callable[..., Any]
) -> None:
    process = begin(preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    at_work(arena)
    process.send_signal(signal.SIGHUP)
    _output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert differences(fresh.golden, arena.state()) == []


def test_a_reader_of_both_streams_that_goes_away_stops_nothing(
    fresh: Scene, arena: Arena, begin: Callable[..., Any]
) -> None:
    process = begin()
    at_work(arena)
    process.stdout.close()
    process.stderr.close()
    assert process.wait(timeout=120) == 0
    assert differences(fresh.golden, arena.state()) == []


@pytest.mark.parametrize("closed", sample(["1", "2", "012"], kept=("012",)))
def test_standard_streams_closed_from_the_beginning_stop_nothing(
    fresh: Scene, arena: Arena, begin: Callable[..., Any], closed: str
) -> None:
    process = begin(hold=0.0, preexec_fn=lambda: deque(map(os.close, map(int, closed))))
    process.communicate(timeout=120)
    assert process.returncode == 0
    assert differences(fresh.golden, arena.state()) == []


def test_a_terminal_that_goes_away_leaves_a_run_that_can_go_on(
    fresh: Scene, arena: Arena, begin: Callable[..., Any]
) -> None:
    ours, theirs = pty.openpty()
    process = begin(stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    at_work(arena)
    os.close(ours)  # everything written from here on fails with EIO
    assert process.wait(timeout=120) == 0
    assert differences(fresh.golden, arena.state()) == []


def test_a_second_run_names_the_first_and_ends_with_9(
    fresh: Scene, arena: Arena, begin: Callable[..., Any]
) -> None:
    process = begin()
    at_work(arena)
    second = arena.install()
    holder = json.loads(arena.place(paths.LOCK).read_text())
    process.communicate(timeout=120)
    assert (second.code, second.error) == (LOCKED, "locked")
    message = second.message
    assert f"process {process.pid}, since {holder['since']}: mstunnel-setup" in message
    assert differences(fresh.golden, arena.state()) == []


def test_a_killed_run_leaves_no_lock(fresh: Scene, arena: Arena, begin: Callable[..., Any]) -> None:
    process = begin()
    at_work(arena)
    process.kill()
    process.communicate(timeout=120)
    check_it_resumes(fresh)
