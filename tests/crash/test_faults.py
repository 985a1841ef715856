"""One call through a port fails: a clear error with its exit code, and the next run goes on (P5)."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from mstunnel_setup import paths
from tests.crash import plugin
from tests.crash.arena import Ended, differences
from tests.crash.kill import Scene

_ANY_CALL = (errno.EIO, errno.EACCES)
# A full or a read-only disk refuses nothing but changes.
_CHANGE = (*_ANY_CALL, errno.ENOSPC, errno.EROFS)
_CHUNKS = 8
# What may come of each answer: retried and done (0), sign-in (5), tenant (6), network (8), waiting (11).
_HTTP = {
    "401": {5},
    "403": {5, 11},
    "429": {0},
    "500": {5, 6, 8},
    "cut": {0, 8},
    "cut after": {0, 8},
    "slow": {0, 8},
    "html": {5, 6, 8},
}
_PROCESS = ("exit 1", "hang", "garbage")


def calls(scene: Scene, port: str) -> Sequence[str]:
    """Every call through a port during an installation, in order."""
    scene.reset()
    ended = scene.arena.install(fault={"port": port, "at": 0, "what": ""})
    assert ended.code == 0, ended.stdout
    return ended.points


def fails(scene: Scene, port: str, at: int, what: str, allowed: set[int]) -> list[str]:
    """What is wrong when call number `at` fails in this way, and after the run that follows; recorded."""
    scene.reset()
    ended = scene.arena.install(fault={"port": port, "at": at, "what": what})
    complaints = [] if ended.code in allowed else [f"exit {ended.code}: {ended.stdout[-300:]}"]
    if "Traceback" in ended.stderr + ended.stdout:
        complaints.append(ended.stderr[-500:])
    if ended.code and not (ended.error and ended.envelope["errors"][0]["hint"]):
        complaints.append(f"no hint: {ended.stdout[-300:]}")
    again = scene.arena.install()
    if again.code:
        complaints.append(f"the next run: exit {again.code}: {again.stdout[-300:]}")
    lost = _could_not_log(ended)
    complaints += [line for line in differences(scene.golden, scene.arena.state()) if lost not in line]
    plugin.record("faults", port=port, at=at, what=what, code=ended.code, complaints=complaints)
    return complaints


def _could_not_log(ended: Ended) -> str:
    """The folder that lacks its log when that alone could not be written: the next run has nothing to log."""
    unwritten = ended.code == 0 and "log-unwritable" in ended.stdout
    return paths.LOG if unwritten else "\0"


@pytest.fixture
def every(request: pytest.FixtureRequest) -> int:
    """One call of how many is made to fail."""
    return 1 if request.config.getoption("--kill-points", "sample") == "all" else 116


def possible(made: Sequence[str]) -> list[tuple[int, int]]:
    """Every call by number, with every errno it may fail with."""
    return [
        (at, number)
        for at, label in enumerate(made, 1)
        for number in (_CHANGE if label.endswith(" *") else _ANY_CALL)
    ]


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("chunk", range(_CHUNKS))
def test_every_file_operation_may_fail(fresh: Scene, every: int, chunk: int) -> None:
    made = calls(fresh, "files")
    failed = []
    for at, number in possible(made)[chunk :: _CHUNKS * every]:
        # 0 when only the log could not be written; 2 and 4 when what an administrator gave cannot be read.
        found = fails(fresh, "files", at, str(number), {0, 2, 4, 5, 7, 10})
        failed += [f"{at} {made[at - 1]} {os.strerror(number)}: {text}" for text in found]
    assert failed == []


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("chunk", range(2))
def test_every_file_operation_of_an_uninstallation_may_fail(fresh: Scene, every: int, chunk: int) -> None:
    arena, failed = fresh.arena, []
    fresh.reset()
    arena.install()
    made = arena.uninstall(fault={"port": "files", "at": 0, "what": ""}).points
    for at in range(1 + chunk, len(made) + 1, 2 * every):
        fresh.reset()
        arena.install()
        ended = arena.uninstall(fault={"port": "files", "at": at, "what": str(errno.EIO)})
        complaints = (
            [] if ended.code in {0, 2, 4, 5, 7, 10} else [f"exit {ended.code}: {ended.stdout[-300:]}"]
        )
        again = arena.uninstall()
        complaints += [f"the next run: exit {again.code}: {again.stdout[-300:]}"] if again.code else []
        complaints += differences(fresh.before, arena.state())
        plugin.record("faults", port="removal", at=at, what="5", code=ended.code, complaints=complaints)
        failed += [f"{at} {made[at - 1]}: {text}" for text in complaints]
    assert failed == []


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("what", _HTTP)
def test_every_request_may_fail(fresh: Scene, every: int, what: str) -> None:
    made = calls(fresh, "http")
    failed = []
    for at in range(1, len(made) + 1, 1 if every == 1 else 9):
        # The proof at the end has the patience to look again.
        allowed = _HTTP[what] | ({0} if at == len(made) else set())
        failed += [f"{at} {made[at - 1]}: {text}" for text in fails(fresh, "http", at, what, allowed)]
    assert failed == []


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("what", _PROCESS)
@pytest.mark.parametrize(("name", "program"), [("systemd", "quadlet"), ("everything", "semanage")])
def test_every_process_may_fail(
    variant: Callable[[str], Scene], every: int, name: str, program: str, what: str
) -> None:
    scene = variant(name)
    made = calls(scene, "processes")
    assert any(program in call for call in made)
    failed = []
    for at in range(1, len(made) + 1, 1 if every == 1 else 9):
        # 0 where a failed question changes nothing.
        failed += [f"{at} {made[at - 1]}: {text}" for text in fails(scene, "processes", at, what, {0, 7, 10})]
    assert failed == []


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


@pytest.mark.timeout(1600)
@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
def test_a_full_disk_is_named_and_the_next_run_goes_on(tmp_path: Path, every: int) -> None:
    """A real file system of 1 MiB, fuller and fuller, in a mount namespace of its own."""
    sizes = list(range(0, 1024, 8)) if every == 1 else [0, 850, 950, 1000, 1016]
    command = ["unshare", "--mount", sys.executable, "-c", _FULL, str(tmp_path), json.dumps(sizes)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1500)
    assert done.returncode == 0, done.stderr[-2000:]
    outcomes = json.loads(done.stdout)
    for kilobytes, code, error, again, wrong, trace in outcomes:
        assert (code, error) in {(0, ""), (10, "disk-full")}, (kilobytes, code, error, trace)
        assert (again, wrong) == (0, []), (kilobytes, again, wrong)
    plugin.record("full", sizes=len(outcomes), stopped=sum(code != 0 for _k, code, *_rest in outcomes))
    assert any(code == 10 for _kilobytes, code, *_rest in outcomes)
