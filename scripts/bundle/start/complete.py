"""`complete.py TARGET DIGEST`: write this folder to the disk, mark it as complete, rename it to TARGET.

The mark is written after everything else is durable: a power cut at any time leaves all of it, or no mark.
Prints `complete`, or the reason why it cannot be done.
"""

import errno
import os
import sys

from packed_modules import use_packed_modules

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, FOLDER)
from check import state  # noqa: E402 (the folder is not on the path of an isolated interpreter)


def mark(digest: str) -> None:
    """Write everything out, then the mark. Raises OSError."""
    if (found := state(FOLDER)) != "whole":
        raise OSError(found)
    use_packed_modules()
    import ctypes

    folder = os.open(FOLDER, os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).syncfs(folder):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    with open(f"{FOLDER}/complete", "w") as file:
        file.write(f"{digest}\n")
        file.flush()
        os.fsync(file.fileno())
    os.fsync(folder)


def finish_switch(target: str, digest: str) -> None:
    """Rename to `target`, instead of what is damaged there; what another process completed there stays."""
    from contextlib import suppress
    from shutil import rmtree

    while True:
        try:
            os.rename(FOLDER, target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        else:
            break
        if complete(target, digest):
            rmtree(FOLDER)
            return
        with suppress(FileNotFoundError):
            os.rename(target, f"{FOLDER}.damaged")
            rmtree(f"{FOLDER}.damaged")
    place = os.path.dirname(target)
    for folder in (place, os.path.dirname(place)):
        os.fsync(os.open(folder, os.O_RDONLY))


def complete(folder: str, digest: str) -> bool:
    """Whether a folder has the mark and whole files."""
    try:
        with open(f"{folder}/complete") as file:
            return file.read() == f"{digest}\n" and state(folder) == "whole"
    except OSError:
        return False


if __name__ == "__main__":
    try:
        mark(sys.argv[2])
        finish_switch(sys.argv[1], sys.argv[2])
        print("complete")
    except OSError as failure:
        sys.exit(f"{failure.filename or FOLDER}: {failure.strerror or failure}")
