"""Files that programs with fewer rights leave for root: read strictly, removed whatever they are."""

import os
import socket
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from mstunnel_setup.io import messages
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.messages import UtcTime
from tests.cases import every
from tests.refusals import refused

DIRECTORY = "/var/agent"
PLACE = f"{DIRECTORY}/message.json"


class Message(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    port: Annotated[int, Field(ge=1)] = 1
    seconds: float = 0
    at: UtcTime | None = None
    words: list[str] = []


@pytest.fixture
def files(tmp_path: Path) -> Files:
    found = Files(tmp_path)
    found.make_directories(DIRECTORY)
    return found


def full_directory(place: Path) -> None:
    (place / "below").mkdir(parents=True)
    (place / "below" / "file").write_bytes(b"x")


def listening(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as found:
        directory = os.open(place.parent, os.O_RDONLY)
        found.bind(f"/proc/self/fd/{directory}/{place.name}")
        os.close(directory)


def huge(place: Path) -> None:
    with place.open("wb") as stream:
        stream.truncate(1 << 40)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


OBJECTS: dict[str, Callable[[Path], object]] = {
    "directory": Path.mkdir,
    "full directory": full_directory,
    "pipe": os.mkfifo,
    "socket": listening,
    "link": lambda place: place.symlink_to("/etc/passwd"),
    "dangling link": lambda place: place.symlink_to("nowhere"),
    "link to a device": lambda place: place.symlink_to("/dev/zero"),
    "huge file": huge,
}
EACH_OBJECT = pytest.mark.parametrize("put", OBJECTS.values(), ids=OBJECTS)


@EACH_OBJECT
def test_object_that_is_no_small_file_is_refused_without_leaks(
    files: Files, put: Callable[[Path], object]
) -> None:
    put(files.locate(PLACE))
    before, started = descriptors(), time.monotonic()
    for _ in range(20):
        with pytest.raises(FileError):
            files.read_untrusted(PLACE, 4096)
    assert descriptors() <= before  # descriptors of earlier tests may be closed in the meantime
    assert time.monotonic() - started < 5


def test_file_is_read_up_to_the_limit(files: Files) -> None:
    assert files.read_untrusted(PLACE, 10) is None
    files.write(PLACE, b"x" * 10)
    assert files.read_untrusted(PLACE, 10) == b"x" * 10
    with refused(FileError, "file-too-large"):
        files.read_untrusted(PLACE, 9)


@every(
    "text",
    [
        "",
        b'{"words": ["\xff"]}',
        "[" * 200_000,
        '{"words": ' + "[" * 200_000,
        '{"port": 1e999}',
        '{"port": ' + "9" * 5000 + "}",
        '{"seconds": 1e999}',
        '{"seconds": NaN}',
        '{"at": "2026-01-01T00:00:00"}',
        '{"at": 1e300}',
        '{"at": "0001-01-01T00:00:00+00:01"}',
        '{"at": "9999-12-31T23:59:59-00:01"}',
        '{"at": "0001-01-01T00:00:00Z"}',
        '{"at": "9999-12-31T23:59:59Z"}',
        '{"at": "+999999999-01-01T00:00:00Z"}',
        '{"words": ["\\ud800"]}',
        '{"unknown": 1}',
        "null",
        "\x00",
        "\ufeff{}",
    ],
)
def test_invalid_message_is_refused(files: Files, text: str | bytes) -> None:
    files.write(PLACE, text.encode() if isinstance(text, str) else text)
    with refused(FileError, "message-invalid"):
        messages.read(files, PLACE, Message, 1 << 20)


def test_a_time_with_another_offset_is_read_as_utc(files: Files) -> None:
    files.write(PLACE, b'{"at": "2026-01-01T01:30:00+01:30"}')
    found = messages.read(files, PLACE, Message)
    assert found is not None
    assert found.at is not None
    assert (found.at, found.at.utcoffset()) == (datetime(2026, 1, 1, tzinfo=UTC), timedelta())


def test_a_message_is_read_and_a_missing_one_is_none(files: Files) -> None:
    assert messages.read(files, PLACE, Message) is None
    files.write(PLACE, b'{"port": 443, "at": "2026-01-01T00:00:00Z"}')
    found = messages.read(files, PLACE, Message)
    assert found is not None
    assert found.port == 443


@EACH_OBJECT
def test_object_of_any_kind_is_removed_alone(files: Files, put: Callable[[Path], object]) -> None:
    put(files.locate(PLACE))
    files.write(f"{DIRECTORY}/other", b"stays")
    files.discard(PLACE)
    assert files.names(DIRECTORY) == ["other"]
    files.discard(PLACE)
    assert Path("/etc/passwd").exists()


def test_directory_is_emptied_without_following_links(files: Files, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("stays")
    inside = files.locate(DIRECTORY)
    for number, put in enumerate(OBJECTS.values()):
        put(inside / f"object{number}")
    (inside / "out").symlink_to(outside)
    for name in ("-rf", "a\nb", ".hidden", "ä" * 120, "*"):
        (inside / name).write_bytes(b"")
    Path(os.fsdecode(os.fsencode(inside) + b"/\xff\xfe")).write_bytes(b"")
    for number in range(3000):
        (inside / f"many{number}").write_bytes(b"")
    files.empty(DIRECTORY)
    assert files.names(DIRECTORY) == []
    assert (outside / "file").read_text() == "stays"


def test_very_deep_tree_is_removed(files: Files) -> None:
    where = os.open(files.locate(DIRECTORY), os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=where)
        below = os.open("d", os.O_RDONLY, dir_fd=where)
        os.close(where)
        where = below
    os.close(where)
    files.remove_tree(DIRECTORY)
    assert files.state(DIRECTORY) is None


@pytest.mark.parametrize("put", [Path.mkdir, full_directory])
def test_removal_of_a_refilled_directory_ends(
    files: Files, monkeypatch: pytest.MonkeyPatch, put: Callable[[Path], None]
) -> None:
    place, unlink, made = files.locate(PLACE), os.unlink, iter(range(3000))

    def refilled(name: str, *, dir_fd: int) -> None:
        unlink(name, dir_fd=dir_fd)
        for number in islice(made, 2):
            os.close(os.open(f"again{number}", os.O_CREAT, dir_fd=dir_fd))

    put(place)
    (place / "first").touch()
    monkeypatch.setattr(os, "unlink", refilled)
    with refused(FileError, "file-error") as caught:
        files.discard(PLACE, 1000)
    assert str(PLACE) in caught.value.message


def test_large_tree_is_removed_in_several_attempts(files: Files) -> None:
    place = files.locate(PLACE)
    for number in range(300):
        (place / f"{number}" / "below").mkdir(parents=True)
        (place / f"{number}" / "file").touch()
    for _ in range(20):
        with suppress(FileError):
            files.discard(PLACE, 400)
    assert files.state(PLACE) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a directory to another user")
def test_directory_changes_owner_before_it_is_emptied(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    place, scandir, seen = files.locate(PLACE), os.scandir, set[tuple[int, int]]()

    def watched(handle: int) -> Any:
        found = os.fstat(handle)
        seen.add((found.st_uid, stat.S_IMODE(found.st_mode)))
        return scandir(handle)

    full_directory(place)
    for path in (place, place / "below"):
        path.chmod(0o777)
        os.chown(path, 65532, 65532)
    monkeypatch.setattr(os, "scandir", watched)
    files.discard(PLACE)
    assert seen == {(0, 0o700)}


def test_link_in_place_of_a_closed_directory_is_not_followed(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Check a race: its owner replaces the closed directory by a link after the first failed open."""
    victim, place, opened = tmp_path / "victim", files.locate(PLACE), os.open
    victim.mkdir()
    victim.chmod(0o750)
    place.mkdir()

    def racing(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
        if path == place.name and not place.is_symlink():
            place.rmdir()
            place.symlink_to(victim)
            raise PermissionError
        return opened(path, flags, *arguments, **options)

    monkeypatch.setattr(os, "open", racing)
    with suppress(FileError):
        files.discard(PLACE)
    assert stat.S_IMODE(victim.stat().st_mode) == 0o750


def test_directory_without_permissions_is_removed(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    place, opened, refused = files.locate(PLACE), os.open, list[str]()
    full_directory(place)
    place.chmod(0)

    def closed(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
        if path == place.name and not flags & os.O_PATH and place.stat().st_mode & 0o777 == 0:
            refused.append(path)
            raise PermissionError
        return opened(path, flags, *arguments, **options)

    monkeypatch.setattr(os, "open", closed)
    files.discard(PLACE)
    assert refused == [place.name]
    assert files.state(PLACE) is None
