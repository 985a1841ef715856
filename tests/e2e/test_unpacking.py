"""The one file unpacks itself once, durably, and repairs what a power cut or anything else left of that."""

import os
import pwd
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mstunnel_setup import __version__
from scripts.bundle import dist
from tests.e2e.one_file import ENVIRONMENT, OneFile, at_a_terminal, chrooted, mounted, run, unpack_root
from tests.testbed import cache

pytestmark = pytest.mark.e2e

ANSWER = f"mstunnel-setup {__version__}\n"
KILLS = 16
# What the start reads first, what it reads last, and what a program of ours loads later.
FILES = (
    *(
        "lib/ld-linux-x86-64.so.2",
        "manifest",
        "complete",
        "check.py",
        "start.py",
        "bin/python3.13",
        "lib/libc.so.6",
        "lib/libz.so.1",
    ),
    *("lib/python3.13/encodings/__init__.pyc", "lib/python3.13/os.pyc"),
    *("lib/python3.13/modules", "lib/python3.13/packed_modules.pyc"),
    "lib/python3.13/mstunnel_setup/data/help.txt",
)


@pytest.fixture(scope="module")
def built() -> bytes:
    """The file that the testbed's server has."""
    with cache.writing():
        return dist.one_file().read_bytes()


@pytest.fixture
def one_file(built: bytes, tmp_path: Path) -> OneFile:
    """A copy that has not run yet."""
    return OneFile(built, tmp_path)


@pytest.fixture(scope="module")
def used(built: bytes, tmp_path_factory: pytest.TempPathFactory) -> OneFile:
    """A copy that has unpacked itself; what a test breaks the next start repairs."""
    file = OneFile(built, tmp_path_factory.mktemp("used"))
    file.run("--version")
    return file


# Each loads modules late, as most commands do.
_BESIDE = """
PATH=/usr/sbin:$PATH
for number in $(seq 20); do
    case $((number % 4)) in
        0) command='mst-cli help certificates' ;;
        1) command='mst-readiness explain ip-forward' ;;
        2) command='mstunnel-setup steps' ;;
        3) command='mst-cli uninstall --unattended' ;;
    esac
    { $command >/tmp/$number 2>&1; echo "$command: $?" >>/tmp/$number; } &
done
mst-cli uninstall --unattended
echo "$?"
wait
"""


def works(file: OneFile) -> None:
    """Its answer is complete, and nothing but the whole directory is left, in the first place."""
    finished = file.run("--version")
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, ANSWER, "")
    assert [path.name for path in file.places[0].iterdir()] == [file.tree.name]
    assert not file.places[1].exists()


def test_progress_of_unpacking_is_shown_and_cleared(one_file: OneFile) -> None:
    first, second = (at_a_terminal([str(one_file.path), "--version"]) for _ in range(2))
    *lines, last = first.split("\r")[:-1]
    shown = [
        int(line.split()[-2])
        for line in lines
        if line.startswith(f"Unpacking mstunnel-setup {__version__}: ")
    ]
    assert shown == sorted(shown)
    assert (len(shown) >= 10, shown[-1]) == (True, 100)
    assert (lines[-1].strip(), f"{last}\n") == ("", ANSWER)
    assert second.replace("\r", "") == ANSWER


@pytest.mark.parametrize(("option", "environment"), [("-q", {}), ("--version", {"MSTUNNEL_QUIET": "1"})])
def test_quiet_unpacking_shows_nothing(option: str, environment: dict[str, str], one_file: OneFile) -> None:
    shown = at_a_terminal([str(one_file.path), "--version", option], **environment)
    assert shown.replace("\r", "") == ANSWER


