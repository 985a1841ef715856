"""The file writer keeps its six properties and refuses unsafe places."""

import os
import stat
from pathlib import Path

import pytest

from mstunnel_setup.host import files as files_module
from mstunnel_setup.host.files import FileError, Files


@pytest.fixture
def files(tmp_path: Path) -> Files:
    (tmp_path / "etc").mkdir(mode=0o755)
    return Files(tmp_path)


def test_writes_content_and_mode(files: Files) -> None:
    files.write("/etc/secret", b"value", 0o600)
    assert files.read("/etc/secret") == b"value"
    assert files.state("/etc/secret").mode == 0o600


def test_replaces_whole_and_leaves_no_temporary_file(files: Files) -> None:
    files.write("/etc/name", b"old" * 1000)
    files.write("/etc/name", b"new")
    assert files.read("/etc/name") == b"new"
    assert files.names("/etc") == ["name"]


def test_secret_file_is_never_readable_by_others(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    born: list[int] = []
    original = os.open

    def spy(path: str, flags: int, mode: int = 0o777, **options: int) -> int:
        if flags & os.O_CREAT:
            born.append(mode)
            assert flags & os.O_EXCL
            assert flags & os.O_NOFOLLOW
        return original(path, flags, mode, **options)

    monkeypatch.setattr(files_module.os, "open", spy)
    files.write("/etc/key", b"k", 0o600)
    files.write("/etc/public", b"p", 0o644)
    assert born == [0o600, 0o600]


def test_file_and_directory_reach_the_disk_before_the_write_returns(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    sync, replace = os.fsync, os.replace

    def note_sync(handle: int) -> None:
        order.append("directory" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        sync(handle)

    def note_replace(*arguments: str, **options: int) -> None:
        order.append("rename")
        replace(*arguments, **options)

    monkeypatch.setattr(files_module.os, "fsync", note_sync)
    monkeypatch.setattr(files_module.os, "replace", note_replace)
    files.write("/etc/name", b"x")
    assert order == ["file", "rename", "directory"]


def test_refuses_a_link_as_target(files: Files, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("untouched")
    (tmp_path / "etc/name").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileError) as caught:
        files.write("/etc/name", b"x")
    assert caught.value.code == "path-not-regular"
    assert (tmp_path / "elsewhere").read_text() == "untouched"


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


@pytest.mark.parametrize("path", ["relative", "/etc/../name"])
def test_refuses_paths_that_are_not_plain(files: Files, path: str) -> None:
    with pytest.raises(FileError) as caught:
        files.write(path, b"x")
    assert caught.value.code == "path-not-absolute"


def test_refuses_a_fifo(files: Files, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "etc/fifo")
    with pytest.raises(FileError) as caught:
        files.write("/etc/fifo", b"x")
    assert caught.value.code == "path-not-regular"


@pytest.mark.parametrize(
    ("number", "code"),
    [(28, "disk-full"), (30, "read-only"), (13, "permission-denied"), (5, "file-error")],
)
def test_explains_what_the_disk_says(
    files: Files, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    files.write("/etc/name", b"old")

    def fail(_handle: int, _data: bytes) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files_module.os, "write", fail)
    with pytest.raises(FileError) as caught:
        files.write("/etc/name", b"new")
    monkeypatch.undo()
    assert caught.value.code == code
    assert files.read("/etc/name") == b"old"
    assert files.names("/etc") == ["name"]


def test_link_is_switched_and_removed(files: Files) -> None:
    files.link("/etc/active", "one")
    files.link("/etc/active", "two")
    assert files.state("/etc/active").target == "two"
    files.remove("/etc/active")
    assert files.state("/etc/active") is None


def test_directory_with_content_is_not_removed(files: Files) -> None:
    files.make_directories("/etc/a/b")
    files.write("/etc/a/b/name", b"x")
    assert files.remove_directory("/etc/a/b") is False
    files.remove("/etc/a/b/name")
    assert files.remove_directory("/etc/a/b") is True


def test_appender_appends_and_cuts(files: Files) -> None:
    with files.appender("/etc/log") as log:
        log.append(b"one\n")
        log.append(b"two\n")
        log.truncate(4)
        assert log.read() == b"one\n"
    assert files.state("/etc/log").mode == 0o600
