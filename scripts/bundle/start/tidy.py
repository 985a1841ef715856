"""Removes what is beside the folder of a version: older versions, and what interrupted runs left."""

import fcntl
import os
import re
import shutil

from packaging.version import InvalidVersion, Version

# The temporary names of boot.sh, complete.py and this: the process that made it comes last.
_TEMPORARY = re.compile(r"\..+\.(\d+)(\.damaged)?")
# A version, and the beginning of its digest (scripts/bundle/dist.py).
_FOLDER = re.compile(r"(.+)-[0-9a-f]{12}")


def remove_others(folder: str) -> None:
    """Remove what is neither newer than `folder` nor in use; what is not ours or cannot be removed stays."""
    place, own = os.path.split(folder)
    own_version = _version(own)
    for name in os.listdir(place):
        temporary = _TEMPORARY.fullmatch(name)
        if temporary:
            if not os.path.exists(f"/proc/{temporary[1]}"):
                shutil.rmtree(f"{place}/{name}", ignore_errors=True)
        elif name != own:
            version = _version(name)
            if version is not None and own_version is not None and version <= own_version:
                _remove_unused(f"{place}/{name}")


def _version(name: str) -> Version | None:
    """The version in the name of its folder; None for a name of others."""
    folder = _FOLDER.fullmatch(name)
    try:
        return Version(folder[1]) if folder else None
    except InvalidVersion:
        return None


def _remove_unused(folder: str) -> None:
    try:
        held = os.open(folder, os.O_RDONLY)
    except OSError:
        # Another start has just removed it.
        return
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
