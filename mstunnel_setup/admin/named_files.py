"""Files that a person names: arguments that may be one, and directories that a command writes into."""

from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath

from mstunnel_setup.host.files import Files

_STARTS = ("/", "./", "../", "~")


def names_file(text: str, suffixes: Collection[str]) -> bool:
    """Whether an argument names a file, there or not: so that a typo in it is no other thing.

    A file that is there is one; else what is written as a path, or ends in one of the `suffixes`.
    """
    return Path(text).is_file() or text.startswith(_STARTS) or Path(text).suffix.lower() in suffixes


def write_named(directory: Path, contents: Mapping[str, str]) -> None:
    """Write files into a directory that a person named; it is made when it is not there.

    What lies above the nearest directory that exists is that person's choice: it may be a shared place.
    """
    there = next(place for place in (directory, *directory.parents) if place.is_dir())
    files, below = Files(there), directory.relative_to(there)
    files.make_directories(str(PurePosixPath("/", below)))
    for name, content in contents.items():
        files.write(str(PurePosixPath("/", below, name)), content.encode())
