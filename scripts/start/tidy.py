"""Removes what is beside the folder of a version: older versions, and what interrupted runs left."""

import fcntl
import os
import re
import shutil

from packaging.version import Version

# The temporary names of boot.sh, complete.py and this: the process that made it comes last.
_TEMPORARY = re.compile(r"\..+\.(\d+)(\.damaged)?")


def remove_others(folder: str) -> None:
    """Remove what is neither newer than `folder` nor in use; what cannot be removed stays."""
    place, own = os.path.split(folder)
    for name in os.listdir(place):
        temporary = _TEMPORARY.fullmatch(name)
        if temporary:
            if not os.path.exists(f"/proc/{temporary[1]}"):
                shutil.rmtree(f"{place}/{name}", ignore_errors=True)
        elif name != own and _version(name) <= _version(own):
            _remove_unused(f"{place}/{name}")


def _version(name: str) -> Version:
    return Version(name.rpartition("-")[0])


def _remove_unused(folder: str) -> None:
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Under a temporary name at once, so that no start finds half of it.
        temporary = os.path.join(os.path.dirname(folder), f".{os.path.basename(folder)}.{os.getpid()}")
        os.rename(folder, temporary)
        shutil.rmtree(temporary, ignore_errors=True)
    except OSError:
        pass
    finally:
        os.close(held)