def test_killed_at_any_time_it_works_the_next_time(one_file: OneFile) -> None:
    for _ in range(KILLS):
        process = subprocess.Popen(
            [one_file.path, "--version"], env=ENVIRONMENT, stdout=subprocess.DEVNULL, start_new_session=True
        )
        time.sleep(random.uniform(0.01, 1.5))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    works(one_file)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def halved(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("name", FILES)
def test_an_emptied_file_is_repaired(name: str, used: OneFile) -> None:
    emptied(used.tree / name)
    works(used)


@pytest.mark.parametrize("lose", [halved, Path.unlink], ids=["halved", "removed"])
@pytest.mark.parametrize("name", FILES[:3])
def test_damaged_or_lost_file_of_the_program_is_repaired(
    name: str, lose: Callable[[Path], None], used: OneFile
) -> None:
    lose(used.tree / name)
    works(used)


def test_everything_emptied_is_repaired(used: OneFile) -> None:
    for path in used.tree.rglob("*"):
        if path.is_file() and path.name != "complete":
            emptied(path)
    works(used)


def test_the_mark_of_another_file_does_not_count(used: OneFile) -> None:
    (used.tree / "complete").write_text("0" * 64 + "\n")
    works(used)


def test_several_at_once_all_answer(one_file: OneFile) -> None:
    started = [
        subprocess.Popen([one_file.path, "--version"], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert [process.communicate(timeout=60)[0] for process in started] == [ANSWER] * 4
    works(one_file)


def test_unpacked_files_are_synced_before_they_get_their_name(one_file: OneFile) -> None:
    log = one_file.path.with_name("calls")
    traced = "trace=syncfs,fsync,rename"
    run(["strace", "-f", "-y", "-e", traced, "-o", str(log), str(one_file.path), "--version"])
    calls = [line.split(maxsplit=1)[1] for line in log.read_text().splitlines() if "first" in line]
    order = [f"{call.partition('(')[0]} {call.rpartition('/')[2].partition('>')[0]}" for call in calls]
    partial = one_file.tree.name
    assert order[0].startswith(f"syncfs .{partial}.")
    assert order[1] == "fsync complete"
    assert order[2].startswith(f"fsync .{partial}.")
    assert order[3].startswith(f"rename {partial}")
    assert order[4] == "fsync first"


def test_an_older_version_is_removed_unless_it_runs(used: OneFile) -> None:
    older = used.places[0] / "0.0.1-0123456789ab"
    older.mkdir()
    (older / "file").touch()
    holding = ["flock", "--shared", str(older), "sh", "-c", "echo held; cat"]
    with subprocess.Popen(holding, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        used.run("--version")
        assert older.exists()
    used.run("--version")
    assert not older.exists()


def test_every_changed_byte_is_found(used: OneFile) -> None:
    assert used.run("self", "verify").returncode == 0
    changed = used.tree / "lib/python3.13/modules"
    content = bytearray(changed.read_bytes())
    content[-1] ^= 0xFF
    changed.write_bytes(content)
    planted = used.tree / "lib/python3.13/planted.py"
    planted.touch()
    finished = used.run("self", "verify")
    assert (finished.returncode, finished.stdout) == (3, "")
    said = " ".join(finished.stderr.split())
    assert "modules: changed" in said
    assert "planted.py: not in the manifest" in said
    shutil.rmtree(used.tree)


def test_a_newer_version_stays(used: OneFile) -> None:
    newer = used.places[0] / "99.0-0123456789ab"
    newer.mkdir()
    used.run("--version")
    assert newer.exists()
    newer.rmdir()


def test_a_damaged_file_is_named_by_its_checksum(one_file: OneFile) -> None:
    content = bytearray(one_file.path.read_bytes())
    content[-100_000] ^= 0xFF
    one_file.path.write_bytes(content)
    finished = one_file.run("--version")
    assert (finished.returncode, finished.stdout) == (3, "")
    assert "is damaged: its payload must have the SHA-256 checksum " in finished.stderr
    assert finished.stderr.endswith(". Copy it again.\n")


@pytest.mark.parametrize("kept", [20, 300, 2500, 100_000, 20_000_000])
def test_a_file_that_was_cut_off_never_succeeds(kept: int, one_file: OneFile) -> None:
    one_file.path.write_bytes(one_file.path.read_bytes()[:kept])
    finished = one_file.run("--version")
    assert finished.returncode not in (0, 126)
    assert finished.stderr != ""


def test_a_full_disk_is_explained(one_file: OneFile) -> None:
    full = one_file.path.parent / "full"
    full.mkdir()
    one_file.path.write_bytes(one_file.path.read_bytes().replace(bytes(one_file.places[0]), bytes(full)))
    for place in one_file.places[1:]:
        place.write_text("in the way")
    finished = mounted(full, "size=20m", [str(one_file.path), "--version"])
    assert (finished.returncode, finished.stdout) == (3, "")
    assert f"{full}: no space left\n" in finished.stderr
    assert " MB free in one of these" in finished.stderr


@pytest.mark.parametrize("option", ["ro", "noexec"])
def test_unpacking_takes_the_next_place_if_one_is_unusable(option: str, one_file: OneFile) -> None:
    one_file.places[0].mkdir()
    finished = mounted(one_file.places[0], option, [str(one_file.path), "--version"])
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, ANSWER, "")
    assert len(list(one_file.places[1].iterdir())) == 1


def test_temporary_directories_may_forbid_programs(one_file: OneFile, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    finished = mounted(temporary, "noexec", ["env", f"TMPDIR={temporary}", str(one_file.path), "--version"])
    assert (finished.returncode, finished.stderr) == (0, "")


def as_user(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    user = pwd.getpwnam("nobody")
    account = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    return run([*account, *command], {**ENVIRONMENT, **environment})


@pytest.fixture
def home(one_file: OneFile) -> Path:
    """A home of the account `nobody`, which can read the file."""
    directory = one_file.path.parent
    home = directory / "home"
    home.mkdir()
    shutil.chown(home, "nobody")
    # As many as pytest makes for root alone; one more where the tests run in several processes.
    for parent in [
        path
        for path in directory.parents
        if path.is_relative_to(Path(tempfile.gettempdir(), "pytest-of-root"))
    ]:
        parent.chmod(0o755)
    directory.chmod(0o755)
    return home


def test_an_account_uses_what_root_unpacked_and_cannot_change_it(one_file: OneFile, home: Path) -> None:
    one_file.run("--version")
    finished = as_user(str(one_file.path), "--version", HOME=str(home))
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, ANSWER, "")
    assert list(home.iterdir()) == []
    writable = as_user("find", str(one_file.places[0]), "-writable", "-print")
    assert (writable.returncode, writable.stdout) == (0, "")


def test_without_it_an_account_has_its_own_which_root_never_runs(one_file: OneFile, home: Path) -> None:
    for place in one_file.places:
        place.write_text("in the way")
    finished = as_user(str(one_file.path), "--version", HOME=str(home))
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, ANSWER, "")
    mark, version = sorted(path.name for path in (home / ".cache/mstunnel-setup").iterdir())
    assert (mark, version[0].isdigit()) == (".made-above", True)
    finished = one_file.run("--version", HOME=str(home))
    assert (finished.returncode, finished.stdout) == (3, "")


def test_an_account_runs_nothing_of_another_one(one_file: OneFile, home: Path) -> None:
    for place in one_file.places:
        place.write_text("in the way")
    planted = home / ".cache/mstunnel-setup"
    planted.mkdir(parents=True)
    finished = as_user(str(one_file.path), "--version", HOME=str(home))
    assert finished.returncode == 3
    assert f"{planted} belongs to another user" in finished.stderr


def test_commands_finish_beside_an_uninstallation(built: bytes, tmp_path: Path) -> None:
    """None loses the program while it runs; the last uninstallation leaves nothing of it."""
    unpack_root("bookworm", tmp_path)
    program = tmp_path / "usr/sbin/mstunnel-setup"
    program.write_bytes(built)
    program.chmod(0o755)
    for name in ("mst-cli", "mst-readiness"):
        (program.parent / name).symlink_to(program.name)
    assert chrooted(tmp_path, "/usr/sbin/mst-cli", "--version").returncode == 0

    done = chrooted(tmp_path, "sh", "-c", _BESIDE)
    assert done.stdout.splitlines()[-1] == "0", done.stderr
    # They take turns, and one that waits says so.
    assert {
        line for line in done.stderr.splitlines() if not line.startswith("Waiting for another run")
    } == set()
    written = [(tmp_path / f"tmp/{number}").read_text() for number in range(1, 21)]
    assert [text for text in written if text.splitlines()[-1].rpartition(": ")[2] != "0"] == []

    last = chrooted(tmp_path, "/usr/sbin/mst-cli", "uninstall", "--unattended")
    assert (last.returncode, last.stderr) == (0, "")
    assert not (tmp_path / "usr/lib/mstunnel-setup").exists()
