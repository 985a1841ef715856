"""The account of a rootless gateway tries to take over what root starts as the account."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import IO, Self

import pytest

from scripts.bundle import dist
from tests import programs
from tests.attack.record import record
from tests.places import for_other_users

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user"),
    pytest.mark.timeout(900),
]

# A racer seizes every process of its user: each run of the tests has another one.
UID = 30_000 + os.getpid() % 30_000
ROUNDS = 200
SECRET = "canary-of-root"
ROOT = Path(__file__).parents[2]

# Seizes each new process of the account as soon as the kernel allows it, without a pause. The environment of
# each is read, and every descriptor above the standard streams is taken and read.
RACER = r"""
import ctypes, json, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
SEIZE, CONTINUE, PIDFD_GETFD = 0x4206, 7, 438
ptrace = libc.ptrace
won = dict.fromkeys(("seized", "environ", "descriptor"), 0)
marks = sys.argv[1].encode(), b"root:"
def known():
    return {int(name) for name in os.listdir("/proc") if name.isdigit()}
def environ(pid):
    try:
        # It is empty while the kernel executes the program.
        for _look in range(1000):
            with open(f"/proc/{pid}/environ", "rb") as file:
                content = file.read()
            if content:
                break
        won["environ"] += marks[0] in content
    except OSError:
        pass
def descriptors(pid):
    try:
        numbers = [int(name) for name in os.listdir(f"/proc/{pid}/fd")]
        process = os.pidfd_open(pid)
    except OSError:
        return
    for number in numbers:
        taken = libc.syscall(PIDFD_GETFD, process, number, 0)
        if taken >= 0 and number > 2:
            try:
                won["descriptor"] += marks[1] in os.pread(taken, 4096, 0)
            except OSError:
                pass
        if taken >= 0:
            os.close(taken)
    os.close(process)
os.write(1, b"up\n")
os.set_blocking(0, False)
looked = before = 0
with open("/proc/loadavg") as file:
    before = int(file.read().split()[4])
seen = set()
while True:
    with open("/proc/loadavg") as file:
        last = int(file.read().split()[4])
    # Others start processes, too, while this one does not run.
    for pid in range(min(last, before) - 12, last + 6):
        if pid in seen or pid == os.getpid():
            continue
        if ptrace(SEIZE, pid, None, None) == 0:
            seen.add(pid)
            won["seized"] += 1
            environ(pid)
            descriptors(pid)
    try:
        pid, status = os.waitpid(-1, os.WNOHANG | 0x40000000)
        if pid and os.WIFSTOPPED(status):
            ptrace(CONTINUE, pid, None, os.WSTOPSIG(status) if status >> 16 == 0 else None)
    except ChildProcessError:
        pass
    before = last
    looked += 1
    if looked % 64 == 0:
        try:
            asked = os.read(0, 1)
        except BlockingIOError:
            continue
        if not asked:
            break
        print(json.dumps(won), flush=True)
        won = dict.fromkeys(won, 0)
"""
# What root's command does once it has found that the gateway is the account's.
HAND_OVER = r"""
import json, sys
from mstunnel_setup.io import bundle
from mstunnel_setup.io.accounts import Account
from mstunnel_setup.io.process import Processes
uid = int(sys.argv[3])
account = Account("nobody", uid, uid, "/")
for _round in range(int(sys.argv[2])):
    done = Processes().attend_as(account, [*bundle.interpreter(), *sys.argv[4:]], json.loads(sys.argv[1]))
    # What was sent has arrived: the version is shown as JSON.
    assert done.output.startswith("{"), done
"""


class Racer:
    """A racer of the account, which runs until the end of the block."""

    def __enter__(self) -> Self:
        command = ["/usr/bin/python3", "-I", "-c", RACER, SECRET]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            user=UID,
            group=UID,
            extra_groups=[],
            cwd="/",
        )
        assert self._stdout.readline() == b"up\n"
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.communicate()

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def won(self) -> dict[str, int]:
        """How often it seized a process, read the secret, read root's file; since the last call."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"?")
        self._process.stdin.flush()
        found: dict[str, int] = json.loads(self._stdout.readline())
        return found


