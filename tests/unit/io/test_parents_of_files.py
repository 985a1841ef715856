"""The file writer refuses a place that others can change."""

import grp
import os
import pwd
from pathlib import Path

import pytest

from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files


@pytest.fixture
def files(tmp_path: Path) -> Files:
    (tmp_path / "etc").mkdir(mode=0o755)
    return Files(tmp_path)


_AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other accounts")


def test_refuses_a_link_among_the_parents(files: Files, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "etc/link").symlink_to(tmp_path / "other")
    with pytest.raises(FileError) as caught:
        files.write("/etc/link/name", b"x")
    assert caught.value.code == "path-unsafe"
    assert list((tmp_path / "other").iterdir()) == []


@pytest.mark.parametrize("mode", [0o777, 0o757, 0o1777])
def test_refuses_parents_that_others_may_change(files: Files, tmp_path: Path, mode: int) -> None:
    (tmp_path / "etc/open").mkdir()
    (tmp_path / "etc/open").chmod(mode)
    with pytest.raises(FileError) as caught:
        files.write("/etc/open/name", b"x")
    assert caught.value.code == "path-unsafe"


_AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other accounts")


def _group(name: str) -> int:
    return grp.getgrnam(name).gr_gid


@_AS_ROOT
def test_takes_a_directory_of_ours_below_a_sticky_one_of_root(files: Files, tmp_path: Path) -> None:
    """As `answers new /tmp/x/answers.yaml`."""
    (tmp_path / "etc/tmp/ours/below").mkdir(parents=True)
    (tmp_path / "etc/tmp").chmod(0o1777)
    files.write("/etc/tmp/ours/name", b"x")
    files.write("/etc/tmp/ours/below/name", b"x")
    assert files.read("/etc/tmp/ours/name") == b"x"


@_AS_ROOT
@pytest.mark.parametrize(
    ("mode", "owner", "inner"), [(0o777, 0, 0), (0o1777, 1234, 0), (0o1777, 0, 1234), (0o1777, 0, 65532)]
)
def test_refuses_a_directory_below_a_shared_one_that_others_may_replace_or_own(
    files: Files, tmp_path: Path, mode: int, owner: int, inner: int
) -> None:
    (tmp_path / "etc/tmp/x").mkdir(parents=True)
    os.chown(tmp_path / "etc/tmp/x", inner, inner)
    os.chown(tmp_path / "etc/tmp", owner, owner)
    (tmp_path / "etc/tmp").chmod(mode)
    with pytest.raises(FileError) as caught:
        files.write("/etc/tmp/x/name", b"x")
    assert caught.value.code == "path-unsafe"


@_AS_ROOT
@pytest.mark.parametrize("group", ["users", "staff", None])
def test_refuses_parents_that_a_group_of_people_may_change(
    files: Files, tmp_path: Path, group: str | None
) -> None:
    (tmp_path / "etc/shared").mkdir()
    os.chown(tmp_path / "etc/shared", 0, 54321 if group is None else _group(group))
    (tmp_path / "etc/shared").chmod(0o775)
    with pytest.raises(FileError) as caught:
        files.write("/etc/shared/name", b"x")
    assert caught.value.code == "path-unsafe"


@_AS_ROOT
def test_takes_a_parent_that_only_root_and_a_service_may_change(files: Files, tmp_path: Path) -> None:
    """As Ubuntu's /var/log, which is root:syslog 0775."""
    (tmp_path / "etc/log").mkdir()
    os.chown(tmp_path / "etc/log", 0, _group("daemon"))
    (tmp_path / "etc/log").chmod(0o775)
    files.write("/etc/log/name", b"x")
    assert files.read("/etc/log/name") == b"x"


@_AS_ROOT
def test_a_service_group_with_a_person_in_it_is_a_group_of_people(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon, person = pwd.getpwnam("daemon"), pwd.struct_passwd(("eve", "x", 1001, 1001, "", "/", "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwnam", {"daemon": daemon, "eve": person}.__getitem__)
    group = grp.struct_group(("daemon", "x", daemon.pw_gid, ["eve"]))
    monkeypatch.setattr(grp, "getgrgid", lambda _gid: group)
    (tmp_path / "etc").chmod(0o775)
    with pytest.raises(FileError) as caught:
        files.write("/etc/name", b"x")
    assert caught.value.code == "path-unsafe"


def test_takes_a_parent_that_only_the_own_group_may_change(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As homes are where every account has its private group (umask 0002)."""
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
        with pytest.raises(FileError) as caught:
            files.write("/etc/name", b"x")
        assert caught.value.code == "path-unsafe"


def test_no_hint_removes_a_permission_from_a_shared_directory(files: Files, tmp_path: Path) -> None:
    (tmp_path / "etc").chmod(0o1777)
    with pytest.raises(FileError) as caught:
        files.write("/etc/name", b"x")
    assert caught.value.code == "path-unsafe"
    assert "chmod" not in caught.value.hint


@_AS_ROOT
def test_a_directory_is_given_away_with_all_that_is_in_it_and_no_more(files: Files, tmp_path: Path) -> None:
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


@_AS_ROOT
def test_refuses_a_parent_of_another_user(files: Files, tmp_path: Path) -> None:
    os.chown(tmp_path / "etc", 65534, 0)
    with pytest.raises(FileError) as caught:
        files.write("/etc/name", b"x")
    assert caught.value.code == "path-unsafe"
