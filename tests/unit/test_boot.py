"""The beginning of the one file: it finds a Python that fits, or says in one line what to install."""

import os
import subprocess
from pathlib import Path

import pytest

BOOT = Path(__file__).parents[2] / "scripts" / "boot.sh"
VERSIONS = {"too old": "exit 1", "suitable": '[ "$3" = -c ] && exit 0; echo "$0 $*"; env'}


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A folder with the file, `bin` with the only programs that are found, and an os-release."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/id").symlink_to("/usr/bin/id")
    (tmp_path / "bin/env").symlink_to("/usr/bin/env")
    file = tmp_path / "mst-cli"
    file.write_text(BOOT.read_text().replace("/etc/os-release", f"{tmp_path}/os-release"))
    file.chmod(0o755)
    return tmp_path


def add_python(host: Path, name: str, version: str) -> None:
    program = host / "bin" / name
    program.write_text(f"#!/bin/sh\n{VERSIONS[version]}\n")
    program.chmod(0o755)


def run(host: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(host / "mst-cli"), *arguments]
    variables = {"PATH": str(host / "bin"), **environment}
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=10, check=False)


@pytest.mark.parametrize(
    ("os_release", "present", "advice"),
    [
        ("ID=debian\n", [], "apt install python3,"),
        ("ID=ubuntu\nID_LIKE=debian\n", ["python3"], "apt install python3.11,"),
        ('ID="rhel"\nID_LIKE="fedora"\n', ["python3", "python3.11"], "dnf install python3.12,"),
        ("ID=sles\nID_LIKE=suse\n", [], "zypper install python311,"),
        (None, [], "the package manager of this system,"),
    ],
)
def test_without_a_suitable_python_one_line_says_what_to_install(
    host: Path, os_release: str | None, present: list[str], advice: str
) -> None:
    if os_release is not None:
        (host / "os-release").write_text(os_release)
    for name in present:
        add_python(host, name, "too old")
    finished = run(host)
    assert (finished.returncode, finished.stdout) == (3, "")
    (line,) = finished.stderr.splitlines()
    assert line.startswith("mst-cli: needs Python 3.11, 3.12, 3.13 or 3.14: install it with ")
    assert advice in line


def test_a_newer_python_beside_one_too_old_is_found(host: Path) -> None:
    add_python(host, "python3", "too old")
    add_python(host, "python3.12", "suitable")
    finished = run(host, "status", "a b")
    assert finished.returncode == 0
    assert finished.stdout.splitlines()[0] == f"{host}/bin/python3.12 -I -W ignore {host}/mst-cli status a b"


def test_only_this_user_may_write_where_it_unpacks(host: Path) -> None:
    add_python(host, "python3", "suitable")
    found = run(host, HOME="/home/somebody", PEX_ROOT="/tmp/planted", XDG_CACHE_HOME="/srv/cache")
    place = "/var/cache/mstunnel-setup" if os.geteuid() == 0 else "/srv/cache/mstunnel-setup"
    assert f"PEX_ROOT={place}" in found.stdout.splitlines()
    assert "PEX_IGNORE_RCFILES=1" in found.stdout.splitlines()
