"""Arguments that name either a file or something else."""

from collections.abc import Collection
from pathlib import Path

_STARTS = ("/", "./", "../", "~")


def names_file(text: str, suffixes: Collection[str]) -> bool:
    """Whether an argument names a file, there or not: so that a typo in it is no other thing.

    A file that is there is one; else what is written as a path, or ends in one of the `suffixes`.
    """
    return Path(text).is_file() or text.startswith(_STARTS) or Path(text).suffix.lower() in suffixes
