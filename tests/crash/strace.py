"""`make crash-strace`: the real program, killed by the kernel at a system call; then it runs again.

strace sees what audit events do not: child processes, C code, every write and sync.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.crash import plugin
from tests.crash.arena import REPOSITORY, Arena, differences
from tests.crash.kill import Scene

# Calls that change something; `write` is also the screen, which costs some points and no truth.
_CALLS = (
    "write",
    "fsync",
    "rename",
    "renameat",
    "mkdirat",
    "unlinkat",
    "fchmod",
    "symlinkat",
    "sendto",
    "ftruncate",
)
POINTS = 100


def traced(arena: Arena, *options: str) -> subprocess.CompletedProcess[bytes]:
    """The installation under strace with more options."""
    request = arena.request("mstunnel-setup", "--answers", str(arena.answers))
    program = [sys.executable, "-m", "tests.crash.program", json.dumps(request)]
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    command = ["strace", "-f", "-qq", "-o", str(arena.directory / "strace"), *options, *program]
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, check=False)


def counts(arena: Arena) -> dict[str, int]:
    """How often an installation makes each call."""
    done = traced(arena, "-e", f"trace={','.join(_CALLS)}")
    assert done.returncode == 0, done.stderr[-500:]
    lines = (arena.directory / "strace").read_text(errors="replace").splitlines()
    names = [line.split()[1].partition("(")[0] for line in lines if "(" in line]
    return {call: names.count(call) for call in _CALLS if call in names}


def main(wanted: int) -> int:
    """Kill at `wanted` places, spread over all calls in proportion; exit code 1 when one is not survived."""
    place = Path(tempfile.mkdtemp(prefix="strace-", dir="/dev/shm"))
    scene = Scene(Arena(place), lambda: None).rehearse()
    try:
        scene.reset()
        made = counts(scene.arena)
        places = [(call, number) for call, count in made.items() for number in range(1, count + 1)]
        lost = [
            f"{call} {number}: {line}"
            for call, number in random.Random(3).sample(places, wanted)
            for line in _fails(scene, call, number)
        ]
    finally:
        scene.arena.close()
        shutil.rmtree(place)
    sys.stdout.write(
        "\n".join([*lost, f"strace: {wanted - len(lost)} of {wanted} survived, of {len(places)} calls\n"])
    )
    return 1 if lost else 0


def _fails(scene: Scene, call: str, number: int) -> list[str]:
    scene.reset()
    done = traced(scene.arena, "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}")
    again = scene.arena.install()
    wrong = [*differences(scene.golden, scene.arena.state()), *([again.stdout] if again.code else [])]
    plugin.record("strace", call=call, number=number, killed=done.returncode in (-9, 137), complaints=wrong)
    return wrong[:1]


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else POINTS))
