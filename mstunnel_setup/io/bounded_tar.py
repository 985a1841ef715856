"""Bounded reading of tar files from any source: release feeds, backups, image archives.

Every header is checked before the first byte of content is read, and its size before `tarfile` reads it, so
that a small file cannot exhaust memory or disk. Links and sparse files, which can be small in the archive and
large unpacked, are refused. So is compression, because the size of the content is known only at its end.
"""

import io
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Final

from mstunnel_setup.base.text import text

LONGEST_NAME: Final = 255
"""The maximum length of a name, in characters."""

_GZIP: Final = 16 + zlib.MAX_WBITS
_UNREADABLE: Final = (OSError, EOFError, tarfile.TarError, KeyError, ValueError, RecursionError)
_BLOCK: Final = tarfile.BLOCKSIZE
# Headers that extend the next one: a long name, a long target, and extended attributes (pax) for one entry or
# for all. `tarfile` reads each into memory and keeps the attributes.
_EXTENSIONS: Final = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.XGLTYPE,
)
_LONGEST_EXTENSION: Final = 4096
# Attributes by which the content of an entry has another size than in its header.
_OTHER_SIZE: Final = (b" size=", b" GNU.sparse.")
_COMPRESSED: Final = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")


class ArchiveError(ValueError):
    """The archive is damaged or not acceptable; the text is the reason, for people."""


@dataclass(frozen=True)
class Limits:
    """The limits of an archive: entries, bytes of one file, bytes of all files together."""

    entries: int
    file_size: int
    total: int


class BoundedTar:
    """The regular files of an open tar file, by name without a leading `./`, in any order."""

    def __init__(self, archive: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo]) -> None:
        self._archive = archive
        self._members = members

    def __contains__(self, name: str) -> bool:
        """Return whether there is a file of this name."""
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the files."""
        return iter(self._members)

    def size(self, name: str) -> int:
        """Return the size of a file in bytes. Raises KeyError."""
        return self._members[name].size

    def content_of(self, name: str) -> IO[bytes]:
        """Open a file for reading. Raises KeyError."""
        return self._archive.extractfile(self._members[name]) or io.BytesIO()


@contextmanager
def bounded_tar(file: IO[bytes], limits: Limits) -> Iterator[BoundedTar]:
    """Open an uncompressed tar file for reading in any order, without its directories.

    Raises ArchiveError if the archive is compressed or damaged, exceeds the limits, or contains a link, a
    device, a sparse file, or one name twice.
    """
    try:
        _check_headers(file, limits)
        file.seek(0)
        archive = tarfile.open(fileobj=file, mode="r:")  # noqa: SIM115 (closed below)
        members = _checked(archive, limits)
    except ArchiveError:
        raise
    except _UNREADABLE as error:
        raise ArchiveError(text("the file is not a readable archive")) from error
    with archive:
        yield BoundedTar(archive, members)


def read_tar(content: bytes, limits: Limits) -> dict[str, bytes]:
    """Return the files of an uncompressed tar file by name. Raises ArchiveError as `bounded_tar` does."""
    with bounded_tar(io.BytesIO(content), limits) as archive:
        return {name: archive.content_of(name).read() for name in archive}


def decompress(packed: bytes, most: int) -> bytes:
    """Return the content of a gzip file. Raises ArchiveError if it is damaged or larger than `most` bytes."""
    inflating = zlib.decompressobj(_GZIP)
    try:
        content = inflating.decompress(packed, most + 1)
    except zlib.error as error:
        raise ArchiveError("the file is not a readable archive") from error
    if len(content) > most:
        raise ArchiveError(f"unpacked it has more than {most} bytes")
    if not inflating.eof or inflating.unused_data:
        raise ArchiveError("the compressed data does not end where the file does")
    return content


def _check_headers(file: IO[bytes], limits: Limits) -> None:
    """Raise ArchiveError unless `tarfile` can read every header in little memory, at the same position."""
    if file.read(8).startswith(_COMPRESSED):
        raise ArchiveError(text("the file is compressed"))
    end = file.seek(0, io.SEEK_END)
    position = number = 0
    while position < end:
        file.seek(position)
        block = file.read(_BLOCK)
        if not any(block):
            return
        header = tarfile.TarInfo.frombuf(block, tarfile.ENCODING, "surrogateescape")
        position += _BLOCK
        number += 1
        if number > limits.entries:
            raise ArchiveError(f"it has more than {limits.entries} entries")
        if header.type in _EXTENSIONS:
            if not 0 <= header.size <= _LONGEST_EXTENSION:
                raise ArchiveError(f"it has a header of more than {_LONGEST_EXTENSION} bytes")
            extension = file.read(header.size)
            if header.type not in (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK) and any(
                keyword in extension for keyword in _OTHER_SIZE
            ):
                raise ArchiveError("it has a sparse file, or one of another size than its header has")
        elif header.isdir():
            continue
        elif header.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
            raise ArchiveError(f"{header.name[:LONGEST_NAME]!r} is not a regular file")
        if header.size < 0 or position + header.size > end:
            raise ArchiveError("the file is not a readable archive")
        position += -(-header.size // _BLOCK) * _BLOCK


def _checked(archive: tarfile.TarFile, limits: Limits) -> dict[str, tarfile.TarInfo]:
    """Return the regular files, validated by their headers alone."""
    found: dict[str, tarfile.TarInfo] = {}
    total = 0
    for member in archive:
        shown = repr(member.name[:LONGEST_NAME])
        if len(member.name) > LONGEST_NAME:
            raise ArchiveError(f"the name {shown} has more than {LONGEST_NAME} characters")
        if member.isdir():
            continue
        name = member.name.removeprefix("./")
        if not member.isreg() or member.issparse():
            raise ArchiveError(f"{shown} is not a regular file")
        if name in found:
            raise ArchiveError(f"{shown} occurs twice")
        total += member.size
        if not 0 <= member.size <= limits.file_size or total > limits.total:
            raise ArchiveError(f"{shown} makes it larger than allowed")
        found[name] = member
    return found
