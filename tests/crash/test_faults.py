"""One call through a port fails: a clear error with its exit code, and the next run goes on (P5)."""

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import ExitCode
from tests.crash import plugin
from tests.crash.arena import Arena, Ended, differences
from tests.crash.kill import Scene
from tests.parameters import sample

_ANY_CALL = (errno.EIO, errno.EACCES)
# A full or a read-only disk refuses nothing but changes.
_CHANGE = (*_ANY_CALL, errno.ENOSPC, errno.EROFS)
_CHUNKS = 8
_HTTP = ("401", "403", "429", "500", "cut", "cut after", "slow", "html")
_PROCESS = ("exit 1", "hang", "garbage")
_ENGINE = ("refused", "cut after")


@dataclass(frozen=True)
class Run:
    """A run whose calls are made to fail: where it begins, what it does, where it has to end."""

    name: str
    begin: Callable[[Scene], None]
    do: Callable[..., Ended]
    end: Callable[[Scene], dict[str, Any]]


INSTALL = Run("install", Scene.reset, Arena.install, lambda scene: scene.golden)
UNINSTALL = Run("uninstall", Scene.install, Arena.uninstall, lambda scene: scene.before)
_RUNS = pytest.mark.parametrize("run", [INSTALL, UNINSTALL], ids=lambda run: run.name)
# What `make test` runs of each kind of fault.
_KEPT_HTTP, _KEPT_PROCESS, _KEPT_ENGINE = ("500", "cut after"), ("exit 1",), ("refused",)


def calls(scene: Scene, run: Run, port: str) -> Sequence[str]:
    """Every call through a port during an undisturbed run, in order."""
    run.begin(scene)
    return run.do(scene.arena, fault={"port": port}).checked().points


def fails(scene: Scene, run: Run, fault: tuple[str, int, str], allowed: set[int]) -> list[str]:
    """What is wrong after the fault (port, number of the call, what), and after the next run; recorded."""
    port, at, what = fault
    run.begin(scene)
    ended = run.do(scene.arena, fault={"port": port, "at": at, "what": what})
    complaints = [] if ended.code in allowed else [f"exit {ended.code}: {ended.stdout[-300:]}"]
    if "Traceback" in ended.stderr + ended.stdout:
        complaints.append(ended.stderr[-500:])
    if ended.code and not (ended.error and ended.hint):
        complaints.append(f"no hint: {ended.stdout[-300:]}")
    again = run.do(scene.arena)
    if again.code:
        complaints.append(f"the next run: exit {again.code}: {again.stdout[-300:]}")
    left = differences(run.end(scene), scene.arena.state())
    complaints += [line for line in left if not _said(ended, line)]
    found = {"code": ended.code, "complaints": complaints}
    plugin.record("faults", run=run.name, port=port, at=at, what=what, **found)
    return complaints


def _said(ended: Ended, line: str) -> bool:
    """Whether the run itself has said that this will differ."""
    if line.startswith("tree /proc/modules: "):
        return re.search(r"kernel module \w+ is in use", ended.stdout) is not None
    # Where the log alone could not be written, the next run has nothing to log.
    lost = re.fullmatch(rf"tree {paths.LOG}(/\S+)?: wanted .*, found None", line)
    return bool(lost) and ended.code == 0 and "log-unwritable" in ended.stdout


@pytest.fixture
def every(everything: bool) -> int:
    """One call of how many is made to fail."""
    return 1 if everything else 116


def possible(made: Sequence[str]) -> list[tuple[int, int]]:
    """Every call by number, with every errno it may fail with."""
    return [
        (at, number)
        for at, label in enumerate(made, 1)
        for number in (_CHANGE if label.endswith(" *") else _ANY_CALL)
    ]


# 0 when only the log could not be written; 2 and 4 when what an administrator gave cannot be read.
_FILES = {0, 2, 4, 5, 7, 10}


@pytest.mark.timeout(7200)
@_RUNS
@pytest.mark.parametrize("chunk", sample(range(_CHUNKS), kept=(0,)))
def test_failure_of_any_file_operation_is_survived(fresh: Scene, every: int, run: Run, chunk: int) -> None:
    made = calls(fresh, run, "files")
    failed = []
    for at, number in possible(made)[chunk :: _CHUNKS * every]:
        found = fails(fresh, run, ("files", at, str(number)), _FILES)
        failed += [f"{at} {made[at - 1]} {os.strerror(number)}: {text}" for text in found]
    assert failed == []


def comes_of(call: str, what: str) -> int:
    """The exit code of a run one of whose requests (`METHOD URL`) got this answer."""
    match what:
        case "429":
            return ExitCode.DONE
        case "html":
            return ExitCode.NETWORK
        case "cut" | "cut after" | "slow":  # asked again, unless it may have been done already
            return ExitCode.NETWORK if call.startswith("POST ") else ExitCode.DONE
        case "500":
            return ExitCode.TENANT if "/beta/" in call else ExitCode.SIGN_IN
        case "403" if call.startswith("POST ") and call.endswith("/appRoleAssignments"):
            return ExitCode.WAITING  # an administrator has to agree
        case _:
            return ExitCode.SIGN_IN


