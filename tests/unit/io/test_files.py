"""The file writer has six properties and refuses unsafe paths."""

import errno
import os
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.io import files as files_module
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files, FileState
from mstunnel_setup.io.safe_paths import kind_at, refuse_present
from tests.refusals import refused


@pytest.fixture
def files(tmp_path: Path) -> Files:
    (tmp_path / "etc").mkdir(mode=0o755)
    return Files(tmp_path)


def _state(files: Files, path: str) -> FileState:
    found = files.state(path)
    assert found is not None
    return found


def test_writes_content_and_mode(files: Files) -> None:
    files.write("/etc/secret", b"value", 0o600)
    assert files.read("/etc/secret") == b"value"
    assert _state(files, "/etc/secret").mode == 0o600


def test_write_replaces_a_file_and_leaves_no_temporary_file(files: Files) -> None:
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

    monkeypatch.setattr(os, "open", spy)
    files.write("/etc/key", b"k", 0o600)
    files.write("/etc/public", b"p", 0o644)
    assert born == [0o600, 0o600]


def test_file_and_directory_are_synced_before_write_returns(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    sync, replace = os.fsync, os.replace

    def note_sync(handle: int) -> None:
        order.append("directory" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        sync(handle)

    def note_replace(*arguments: Any, **options: Any) -> None:
        order.append("rename")
        replace(*arguments, **options)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "replace", note_replace)
    files.write("/etc/name", b"x")
    assert order == ["file", "rename", "directory"]


def test_write_leaves_another_hard_link_unchanged(files: Files, tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("untouched")
    (tmp_path / "etc/name").hardlink_to(tmp_path / "theirs")
    files.write("/etc/name", b"x", 0o640)
    assert (tmp_path / "theirs").read_text() == "untouched"
    assert (tmp_path / "theirs").stat().st_mode & 0o777 != 0o640


def test_refuses_to_append_to_a_file_with_hard_links(files: Files, tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("untouched")
    (tmp_path / "etc/log").hardlink_to(tmp_path / "theirs")
    with refused(FileError, "path-hard-linked"), files.appender("/etc/log"):
        pass
    assert (tmp_path / "theirs").read_text() == "untouched"


def _append(files: Files, path: str) -> None:
    with files.appender(path) as appender:
        appender.append(b"x")


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("../elsewhere"), os.mkdir])
@pytest.mark.parametrize("change", [lambda files, path: files.write(path, b"x"), _append])
@pytest.mark.timeout(20)
def test_refuses_to_write_to_other_kinds_of_files(
    files: Files, tmp_path: Path, make: Callable[[Path], None], change: Callable[[Files, str], None]
) -> None:
    (tmp_path / "elsewhere").write_text("untouched")
    make(tmp_path / "etc/name")
    with refused(FileError, "path-not-regular"):
        change(files, "/etc/name")
    assert (tmp_path / "elsewhere").read_text() == "untouched"


@pytest.mark.timeout(20)
def test_named_pipe_is_refused_at_once(files: Files, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "etc/fifo")
    with refused(FileError, "path-not-regular"):
        files.read("/etc/fifo")


GIVEN: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "pipe": (os.mkfifo, "path-not-regular", "it is a named pipe; expected a regular file"),
    "directory": (os.mkdir, "path-not-regular", "it is a directory; expected a regular file"),
    "device": (
        lambda path: path.symlink_to("/dev/null"),
        "path-not-regular",
        "it is a device; expected a regular file",
    ),
    "loop": (lambda path: path.symlink_to(path), "path-loop", "its symbolic links form a loop"),
}


@pytest.mark.parametrize(("make", "code", "words"), GIVEN.values(), ids=GIVEN)
@pytest.mark.timeout(20)
def test_unusable_path_of_an_administrator_is_a_usage_error(
    files: Files, tmp_path: Path, make: Callable[[Path], None], code: str, words: str
) -> None:
    given = tmp_path / "given"
    make(given)
    for read in (files.read_given, files.digest_given):
        with pytest.raises(UsageError) as caught:
            read(str(given))
        assert (caught.value.code, caught.value.message) == (code, f"cannot read {given}: {words}")


def test_pipe_of_a_process_substitution_is_read(files: Files) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"a secret of <(command)")
    os.close(writing)
    assert files.read_given(f"/dev/fd/{reading}") == b"a secret of <(command)"
    os.close(reading)


