"""Paths on the command line: arguments that may be a file, and output directories."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.text import text
from mstunnel_setup.io.errors import PATH_NOT_REGULAR, FileError
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.safe_paths import kind_at, visible_kind


def names_file(text: str, suffixes: Collection[str]) -> bool:
    """Return whether an argument is a file name, whether or not the file exists.

    True for a text with a slash or one of the `suffixes`, so that a misspelt path is not taken for another
    value, and for the name of an existing file. False if stat() fails, for example with ENAMETOOLONG.
    """
    if text.startswith(("/", "./", "../", "~")) or Path(text).suffix.lower() in suffixes:
        return True
    return visible_kind(Path(text)) == "file"


def write_named(directory: Path, contents: Mapping[str, str]) -> None:
    """Write files into a directory given on the command line, creating it if it is missing.

    Parents of the nearest existing directory are not checked: a user may choose a shared one. Raises
    UsageError if the path is not a directory or cannot be examined, and FileError.
    """
    there = directory
    while (kind := kind_at(there)) is None:
        there = there.parent
    if kind != "directory":
        error = PATH_NOT_REGULAR(verb=text("write to"), path=there, kind=kind, expected=text("directory"))
        raise UsageError(error.code, error.message, error.hint)
    files, below = Files(there), PurePosixPath("/", directory.relative_to(there))
    for missing in files.missing(str(below)):
        with _whole_path_in_errors(there, missing):
            files.make_directory(missing)
    for name, content in contents.items():
        with _whole_path_in_errors(there, str(below / name)):
            files.write(str(below / name), content.encode())


@contextmanager
def _whole_path_in_errors(there: Path, path: str) -> Iterator[None]:
    """Rewrite errors about `path`, which is relative to `there`, with the full path."""
    try:
        yield
    except FileError as error:
        message, hint = error.message, error.hint
        for end in (":", "`"):
            whole = f" {there / path.lstrip('/')}{end}"
            message, hint = message.replace(f" {path}{end}", whole), hint.replace(f" {path}{end}", whole)
        raise FileError(error.code, message, hint) from error