def sampled(made: Sequence[str], every: int) -> list[tuple[int, str]]:
    """The calls by number: all of them, or one of 24, and the last."""
    numbers = {*range(1, len(made) + 1, 1 if every == 1 else 24), len(made)}
    return [(at, made[at - 1]) for at in sorted(numbers)]


def check_each_may_fail(
    scene: Scene, run: Run, port: str, what: str, allowed: Mapping[tuple[int, str], set[int]]
) -> None:
    """Each of the calls (number, label), made to end in `what`, ends a run with one of its allowed codes."""
    failed = []
    for (at, label), codes in allowed.items():
        failed += [f"{at} {label}: {text}" for text in fails(scene, run, (port, at, what), codes)]
    assert failed == []


@pytest.mark.timeout(7200)
@_RUNS
@pytest.mark.parametrize("what", sample(_HTTP, kept=_KEPT_HTTP))
def test_failure_of_any_request_is_survived(fresh: Scene, every: int, run: Run, what: str) -> None:
    made = calls(fresh, run, "http")
    allowed = {(at, call): {comes_of(call, what)} for at, call in sampled(made, every)}
    if run is INSTALL:  # the proof at its end has the patience to look again
        allowed[len(made), made[-1]] = {ExitCode.DONE}
    check_each_may_fail(fresh, run, "http", what, allowed)


# 0 where a failed question changes nothing.
_HOST = {0, 7, 10}


@pytest.mark.timeout(7200)
@_RUNS
@pytest.mark.parametrize("what", sample(_PROCESS, kept=_KEPT_PROCESS))
@pytest.mark.parametrize("name", sample(["systemd", "everything"], kept=("everything",)))
def test_failure_of_any_process_is_survived(
    variant: Callable[[str], Scene], every: int, run: Run, name: str, what: str
) -> None:
    scene = variant(name)
    made = calls(scene, run, "processes")
    wanted = {"everything": "semanage", "systemd": "quadlet" if run is INSTALL else "systemctl"}[name]
    assert any(wanted in call for call in made)
    check_each_may_fail(scene, run, "processes", what, dict.fromkeys(sampled(made, every), _HOST))


@pytest.mark.timeout(7200)
@_RUNS
@pytest.mark.parametrize("what", sample(_ENGINE, kept=_KEPT_ENGINE))
@pytest.mark.parametrize("name", sample(["fresh", "everything"], kept=("fresh",)))
def test_failure_of_any_engine_call_is_survived(
    variant: Callable[[str], Scene], every: int, run: Run, name: str, what: str
) -> None:
    scene = variant(name)
    made = calls(scene, run, "engine")
    assert "image" in made
    check_each_may_fail(scene, run, "engine", what, dict.fromkeys(sampled(made, every), _HOST))


_FULL = """
import json, os, sys
from pathlib import Path
from tests.crash.arena import Arena
from tests.crash.kill import Scene, differences
place = Path(sys.argv[1])
scene = Scene(Arena(place), lambda: None).rehearse()
arena, found = scene.arena, []
for kilobytes in json.loads(sys.argv[2]):
    scene.reset()
    assert os.system(f"mount -t tmpfs -o size=1m tmpfs {arena.root}") == 0
    for name in ("etc", "run", "var/lib", "var/log"):
        (arena.root / name).mkdir(parents=True, exist_ok=True)
    (arena.root / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\\n")
    filler = arena.root / "filler"
    filler.write_bytes(b"x" * kilobytes * 1024)
    first = arena.install()
    filler.unlink()
    again = arena.install()
    wrong = differences(scene.golden, arena.state())
    trace = first.stderr[-300:] * (first.code == 1)
    found.append([kilobytes, first.code, first.error, again.code, wrong, trace])
    assert os.system(f"umount {arena.root}") == 0
arena.close()
print(json.dumps(found))
"""


@pytest.mark.long
@pytest.mark.timeout(1600)
@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
def test_a_full_disk_is_named_and_the_next_run_goes_on(tmp_path: Path, every: int) -> None:
    """A real file system of 1 MiB, fuller and fuller, in a separate mount namespace."""
    sizes = list(range(0, 1024, 8)) if every == 1 else [0, 850, 950, 1000, 1016]
    command = ["unshare", "--mount", sys.executable, "-c", _FULL, str(tmp_path), json.dumps(sizes)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1500)
    assert done.returncode == 0, done.stderr[-2000:]
    # The lab speaks before.
    outcomes = json.loads(done.stdout.splitlines()[-1])
    for kilobytes, code, error, again, wrong, trace in outcomes:
        assert (code, error) in {(0, ""), (10, "disk-full")}, (kilobytes, code, error, trace)
        assert (again, wrong) == (0, []), (kilobytes, again, wrong)
    plugin.record("full", sizes=len(outcomes), stopped=sum(code != 0 for _k, code, *_rest in outcomes))
    assert any(code == 10 for _kilobytes, code, *_rest in outcomes)
