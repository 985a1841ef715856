"""Starting this program as an account, as root, hidden from the account's other programs.

The kernel lets a user read and trace the user's own processes, unless a process runs a file that the user
cannot read: then only root may (ptrace(2), PR_SET_DUMPABLE in prctl(2)). So the process begins with a dynamic
loader of root that the account can execute, but not read. Its variables, which may hold secrets, arrive
through a pipe once root has verified that the process cannot be read.
"""

import os
import re
import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from mstunnel_setup.base.errors import CheckError

VARIABLES_FD: Final = "MSTUNNEL_VARIABLES_FD"
"""Names the descriptor of the pipe with the variables of a process that root has started as an account."""
_OTHERS_READ: Final = 0o044
_EXECUTE_ONLY: Final = 0o711
# linux/memfd.h. Kernels before 6.3 lack it and always allow execution.
_MFD_EXEC: Final = 0x10
# elf(5), 64 bits: e_phoff, e_phentsize and e_phnum; p_type, p_offset and p_filesz.
_ELF_HEADER, _PROGRAM_HEADER = struct.Struct("<32xQ14xHH4x"), struct.Struct("<I4xQ16xQ16x")
_PT_INTERP: Final = 3
_NAMED: Final = re.compile(r"(?:^|[=:])/(?:dev|proc/self)/fd/(\d+)$")
_PROGRESS: Final = "--progress-fd"
_LAST_STANDARD: Final = 2


def closed_loader(program: str) -> tuple[str, int | None]:
    """Return a dynamic loader for `program` that only root can read, and the descriptor to close afterwards.

    Our own directory contains such a loader (scripts/bundle/tree.py). For another interpreter it is a copy in
    memory. Raises OSError, or ValueError for a program without a dynamic loader.
    """
    loader = Path("/proc/self/exe").readlink()
    if not loader.name.startswith("ld-"):
        loader = Path(_interpreter(program))
    state = loader.stat()
    if state.st_uid == 0 and not state.st_mode & _OTHERS_READ:
        return str(loader), None
    try:
        copy = os.memfd_create("loader", os.MFD_CLOEXEC | _MFD_EXEC)
    except OSError:
        copy = os.memfd_create("loader", os.MFD_CLOEXEC)
    os.fchmod(copy, _EXECUTE_ONLY)
    with os.fdopen(copy, "wb", closefd=False) as stream:
        stream.write(loader.read_bytes())
    return f"/proc/self/fd/{copy}", copy


def _interpreter(program: str) -> str:
    with Path(program).open("rb") as file:
        start, size, count = _ELF_HEADER.unpack(file.read(_ELF_HEADER.size))
        for number in range(count):
            file.seek(start + number * size)
            kind, offset, length = _PROGRAM_HEADER.unpack(file.read(_PROGRAM_HEADER.size))
            if kind == _PT_INTERP:
                file.seek(offset)
                return file.read(length).rstrip(b"\0").decode()
    raise ValueError(program)


def named_descriptors(arguments: Sequence[str], variables: Mapping[str, str]) -> list[int]:
    """Return the inheritable descriptors named as `--progress-fd N` or `/dev/fd/N`.

    Standard streams and terminals are left out. Each option can also be given as a variable.
    """
    progress = variables.get("MSTUNNEL_PROGRESS_FD", "")
    named: set[int] = set()
    before = ""
    for word in (*arguments, *variables.values(), _PROGRESS, progress):
        if before == _PROGRESS and word.isdecimal():
            named.add(int(word))
        elif word.startswith(f"{_PROGRESS}=") and word.partition("=")[2].isdecimal():
            named.add(int(word.partition("=")[2]))
        elif found := _NAMED.search(word):
            named.add(int(found[1]))
        before = word
    return sorted(number for number in named if number > _LAST_STANDARD and _is_inheritable(number))


def _is_inheritable(number: int) -> bool:
    with suppress(OSError, OverflowError):
        return os.get_inheritable(number) and not os.isatty(number)
    return False


def refuse_open_process(process_id: int, account: str) -> None:
    """Raise CheckError for a process that the account can read or trace, or that is traced."""
    process = Path(f"/proc/{process_id}")
    try:
        status = (process / "status").read_text()
        closed = (process / "environ").stat().st_uid == 0 and "\nTracerPid:\t0\n" in status
    except FileNotFoundError:
        # The process has ended.
        return
    if not closed:
        raise CheckError(
            "account-process-open",
            "other programs of account {account} can read the process that runs as this account",
            hint="Run the command as {account}, or report this with the output of `uname -r`.",
            account=account,
        )


def send_variables(pipe: int, variables: Mapping[str, str]) -> None:
    """Write the variables into the pipe and close it; ignore a process that has already ended."""
    content = b"".join(os.fsencode(f"{name}={value}") + b"\0" for name, value in variables.items())
    with suppress(BrokenPipeError), os.fdopen(pipe, "wb") as stream:
        stream.write(content)


def receive_variables() -> None:
    """Replace the environment of this process with the variables that root sends through the pipe."""
    with suppress(ValueError, OSError), os.fdopen(int(os.environ.pop(VARIABLES_FD)), "rb") as stream:
        content = stream.read()
        os.environ.clear()
        for line in content.split(b"\0")[:-1]:
            name, _, value = line.partition(b"=")
            os.environb[name] = value
