"""Read tar files that may come from anywhere, within bounds.

Every header is checked before the first byte of content is read, so that a small file cannot take memory or
disk beyond its limits. Links and sparse files, which can be small here and large unpacked, are refused.
"""

import io
import tarfile
import zlib
from dataclasses import dataclass
from typing import Final

LONGEST_NAME: Final = 255
"""Characters of a name in an archive."""

_GZIP: Final = 16 + zlib.MAX_WBITS
_UNREADABLE: Final = (OSError, EOFError, tarfile.TarError, zlib.error, KeyError, ValueError, RecursionError)


class ArchiveError(ValueError):
    """The archive is damaged or not acceptable; its text is the reason, for people."""


@dataclass(frozen=True)
class Limits:
    """What an archive may hold: entries, bytes of one file, bytes of all files together."""

    entries: int
    file_size: int
    total: int


def read_tar(content: bytes, limits: Limits) -> dict[str, bytes]:
    """The files of an uncompressed tar file by name, without a leading `./`.

    Directories are left out. Raises ArchiveError when the archive is damaged,
    exceeds the limits, or holds a link, a device, a sparse file, or one name twice.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            found: dict[str, bytes] = {}
            for name, member in _checked(archive, limits).items():
                stream = archive.extractfile(member)
                found[name] = b"" if stream is None else stream.read()
            return found
    except ArchiveError:
        raise
    except _UNREADABLE as error:
        raise ArchiveError("the file is not a readable archive") from error


def decompress(packed: bytes, most: int) -> bytes:
    """The content of a gzip file. Raises ArchiveError when it is damaged or longer than `most` bytes."""
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


def _checked(archive: tarfile.TarFile, limits: Limits) -> dict[str, tarfile.TarInfo]:
    """The regular files, judged by their headers alone."""
    found: dict[str, tarfile.TarInfo] = {}
    total = 0
    for number, member in enumerate(archive, 1):
        shown = repr(member.name[:LONGEST_NAME])
        if number > limits.entries:
            raise ArchiveError(f"it has more than {limits.entries} entries")
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
