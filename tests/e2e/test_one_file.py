"""The one file that `make dist` makes: the same bytes every time, quick to start, and plain about Python."""

import os
import resource
import shutil
import subprocess
from pathlib import Path

import pytest

from mstunnel_setup.paths import UNPACKED
from scripts import dist
from tests.testbed import cache

pytestmark = pytest.mark.e2e

# CPU seconds of the best of five warm starts; a virtual environment needs about half of it.
HELP_SECONDS = 0.5


ENVIRONMENT = {"PATH": os.defpath, "COLUMNS": "80"}


@pytest.fixture(scope="module")
def built() -> bytes:
    """The file that the testbed's server has."""
    with cache.writing():
        return dist.one_file().read_bytes()


@pytest.fixture(scope="module")
def one_file(built: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that unpacks itself into a folder of its own, kept between the tests; not below /var."""
    folder = tmp_path_factory.mktemp("copied")
    copy = folder / "mstunnel-setup"
    copy.write_bytes(built.replace(UNPACKED.encode(), f"{folder}/unpacked".encode(), 1))
    copy.chmod(0o755)
    return copy


def run(command: list[str], environment: dict[str, str] = ENVIRONMENT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.long
def test_the_same_sources_give_the_same_bytes(built: bytes, tmp_path: Path) -> None:
    dist.build(tmp_path / "mstunnel-setup")
    assert (tmp_path / "mstunnel-setup").read_bytes() == built


@pytest.mark.parametrize("name", ["mst-cli", "mst-readiness", "mst-admin", "mstunnel-lab"])
def test_it_is_every_program_by_its_name(name: str, one_file: Path) -> None:
    link = one_file.with_name(name)
    link.symlink_to(one_file.name)
    assert f"Usage: {name} " in run([str(link), "--help"]).stdout


def test_a_warm_start_is_quick(one_file: Path) -> None:
    seconds = []
    for _ in range(6):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert run([str(one_file), "--help"]).returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(seconds[1:]) < HELP_SECONDS


@pytest.mark.parametrize("version", dist.PYTHONS)
def test_it_runs_with_every_python_that_is_here(version: str, one_file: Path, tmp_path: Path) -> None:
    name = f"python{version}"
    # What is found by that name may be a script that only chooses among several.
    asked = [name, "-c", "import sys; print(sys.executable)"]
    python = run(asked, {**os.environ}).stdout.strip() if shutil.which(name) else ""
    if not python:
        pytest.skip(f"Python {version} is not installed")
    (tmp_path / "python3").symlink_to(python)
    (tmp_path / "id").symlink_to("/usr/bin/id")
    (tmp_path / "mst-readiness").symlink_to(one_file)
    finished = run([f"{tmp_path}/mst-readiness", "utils"], {"PATH": str(tmp_path)})
    assert "neither Podman nor Docker is installed" in finished.stderr
    assert finished.stdout.splitlines()[-1].startswith("Not ready: ")


def test_where_nothing_can_be_kept_it_starts_all_the_same(built: bytes, tmp_path: Path) -> None:
    copy, fixed = tmp_path / "mstunnel-setup", tmp_path / "fixed"
    copy.write_bytes(built.replace(UNPACKED.encode(), f"{fixed}/unpacked".encode(), 1))
    copy.chmod(0o755)
    fixed.mkdir()
    finished = mounted(fixed, "ro", [str(copy), "--version"])
    assert (finished.returncode, finished.stderr) == (0, "")


def test_temporary_folders_may_forbid_programs(one_file: Path, tmp_path: Path) -> None:
    finished = mounted(tmp_path, "noexec", ["env", f"TMPDIR={tmp_path}", str(one_file), "--version"])
    assert (finished.returncode, finished.stderr) == (0, "")


def mounted(folder: Path, option: str, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run `command` where an empty file system is mounted at `folder`."""
    script = 'mount -t tmpfs -o "$1" none "$2" && shift 2 && exec "$@"'
    return run(["unshare", "--mount", "sh", "-c", script, "sh", option, str(folder), *command])


def test_without_python_one_line_says_what_to_install(one_file: Path, tmp_path: Path) -> None:
    finished = run([str(one_file)], {"PATH": str(tmp_path)})
    assert (finished.returncode, finished.stdout) == (3, "")
    assert finished.stderr.count("\n") == 1
    assert "needs Python 3.11, 3.12, 3.13 or 3.14: install it with apt install python3," in finished.stderr
