"""Directories that others can change: paths that the file writer refuses, and root's writes to them."""

import grp
import os
import pwd
from collections.abc import Callable
from pathlib import Path

import pytest

from mstunnel_setup.base.paths import AGENT_USER, ENVIRONMENT
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files
from tests.refusals import refused


@pytest.fixture
def files(tmp_path: Path) -> Files:
    (tmp_path / "etc").mkdir(mode=0o755)
    return Files(tmp_path)


_AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other accounts")


def test_refuses_a_link_among_the_parents(files: Files, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "etc/link").symlink_to(tmp_path / "other")
    with refused(FileError, "path-unsafe"):
        files.write("/etc/link/name", b"x")
    assert list((tmp_path / "other").iterdir()) == []


def test_groups_without_write_permission_are_not_looked_up(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Check that no `getent` starts for each file: the agent's container has no /etc/group."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "getent").write_text(f"#!/bin/sh\ntouch {programs}/asked\nexit 2\n")
    (programs / "getent").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setattr(grp, "getgrgid", {}.__getitem__)
    files.write("/etc/name", b"x")
    assert files.read("/etc/name") == b"x"
    assert not (programs / "asked").exists()
    (tmp_path / "etc").chmod(0o775)
    with refused(FileError, "path-unsafe"):
        files.write("/etc/name", b"y")
    assert (programs / "asked").exists()


# Directories below etc (path, mode, owner, group), and whether a file is written to the last one.
PARENTS: dict[str, tuple[list[tuple[str, int, int, int | str]], bool]] = {
    "open to all": ([("x", 0o777, 0, 0)], False),
    "open to others": ([("x", 0o757, 0, 0)], False),
    "sticky": ([("x", 0o1777, 0, 0)], False),
    "another user's": ([("x", 0o755, 65534, 0)], False),
    "of people": ([("x", 0o775, 0, "users")], False),
    "of more people": ([("x", 0o775, 0, "staff")], False),
    "of a group without a name": ([("x", 0o775, 0, 54321)], False),
    # Like Ubuntu's /var/log, which is root:syslog 0775.
    "of root and a service": ([("log", 0o775, 0, "daemon")], True),
    # As for `answers new /tmp/x/answers.yaml`.
    "ours below a sticky one": ([("tmp", 0o1777, 0, 0), ("tmp/x", 0o755, 0, 0)], True),
    "deeper below it": ([("tmp", 0o1777, 0, 0), ("tmp/x", 0o755, 0, 0), ("tmp/x/y", 0o755, 0, 0)], True),
    "below an open one": ([("tmp", 0o777, 0, 0), ("tmp/x", 0o755, 0, 0)], False),
    "below a sticky one of others": ([("tmp", 0o1777, 1234, 1234), ("tmp/x", 0o755, 0, 0)], False),
    "of others below a sticky one": ([("tmp", 0o1777, 0, 0), ("tmp/x", 0o755, 1234, 1234)], False),
    "the agent's below a sticky one": ([("tmp", 0o1777, 0, 0), ("tmp/x", 0o755, 65532, 65532)], False),
}


@_AS_ROOT
@pytest.mark.parametrize(("directories", "is_taken"), PARENTS.values(), ids=PARENTS)
def test_parents_of_a_file_are_accepted_or_refused(
    files: Files, tmp_path: Path, directories: list[tuple[str, int, int, int | str]], is_taken: bool
) -> None:
    for path, mode, owner, group in directories:
        (tmp_path / "etc" / path).mkdir()
        os.chown(
            tmp_path / "etc" / path, owner, grp.getgrnam(group).gr_gid if isinstance(group, str) else group
        )
        (tmp_path / "etc" / path).chmod(mode)
    name = f"/etc/{directories[-1][0]}/name"
    if is_taken:
        files.write(name, b"x")
        assert files.read(name) == b"x"
        return
    with refused(FileError, "path-unsafe"):
        files.write(name, b"x")


@_AS_ROOT
def test_service_group_with_a_person_as_a_member_is_refused(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon, person = pwd.getpwnam("daemon"), pwd.struct_passwd(("eve", "x", 1001, 1001, "", "/", "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwnam", {"daemon": daemon, "eve": person}.__getitem__)
    group = grp.struct_group(("daemon", "x", daemon.pw_gid, ["eve"]))
    monkeypatch.setattr(grp, "getgrgid", lambda _gid: group)
    (tmp_path / "etc").chmod(0o775)
    with refused(FileError, "path-unsafe"):
        files.write("/etc/name", b"x")


def test_parent_writable_by_the_private_group_only_is_accepted(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Check a home with a private group for its account (umask 0002)."""
    me = pwd.struct_passwd(("me", "x", os.geteuid(), os.getegid(), "", "/", "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwuid", lambda _uid: me)
    (tmp_path / "etc").chmod(0o775)
    for members, taken in (([], True), (["me"], True), (["me", "eve"], False)):
        group = grp.struct_group(("me", "x", os.getegid(), members))
        monkeypatch.setattr(grp, "getgrgid", lambda _gid, group=group: group)
        monkeypatch.setattr("mstunnel_setup.io.safe_paths.is_service_group", lambda _gid: False)
        if taken:
            files.write("/etc/name", b"x")
            continue
        with refused(FileError, "path-unsafe"):
            files.write("/etc/name", b"x")


def test_hint_keeps_permissions_of_a_shared_directory(files: Files, tmp_path: Path) -> None:
    (tmp_path / "etc").chmod(0o1777)
    with refused(FileError, "path-unsafe") as caught:
        files.write("/etc/name", b"x")
    assert "chmod" not in caught.value.hint


@_AS_ROOT
def test_change_of_owner_covers_only_the_directory_tree(files: Files, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("")
    (tmp_path / "etc/given/below").mkdir(parents=True)
    (tmp_path / "etc/given/below/file").write_text("")
    (tmp_path / "etc/given/link").symlink_to(tmp_path / "outside")
    files.give("/etc/given", 65534, 65533)
    for name in ("given", "given/below", "given/below/file", "given/link"):
        found = (tmp_path / "etc" / name).lstat()
        assert (found.st_uid, found.st_gid) == (65534, 65533)
    assert (tmp_path / "outside").stat().st_uid == 0
    assert (tmp_path / "etc").stat().st_uid == 0


DIRECTORY = "/etc/mstunnel/agent"
ACCOUNT = 54321


@pytest.fixture
def given(files: Files) -> Files:
    """Return files with a directory of the agent, whose owner may have put anything there."""
    files.make_directories(DIRECTORY)
    files.give(DIRECTORY, AGENT_USER, -1)
    return files


@_AS_ROOT
def test_file_of_root_gets_the_owner_of_its_directory(given: Files) -> None:
    given.write(f"{DIRECTORY}/agent.p12", b"key", 0o600)
    given.write("/etc/mstunnel/env.sh", b"A=1\n")

    inside, beside = given.state(f"{DIRECTORY}/agent.p12"), given.state("/etc/mstunnel/env.sh")
    assert inside is not None
    assert beside is not None
    assert (inside.uid, inside.gid, inside.mode) == (AGENT_USER, os.getegid(), 0o600)
    assert given.read(f"{DIRECTORY}/agent.p12") == b"key"
    assert beside.uid == os.geteuid()


@_AS_ROOT
@pytest.mark.parametrize(
    "put", [os.mkfifo, lambda path: path.symlink_to("../../secret")], ids=["pipe", "link"]
)
@pytest.mark.timeout(20)
def test_root_does_not_follow_links_of_the_agent(given: Files, put: Callable[[Path], None]) -> None:
    given.write("/etc/secret", b"of root", 0o600)
    put(given.locate(f"{DIRECTORY}/ocserv.conf"))

    with pytest.raises(FileError):
        given.read(f"{DIRECTORY}/ocserv.conf")
    with pytest.raises(FileError):
        given.write(f"{DIRECTORY}/ocserv.conf", b"new")
    assert given.read("/etc/secret") == b"of root"


@_AS_ROOT
def test_the_directory_of_another_user_is_still_refused(given: Files) -> None:
    given.give(DIRECTORY, AGENT_USER - 1, -1)

    with refused(FileError, "path-unsafe"):
        given.write(f"{DIRECTORY}/ocserv.conf", b"new")


@_AS_ROOT
def test_root_does_not_follow_links_of_the_settings_owner(given: Files) -> None:
    given.write("/etc/shadow", b"root:$y$hash", 0o600)
    given.give("/etc/mstunnel", ACCOUNT, -1)
    given.locate(ENVIRONMENT).symlink_to(given.locate("/etc/shadow"))

    with refused(FileError, "file-irregular") as caught:
        given.read(ENVIRONMENT)

    assert "hash" not in f"{caught.value.message!s} {caught.value.hint!s}"


@_AS_ROOT
def test_file_of_the_settings_owner_is_read(given: Files) -> None:
    given.write(ENVIRONMENT, b"A=1\n")
    given.give("/etc/mstunnel", ACCOUNT, -1)

    assert given.read(ENVIRONMENT) == b"A=1\n"


@_AS_ROOT
def test_a_link_in_a_home_is_followed(given: Files) -> None:
    """Check the file that an administrator names: a link there stands for its target."""
    given.make_directories("/home/admin")
    given.write("/etc/answers.yaml", b"version: 1\n")
    given.locate("/home/admin/answers.yaml").symlink_to(given.locate("/etc/answers.yaml"))
    given.give("/home/admin", ACCOUNT, -1)

    assert given.read("/home/admin/answers.yaml") == b"version: 1\n"