@pytest.fixture
def one_file(reachable: Path) -> list[str]:
    """The interpreter and the program of the one file, unpacked as root unpacks it."""
    file = reachable / "mst-cli"
    shutil.copy(dist.one_file(), file)
    with dist.payload_of(file) as packed:
        packed.extractall(reachable / "tree", filter="fully_trusted")
    return [str(reachable / "tree/bin/python"), str(file)]


def python_package() -> list[str]:
    """The interpreter and the program of a Python package, whose files all users can read."""
    return [sys.executable, programs.path("mst-cli")]


def fight(program: list[str], rounds: int) -> dict[str, int]:
    """How often the account seized what root started as the account, and what it read there."""
    python, file = program
    variables = {"PATH": "/usr/bin:/bin", "HOME": "/", "MSTUNNEL_SECRET": SECRET, "MSTUNNEL_OUTPUT": "json"}
    command = [python, "-c", HAND_OVER, json.dumps(variables), str(rounds), str(UID), file, "--version"]
    # As in a script of root that holds a lock, or reads a file.
    shadow = os.open("/etc/shadow", os.O_RDONLY)
    try:
        with Racer() as racer:
            subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, pass_fds=[shadow], check=True)
            return racer.won()
    finally:
        os.close(shadow)


def test_the_racer_seizes_an_ordinary_program() -> None:
    """Without what closes a process, the attack succeeds."""
    shadow = os.open("/etc/shadow", os.O_RDONLY)
    try:
        with Racer() as racer:
            subprocess.run(
                ["/usr/bin/sleep", "0.5"],
                env={"MSTUNNEL_SECRET": SECRET},
                user=UID,
                group=UID,
                extra_groups=[],
                pass_fds=[shadow],
                check=True,
            )
            assert min(racer.won().values()) > 0
    finally:
        os.close(shadow)


def test_the_account_seizes_no_program_that_root_starts(one_file: list[str]) -> None:
    won = fight(one_file, ROUNDS)
    assert won == {"seized": 0, "environ": 0, "descriptor": 0}
    record(
        "local user",
        f"seize (ptrace) what root starts as the account, {ROUNDS} times",
        "refused by the kernel each time",
    )


@for_other_users
def test_the_account_seizes_no_python_package_that_root_starts() -> None:
    won = fight(python_package(), ROUNDS)
    assert won == {"seized": 0, "environ": 0, "descriptor": 0}
    record(
        "local user",
        f"seize a Python package that root starts as the account, {ROUNDS} times",
        "refused by the kernel each time",
    )


_SHOW = "import os; print(sorted(int(name) for name in os.listdir('/proc/self/fd')))"
_SHOW_DESCRIPTORS = f"""
import sys
from mstunnel_setup.io.accounts import Account
from mstunnel_setup.io.process import Processes
Processes().become(Account("nobody", 65534, 65534, "/"), ["/usr/bin/python3", "-c", {_SHOW!r}], {{}})
"""


@pytest.mark.parametrize("named", [("--progress-fd", "{}"), ("--progress-fd={}",), ("/dev/fd/{}",), ()])
def test_the_account_gets_only_descriptors_that_arguments_name(named: tuple[str, ...]) -> None:
    """Not the lock or the list of a script that calls the program."""
    shadow, other = (os.open("/etc/shadow", os.O_RDONLY) for _ in range(2))
    try:
        arguments = [word.format(other) for word in named]
        done = subprocess.run(
            [sys.executable, "-c", _SHOW_DESCRIPTORS, *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            pass_fds=[shadow, other],
            check=False,
        )
    finally:
        os.close(shadow)
        os.close(other)
    given: list[int] = json.loads(done.stdout)
    assert shadow not in given
    assert (other in given) == bool(named)
    record(
        "local user",
        "read a file of root through a descriptor that was left open",
        "only named ones are passed on",
    )
