"""What a user of the host can do to root: the account of a rootless gateway, or anybody."""

import compileall
import fcntl
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CheckError, LockedError
from mstunnel_setup.install import rootless
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files
from mstunnel_setup.transaction.lock import exclusive
from tests.attack.record import record
from tests.places import for_other_users

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user"),
    pytest.mark.timeout(120),
]

ATTACKER = "local user"
UID = 65534
ROOT = Path(__file__).parents[2]
_TIOCSTI = Path("/proc/sys/dev/tty/legacy_tiocsti")


def become(uid: int) -> None:
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)


@contextmanager
def attacker(attack: Callable[[], None], uid: int) -> Iterator[None]:
    """The attack runs as another user meanwhile."""

    def run() -> None:
        become(uid)
        attack()

    process = get_context("fork").Process(target=run)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def outcome_of(attack: Callable[[], None]) -> str:
    """The name of the error that the attack ends with, as another user; empty when it succeeds."""
    reading, writing = os.pipe()

    def run() -> None:
        become(UID)
        try:
            attack()
        except OSError as error:
            os.write(writing, type(error).__name__.encode())

    process = get_context("fork").Process(target=run)
    process.start()
    process.join()
    os.close(writing)
    with os.fdopen(reading) as stream:
        return stream.read()


# --- root's terminal ------------------------------------------------------------------------------------

# In the place of the account's program: types into every terminal that it can find.
_HOSTILE = r"""
import fcntl, glob, json, os, termios
found = {"typed": [], "session": os.getsid(0) == os.getpid()}
places = [0, 1, 2, "/dev/tty", "/dev/console", *glob.glob("/dev/pts/*"), *glob.glob("/proc/[0-9]*/fd/*")]
own = {os.ttyname(number) for number in (0, 1, 2) if os.isatty(number)}
if int(open("/proc/self/stat").read().rpartition(")")[2].split()[4]) == os.stat(0).st_rdev:
    own.add("/dev/tty")  # the terminal of the session is the very one
for place in places:
    try:
        handle = place if isinstance(place, int) else os.open(place, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)
        if not os.isatty(handle):
            continue
        for letter in b"touch OWNED\n":
            fcntl.ioctl(handle, termios.TIOCSTI, bytes([letter]))
        found["typed"].append(os.ttyname(handle))
    except OSError:
        pass
found["elsewhere"] = sorted(set(found["typed"]) - own)
found["own"] = sorted(own)
print("FOUND" + json.dumps(found) + "END", flush=True)
"""
# Root's shell: it has the account's program run, then looks at what was typed at its own prompt meanwhile.
_SHELL = """
import json, os, select, subprocess, sys
subprocess.run([sys.executable, "-c", sys.argv[1], sys.argv[2]])
ready, _, _ = select.select([0], [], [], 1)
print("SHELL" + json.dumps([os.ttyname(0), os.read(0, 4096).decode() if ready else ""]) + "END", flush=True)
"""
_BECOME = """
import sys
from mstunnel_setup.io.accounts import Account
from mstunnel_setup.io.process import Processes
account = Account("nobody", 65534, 65534, "/")
{call}(account, ["/usr/bin/python3", "-c", sys.argv[1]], {{"PATH": "/usr/bin:/bin"}})
"""
_WAYS = {
    "goes on as the account": _BECOME.format(call="Processes().become"),
    "has the account do its half": _BECOME.format(call="done = Processes().attend_as") + "print(done.output)",
}


def said(text: str, what: str) -> Any:
    """What a program of these tests has printed under this word."""
    return json.loads(text.partition(what)[2].partition("END")[0].replace("\r\n", ""))


@pytest.mark.skipif(
    not _TIOCSTI.exists() or _TIOCSTI.read_text() != "1\n",
    reason="this kernel lets no process type for others",
)
@pytest.mark.parametrize("way", _WAYS)
def test_the_account_types_nothing_into_the_shell_of_root(way: str) -> None:
    process, handle = pty.fork()
    if process == 0:
        os.chdir(ROOT)
        os.execv(sys.executable, [sys.executable, "-c", _SHELL, _WAYS[way], _HOSTILE])
    shown = b""
    while select.select([handle], [], [], 30)[0]:
        try:
            shown += os.read(handle, 65536)
        except OSError:
            break
    os.waitpid(process, 0)
    terminal, typed = said(shown.decode(), "SHELL")
    found = said(shown.decode(), "FOUND")
    assert typed == "", found
    assert found["elsewhere"] == []
    assert terminal not in found["own"]
    assert found["session"]
    record(ATTACKER, f"type into root's shell (TIOCSTI) while root {way}", "nothing arrives there")


# --- what root runs -------------------------------------------------------------------------------------

