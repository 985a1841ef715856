"""Accounts are read from the host's files, and from `getent` and `id` for directory services."""

import grp
import os
import pwd
from pathlib import Path

import pytest

from mstunnel_setup.io import accounts

GETENT = """#!/bin/sh
case "$1 $2" in
"passwd gateway" | "passwd 70001") echo 'gateway:*:70001:70002:Of the directory:/home/gateway:/bin/sh' ;;
"group tunnel" | "group 70002") echo 'tunnel:*:70002:gateway' ;;
"group idle") echo 'idle:*:70003:' ;;
*) exit 2 ;;
esac
"""


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put programs into PATH: the host has an account and groups that are not in its files."""
    for name, script in (("getent", GETENT), ("id", "#!/bin/sh\necho '70002 70003'\n")):
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def test_account_of_a_directory_service_is_found(directory: Path) -> None:
    found = accounts.find("gateway")
    assert found is not None
    assert found == accounts.Account("gateway", 70001, 70002, "/home/gateway")
    assert found.groups == [70002, 70003]


def test_groups_of_a_directory_service_are_found(directory: Path) -> None:
    assert accounts.has_group("tunnel")
    assert accounts.is_member("gateway", "tunnel")
    assert accounts.has_group("idle")
    assert not accounts.is_member("", "idle")


def test_unknown_account_and_group_are_not_found(directory: Path) -> None:
    assert accounts.find("nobody-at-all") is None
    assert not accounts.has_group("nobody-at-all")


def test_files_take_precedence_over_a_directory_service(directory: Path) -> None:
    root = pwd.getpwuid(0)
    assert accounts.find("root") == accounts.Account("root", 0, root.pw_gid, root.pw_dir)
    assert accounts.has_group(grp.getgrgid(0).gr_name)


def test_without_getent_only_files_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert accounts.find("gateway") is None
    root = accounts.find("root")
    assert root is not None
    assert 0 in root.groups
