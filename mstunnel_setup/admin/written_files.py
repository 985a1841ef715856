"""Files that a command writes where a person wants them."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from mstunnel_setup.host.files import Files


def write_named(directory: Path, contents: Mapping[str, str]) -> None:
    """Write files into a directory that a person named; it is made when it is not there.

    What lies above the nearest directory that exists is that person's choice: it may be a shared place.
    """
    there = next(place for place in (directory, *directory.parents) if place.is_dir())
    files, below = Files(there), directory.relative_to(there)
    files.make_directories(str(PurePosixPath("/", below)))
    for name, content in contents.items():
        files.write(str(PurePosixPath("/", below, name)), content.encode())