_RUN = "import sys; from mstunnel_setup.cli.setup import main; sys.exit(main())"


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program in a separate directory, as root has unpacked it; compiled once."""
    library = tmp_path_factory.mktemp("unpacked")
    without = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "mstunnel_setup", library / "mstunnel_setup", ignore=without)
    compileall.compile_dir(library, quiet=1)
    return library


@pytest.fixture
def library(reachable: Path, unpacked: Path) -> Path:
    """A copy of it that another user can reach."""
    shutil.copytree(unpacked, reachable / "lib")
    return reachable / "lib"


def started(library: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", _RUN, *arguments]
    environment = {"PYTHONPATH": str(library), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, check=False)


def owned_file(library: Path) -> Path:
    os.chown(library / "mstunnel_setup/install/install.py", UID, UID)
    return library / "mstunnel_setup/install/install.py"


def writable_file(library: Path) -> Path:
    (library / "mstunnel_setup/install/install.py").chmod(0o666)
    return library / "mstunnel_setup/install/install.py"


def owned_directory(library: Path) -> Path:
    os.chown(library, UID, UID)
    return library


def writable_directory_above(library: Path) -> Path:
    library.parent.chmod(0o777)
    return library.parent


def directory_of_a_group(library: Path) -> Path:
    os.chown(library / "mstunnel_setup/cli", 0, 54321)
    (library / "mstunnel_setup/cli").chmod(0o775)
    return library / "mstunnel_setup/cli"


def linked_by_the_account(library: Path) -> Path:
    """The directory is root's, the way to it is not."""
    link = library.with_name("link")
    link.symlink_to(library)
    os.chown(link, UID, UID, follow_symlinks=False)
    return link


_CHANGES = (
    owned_file,
    writable_file,
    owned_directory,
    writable_directory_above,
    directory_of_a_group,
    linked_by_the_account,
)


@pytest.mark.parametrize("change", _CHANGES)
def test_root_runs_no_code_that_another_user_can_change(
    library: Path, change: Callable[[Path], Path]
) -> None:
    assert started(library, "--version").returncode == 0
    changed = change(library)
    refused = started(changed if changed.is_symlink() else library, "--version", "--output", "json")
    assert refused.returncode == 3, refused.stdout + refused.stderr
    (error,) = json.loads(refused.stdout)["errors"]
    assert error["code"] == "program-unsafe"
    assert str(changed) in error["message"]
    record(
        ATTACKER, f"have root run changed code ({change.__name__.replace('_', ' ')})", "root refuses to start"
    )


