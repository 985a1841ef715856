"""Files that a person names: arguments that may be one, and directories that a command writes into."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.text import text
from mstunnel_setup.io.errors import PATH_NOT_REGULAR, FileError
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.safe_paths import kind_at, visible_kind


def names_file(text: str, suffixes: Collection[str]) -> bool:
    """Whether an argument names a file, there or not: so that a typo in it is no other thing.

    What is written as a path does, or ends in one of the `suffixes`; else a file that is there. A name that
    cannot be looked at, such as one that is too long for a file, is none.
    """
    if text.startswith(("/", "./", "../", "~")) or Path(text).suffix.lower() in suffixes:
        return True
    return visible_kind(Path(text)) == "file"


def write_named(directory: Path, contents: Mapping[str, str]) -> None:
    """Write files into a directory that a person named, by its whole path; made when it is not there.

    What lies above the nearest directory that exists is that person's choice: it may be a shared place.
    Raises UsageError when something else is in its place, or that cannot be seen, and FileError.
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
    """Let errors about `path`, which is below `there`, name it as it is on this machine."""
    try:
        yield
    except FileError as error:
        message, hint = error.message, error.hint
        for end in (":", "`"):
            whole = f" {there / path.lstrip('/')}{end}"
            message, hint = message.replace(f" {path}{end}", whole), hint.replace(f" {path}{end}", whole)
        raise FileError(error.code, message, hint) from error
