"""Protect secrets in memory from other programs of the same account and from core dumps."""

import ctypes
import resource
from typing import Final

# linux/prctl.h
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4


def keep_private() -> None:
    """Deny other programs of the account access to this process's memory, and disable core dumps.

    Clears PR_SET_DUMPABLE (prctl(2)), which execve(2) resets; the core limit is inherited.
    """
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def end_with_parent(signal: int) -> None:
    """Have the kernel send `signal` to this process when its parent ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal, 0, 0, 0)