class _Swapping:
    """The module `os` for the writer, which replaces a directory by a link before call number `at`."""

    def __init__(self, at: int, swap: Callable[[], None]) -> None:
        self._at, self._swap, self.calls = at, swap, 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(os, name)
        return partial(self._call, found) if callable(found) and name.islower() else found

    def _call(self, found: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        self.calls += 1
        if self.calls == self._at:
            self._swap()
        return found(*arguments, **options)


_CHANGES: dict[str, Callable[[Files], object]] = {
    "write": lambda files: files.write("/etc/sub/name", b"x"),
    "append": lambda files: _append(files, "/etc/sub/name"),
    "link": lambda files: files.link("/etc/sub/name", "x"),
    "make-directory": lambda files: files.make_directory("/etc/sub/name"),
    "remove": lambda files: files.remove("/etc/sub/theirs"),
    "remove-directory": lambda files: files.remove_directory("/etc/sub/empty"),
}


@pytest.mark.parametrize("change", _CHANGES)
def test_parent_replaced_by_a_link_at_any_moment_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """Check every system call: an attacker who may rename the directory above places a link before it."""
    for at in range(1, 200):
        place = tmp_path / str(at)
        for name in ("etc/sub/empty", "elsewhere/empty"):
            (place / name).mkdir(parents=True)
        for name in ("etc/sub/theirs", "elsewhere/theirs"):
            (place / name).write_text("theirs")

        def swap(place: Path = place) -> None:
            (place / "etc/sub").rename(place / "etc/moved")
            (place / "etc/sub").symlink_to(place / "elsewhere")

        double = _Swapping(at, swap)
        monkeypatch.setattr(files_module, "os", double)
        with suppress(FileError):
            _CHANGES[change](Files(place))
        monkeypatch.undo()
        assert sorted(path.name for path in (place / "elsewhere").iterdir()) == ["empty", "theirs"], at
        if double.calls < at:
            break
    else:
        pytest.fail("never came to an end")
    assert at > 3


@pytest.mark.parametrize("path", ["relative", "/etc/../name"])
def test_refuses_relative_paths_and_dots(files: Files, path: str) -> None:
    with refused(FileError, "path-not-absolute"):
        files.write(path, b"x")


@pytest.mark.parametrize(
    ("number", "code", "hint"),
    [
        (28, "disk-full", "Free space"),
        (30, "read-only", "Mount that"),
        (13, "permission-denied", "Run the command with sudo"),
        (5, "file-error", "Fix the cause"),
    ],
)
def test_error_of_the_disk_is_explained(
    files: Files, monkeypatch: pytest.MonkeyPatch, number: int, code: str, hint: str
) -> None:
    files.write("/etc/name", b"old")

    def fail(_handle: int, _data: bytes) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "write", fail)
    with refused(FileError, code) as caught:
        files.write("/etc/name", b"new")
    assert caught.value.hint.startswith(hint)
    monkeypatch.undo()
    assert files.read("/etc/name") == b"old"
    assert files.names("/etc") == ["name"]


def test_link_is_replaced_and_removed(files: Files) -> None:
    files.link("/etc/active", "one")
    files.link("/etc/active", "two")
    assert _state(files, "/etc/active").target == "two"
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
    assert _state(files, "/etc/log").mode == 0o600


def test_removal_of_a_tree_follows_no_links(files: Files, tmp_path: Path) -> None:
    files.make_directories("/etc/tree/below")
    files.write("/etc/tree/below/file", b"x")
    files.write("/etc/elsewhere", b"stays")
    files.link("/etc/tree/link", str(tmp_path / "etc"))
    files.remove_tree("/etc/tree")
    assert files.names("/etc") == ["elsewhere"]
    files.remove_tree("/etc/tree")
    files.remove_tree("/etc/elsewhere")
    assert files.names("/etc") == ["elsewhere"]


_LEFTOVER = ".name.0123456789abcdef"


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


@pytest.mark.parametrize("make", [_socket, os.mkfifo, lambda path: path.symlink_to("x"), Path.touch])
@pytest.mark.timeout(20)
def test_leftover_temporary_file_of_any_kind_is_removed(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None]
) -> None:
    monkeypatch.chdir(tmp_path)  # the address of a socket must be short
    make(Path("etc", _LEFTOVER))
    files.write("/etc/name", b"x")
    assert files.names("/etc") == ["name"]


def test_directory_named_like_a_temporary_file_is_ignored(files: Files) -> None:
    files.make_directory(f"/etc/{_LEFTOVER}")
    files.write("/etc/name", b"x")
    assert files.read("/etc/name") == b"x"


@pytest.mark.parametrize("vanishing_before", ["stat", "open", "unlink"])
def test_temporary_file_that_disappears_is_ignored(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vanishing_before: str
) -> None:
    """Check a race: another process removes leftover files at the same moment."""
    leftover = tmp_path / "etc" / _LEFTOVER
    leftover.touch()
    original = getattr(os, vanishing_before)

    def vanishing(path: Any, *arguments: Any, **options: Any) -> Any:
        if path == _LEFTOVER:
            monkeypatch.undo()
            leftover.unlink()
        return original(path, *arguments, **options)

    monkeypatch.setattr(os, vanishing_before, vanishing)
    files.write("/etc/name", b"x")
    assert files.names("/etc") == ["name"]


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES])
def test_nothing_is_written_if_the_directory_has_no_known_owner(
    files: Files, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def failing(path: str | Path, **_options: object) -> os.stat_result:
        raise OSError(number, os.strerror(number), str(path))

    files.write("/etc/agent", b"before")
    with monkeypatch.context() as patch:
        patch.setattr(os, "lstat", failing)
        with pytest.raises(FileError):
            files.write("/etc/agent", b"after")
    assert files.read("/etc/agent") == b"before"
    assert files.names("/etc") == ["agent"]


def test_kind_of_a_link_is_that_of_its_target(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path)
    assert (kind_at(tmp_path / "file"), kind_at(tmp_path / "link")) == ("file", "directory")
    assert kind_at(tmp_path / "nothing") is None
    assert kind_at(tmp_path / "file" / "below") is None


def test_too_long_name_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="File name too long"):
        refuse_present(tmp_path / ("a" * 300))


def test_unreadable_directory_is_a_usage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(_path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", closed)
    with refused(UsageError, "permission-denied", match=f"cannot look at {tmp_path}: Permission denied"):
        refuse_present(tmp_path)


def test_existing_file_is_refused_for_a_new_one(tmp_path: Path) -> None:
    refuse_present(tmp_path / "new")
    with refused(UsageError, "file-exists"):
        refuse_present(tmp_path)
