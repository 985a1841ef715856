"""What another user of the host can do where root runs `install.sh` in a directory that both can write to."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mstunnel_setup import __version__
from scripts.bundle import debian, dist
from scripts.release import sums
from tests.attack.record import record

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user")

UID = 65534
SHELLS = (("dash",), ("busybox", "sh"), ("bash", "--posix"))
PROGRAM = "#!/bin/sh\n"


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The script of a release; its files are on a page of this host."""
    folder = tmp_path / f"project/releases/download/v{__version__}"
    folder.mkdir(parents=True)
    (folder / dist.release_file(debian.here()).name).write_text(PROGRAM)
    (folder / f"mstunnel-setup-{__version__}-{debian.here().debian}.cdx.json").write_text("{}")
    sums.finish(folder, "1767225600")
    monkeypatch.setenv("HOMEPAGE", f"file://{tmp_path}/project")
    monkeypatch.delenv("PUBLIC_KEY", raising=False)
    (tmp_path / "install.sh").write_text(dist.installer())
    return tmp_path / "install.sh"


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory below one with the sticky bit; the tests change its mode and owner."""
    directory = Path("/run") / f"attack-{os.getpid()}"
    directory.mkdir()
    directory.chmod(0o755)
    yield directory
    subprocess.run(["rm", "-rf", str(directory)], check=True)


def run(shell: tuple[str, ...], script: Path, directory: Path) -> subprocess.CompletedProcess[str]:
    command = [*shell, str(script)]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, timeout=60)


def directory_of_the_attacker(place: Path) -> None:
    place.mkdir()
    os.chown(place, UID, UID)


def link_to_a_directory(place: Path) -> None:
    (place.parent / "theirs").mkdir()
    place.symlink_to("theirs")


def link_to_nothing(place: Path) -> None:
    place.symlink_to("nothing")


def file_of_the_attacker(place: Path) -> None:
    place.write_text("#!/bin/sh\ntouch owned\n")
    os.chown(place, UID, UID)


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
@pytest.mark.parametrize(
    "plant", [directory_of_the_attacker, link_to_a_directory, link_to_nothing, file_of_the_attacker]
)
def test_nothing_that_was_planted_takes_the_place_of_the_program(
    script: Path, shared: Path, shell: tuple[str, ...], plant: Callable[[Path], None]
) -> None:
    shared.chmod(0o1777)
    plant(shared / "mstunnel-setup")
    done = run(shell, script, shared)
    assert done.returncode == 1
    assert "is not a regular file of this user" in done.stderr
    assert "verified" not in done.stdout
    assert not list(shared.rglob("mstunnel-setup/*"))
    record(
        "local user",
        f"plant a {plant.__name__.replace('_', ' ')} where install.sh puts the program",
        "refused",
    )


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
@pytest.mark.parametrize(("mode", "owner"), [(0o777, 0), (0o775, 0), (0o755, UID), (0o1777, UID)])
def test_a_directory_that_another_user_can_change_is_refused(
    script: Path, shared: Path, shell: tuple[str, ...], mode: int, owner: int
) -> None:
    shared.chmod(mode)
    os.chown(shared, owner, UID)
    below = shared / "below"
    below.mkdir()
    for directory in (shared, below):
        done = run(shell, script, directory)
        assert done.returncode == 1
        assert f"other users can change {shared}" in done.stderr
    assert [path.name for path in shared.rglob("*")] == ["below"]
    record(
        "local user",
        f"replace the program in a directory of mode {mode:o}, owner {owner}",
        "install.sh refuses",
    )


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
@pytest.mark.parametrize("mode", [0o755, 0o1777])
def test_an_earlier_download_of_the_same_user_is_replaced(
    script: Path, shared: Path, shell: tuple[str, ...], mode: int
) -> None:
    shared.chmod(mode)
    (shared / "mstunnel-setup").write_text("earlier")
    done = run(shell, script, shared)
    assert done.returncode == 0, done.stderr
    assert (shared / "mstunnel-setup").read_text() == PROGRAM


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_partial_download_is_removed_after_a_signal(
    script: Path, shared: Path, tmp_path: Path, shell: tuple[str, ...], number: signal.Signals
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "curl").write_text("#!/bin/sh\necho part >partial\nexec sleep 60\n")
    (programs / "curl").chmod(0o755)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    process = subprocess.Popen([*shell, str(script)], cwd=shared, env=environment, start_new_session=True)
    while not list(shared.glob(".mstunnel-setup.*/partial")):
        time.sleep(0.02)
    # As a terminal sends it: to the whole group.
    os.killpg(process.pid, number)
    assert process.wait(20) != 0
    assert list(shared.iterdir()) == []