def test_no_hint_runs_a_program_of_the_account_as_root(
    reachable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = reachable / "mstunnel-setup"
    own.write_text("#!/bin/sh\n")
    os.chown(own, UID, UID)
    monkeypatch.setenv("MSTUNNEL_ONE_FILE", str(own))
    monkeypatch.setattr(os, "geteuid", lambda: UID)
    assert rootless.command_by_hand()[0] == "/usr/sbin/mstunnel-setup"
    # The account's own sudo, which its sudoers may refuse, is another matter.
    assert rootless.host_command()[0] == str(own)
    os.chown(own, 0, 0)
    assert rootless.command_by_hand()[0] == str(own)
    record(
        ATTACKER,
        "have an administrator run the account's own copy of the program",
        "no hint names such a copy",
    )


@pytest.mark.parametrize(("owner", "mode"), [(UID - 1, 0o755), (UID, 0o757)])
def test_sudo_runs_no_program_that_another_user_can_change(
    reachable: Path, monkeypatch: pytest.MonkeyPatch, owner: int, mode: int
) -> None:
    own = reachable / "mstunnel-setup"
    own.write_text("#!/bin/sh\n")
    own.chmod(mode)
    os.chown(own, owner, owner)
    monkeypatch.setenv("MSTUNNEL_ONE_FILE", str(own))
    monkeypatch.setattr(os, "geteuid", lambda: UID)
    with pytest.raises(CheckError) as caught:
        rootless.host_command()
    assert caught.value.code == "program-not-of-root"
    record(
        ATTACKER, "have a user's sudo run a program that another user can change", "no such command is made"
    )


# --- files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o777, 0o1777])
def test_nothing_is_written_where_the_attacker_can_plant_links(reachable: Path, mode: int) -> None:
    treasure, shared = reachable / "treasure", reachable / "shared"
    treasure.write_text("root's")
    shared.mkdir()
    shared.chmod(mode)
    assert outcome_of(lambda: (shared / "name").symlink_to(treasure)) == ""
    assert outcome_of(lambda: (shared / "directory").symlink_to(treasure)) == ""
    files = Files(reachable)
    writes: tuple[Callable[[], object], ...] = (
        lambda: files.write("/shared/name", b"x"),
        lambda: files.write("/shared/directory/name", b"x"),
        lambda: files.link("/shared/name", "x"),
        lambda: files.make_directory("/shared/new"),
        lambda: files.remove_tree("/shared/directory"),
    )
    for write in writes:
        with refused_or_without_effect():
            write()
    assert treasure.read_text() == "root's"
    assert sorted(path.name for path in shared.iterdir()) == ["directory", "name"]
    record(ATTACKER, f"plant links in a directory of mode {mode:o}", "path-unsafe; nothing is written")


@contextmanager
def refused_or_without_effect() -> Iterator[None]:
    try:
        yield
    except FileError as error:
        if error.code not in {"path-unsafe", "path-not-regular"}:
            raise


def test_the_lock_cannot_be_held_against_root(reachable: Path) -> None:
    """Neither that of an active run, nor the one that a killed run left behind."""
    name = "/mstunnel-setup.lock"
    left = reachable / name[1:]

    def hold() -> None:
        handle = os.open(left, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def killed() -> None:
        with exclusive(Files(reachable), Clock(), name):
            os.kill(os.getpid(), signal.SIGKILL)

    run = get_context("fork").Process(target=killed)
    run.start()
    run.join()
    assert run.exitcode == -signal.SIGKILL
    assert outcome_of(hold) == "PermissionError"
    with exclusive(Files(reachable), Clock(), name):
        assert outcome_of(hold) == "PermissionError"
        with pytest.raises(LockedError) as caught, exclusive(Files(reachable), Clock(), name):
            pass
        assert f"process {os.getpid()}," in caught.value.message
    record(ATTACKER, "hold the lock, also the one of a killed run", "PermissionError; root continues")


def racing(directory: Path, treasure: Path) -> None:
    """Whatever name root uses at the moment: a link, a pipe or a socket takes its place."""
    kinds: list[Callable[[Path], None]] = [
        lambda path: path.symlink_to(treasure),
        os.mkfifo,
        lambda path: os.mknod(path, 0o140600),  # a socket
    ]
    for turn in range(10**9):
        stale = directory / f".name.{turn % 1000:016x}"
        for path in (*directory.glob(".name.*"), stale):
            with suppress(OSError):
                path.unlink(missing_ok=True)
                kinds[turn % len(kinds)](path)


def test_a_race_for_temporary_files_is_lost(reachable: Path) -> None:
    """In a directory of the agent, the only one that root writes into and another user can change."""
    directory, treasure = reachable / "agent", reachable / "treasure"
    directory.mkdir()
    treasure.write_text("root's")
    treasure.chmod(0o600)
    os.chown(directory, paths.AGENT_USER, 0)
    files, written = Files(reachable), 0
    with attacker(lambda: racing(directory, treasure), paths.AGENT_USER):
        end = time.monotonic() + 3
        while time.monotonic() < end:
            with suppress(FileError):
                # The last rename may have taken what was swapped in: the agent's own, in its own directory.
                files.remove("/agent/name")
                files.write("/agent/name", b"secret", 0o600)
                written += 1
            found = treasure.stat()
            assert (treasure.read_text(), found.st_mode & 0o777, found.st_uid) == ("root's", 0o600, 0)
    files.remove("/agent/name")
    files.write("/agent/name", b"secret", 0o600)
    assert files.names("/agent") == ["name"]
    assert written > 10
    record(ATTACKER, "race root's temporary files with links, pipes and sockets", "nothing of root's changes")


# --- memory ---------------------------------------------------------------------------------------------

# A program of ours that holds a secret, as the user whose other programs are hostile.
_HOLDER = """
import os, sys, time
os.setgid(65534); os.setuid(65534)
from mstunnel_setup.cli.framework import command
from mstunnel_setup.cli import setup
def work(*_given):
    print("up", flush=True)
    time.sleep(60)
command.run_app = work
setup.main()
"""


@pytest.fixture(scope="module")
def holder() -> Iterator[int]:
    """Its process id."""
    environment = {**os.environ, "MSTUNNEL_SECRET": "canary"}
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        yield process.pid
        process.kill()


@for_other_users
@pytest.mark.parametrize("file", ["mem", "environ", "maps", "fd", "root", "auxv"])
def test_memory_is_closed_to_other_programs_of_the_account(holder: int, file: str) -> None:
    path = Path(f"/proc/{holder}/{file}")
    status = Path(f"/proc/{holder}/status").read_text()
    assert f"\nUid:\t{UID}\t{UID}\t" in status, "it is a program of the attacker's own account"

    def read() -> None:
        list(path.iterdir()) if file in ("fd", "root") else os.open(path, os.O_RDONLY)

    assert outcome_of(read) == "PermissionError"
    limits = Path(f"/proc/{holder}/limits").read_text()
    assert "Max core file size        0                    0" in limits
    record(ATTACKER, f"read /proc/PID/{file} of a program of the same account", "PermissionError")
