"""`make crash-strace`: the real program, killed by the kernel at a system call; then it runs again.

strace sees what audit events do not: child processes, C code, every write and sync.
"""

import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.crash import plugin
from tests.crash.arena import REPOSITORY, Arena, command, differences
from tests.crash.kill import KILLED, Scene
from tests.crash.tenant import environment

# Calls that change something; `write` is also the screen, which costs some points and no truth. A machine
# does not know all of them: `?` asks strace not to mind.
_CALLS = (
    *(
        "write",
        "pwrite64",
        "fsync",
        "ftruncate",
        "openat",
        "mkdir",
        "mkdirat",
        "rename",
        "renameat",
        "renameat2",
    ),
    *("unlink", "unlinkat", "rmdir", "symlinkat", "chmod", "fchmod", "fchmodat", "fchown", "fchownat"),
    *("connect", "sendto"),
)
_LINE = re.compile(r"(?P<tracee>\d+) +(?P<call>\w+)\((?P<arguments>.*)")
POINTS = 100


def traced(arena: Arena, *options: str) -> subprocess.CompletedProcess[bytes]:
    """The installation under strace with more options."""
    request = arena.request("mstunnel-setup", "--answers", str(arena.answers))
    strace = ["strace", "-f", "-qq", "-o", str(arena.directory / "strace"), *options, *command(request)]
    return subprocess.run(strace, cwd=REPOSITORY, env=environment(), capture_output=True, check=False)


def places(lines: Iterable[str]) -> list[tuple[str, int]]:
    """The calls to kill at, each with its number among the calls of that name in one thread or process.

    strace counts each of them separately. An `openat` is one only where it may make a file.
    """
    made: Counter[tuple[str, str]] = Counter()
    found: dict[tuple[str, int], None] = {}
    for match in filter(None, map(_LINE.match, lines)):
        tracee, call, arguments = match.groups()
        made[tracee, call] += 1
        if call != "openat" or "O_CREAT" in arguments:
            found[call, made[tracee, call]] = None
    return list(found)


def rehearsed(arena: Arena) -> list[tuple[str, int]]:
    """The places of an installation that is not killed."""
    done = traced(arena, "-e", f"trace={','.join(f'?{call}' for call in _CALLS)}")
    assert done.returncode == 0, done.stderr[-500:]
    return places((arena.directory / "strace").read_text(errors="replace").splitlines())


def main(wanted: int) -> int:
    """Kill at `wanted` places, spread over all calls in proportion.

    Exit code 1 when a kill is not survived, or when so many did not happen.
    """
    plugin.forget("strace")
    place = Path(tempfile.mkdtemp(prefix="strace-", dir="/dev/shm"))
    scene = Scene(Arena(place), lambda: None).rehearse()
    try:
        scene.reset()
        found = rehearsed(scene.arena)
        random.Random(3).shuffle(found)
        kills = _kills(scene, found, wanted)
    finally:
        scene.arena.close()
        shutil.rmtree(place)
    lost = [f"{kill}: {complaints[0]}" for kill, complaints in kills.items() if complaints]
    survived = f"strace: {len(kills) - len(lost)} of {len(kills)} kills survived, of {len(found)} calls"
    missing = [f"only {len(kills)} of {wanted} runs were killed"] if len(kills) < wanted else []
    sys.stdout.write("\n".join([*lost, *missing, survived, ""]))
    return 1 if lost or missing else 0


def _kills(scene: Scene, places: Sequence[tuple[str, int]], wanted: int) -> dict[str, list[str]]:
    """What was wrong after each of the first `wanted` kills; a run that reached its end is none."""
    kills: dict[str, list[str]] = {}
    for call, number in places:
        if len(kills) == wanted:
            break
        killed, complaints = _killed(scene, call, number)
        if killed:
            kills[f"{call} {number}"] = complaints
            plugin.record("strace", call=call, number=number, complaints=complaints, commit=plugin.commit())
    return kills


def _killed(scene: Scene, call: str, number: int) -> tuple[bool, list[str]]:
    """Whether the program itself died at that call, and what differs after the next run."""
    scene.reset()
    done = traced(scene.arena, "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}")
    again = scene.arena.install()
    wrong = [*differences(scene.golden, scene.arena.state()), *([again.stdout] if again.code else [])]
    return done.returncode in {KILLED, 128 - KILLED}, wrong


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else POINTS))
