"""Keeping secrets in memory from other programs of the same account, and out of core files."""

import ctypes
import resource
from typing import Final

# linux/prctl.h
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4


def keep_private() -> None:
    """Let no program of the same account look into this process, and no crash write its memory to a file.

    The account that runs this process no longer owns its files in /proc: prctl(2), PR_SET_DUMPABLE. A program
    that this process becomes or starts decides for itself; the limit of core files stays.
    """
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def end_with_parent(signal: int) -> None:
    """Have the kernel send `signal` to this process when the one that started it ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal, 0, 0, 0)
