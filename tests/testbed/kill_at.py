"""Runs on the server: start a command and kill it with SIGKILL inside a step: `kill_at.py STEP COMMAND…`.

The moment is the first action that the step begins; a step without actions is met at its own beginning and
killed a moment later. The pipe of the events holds one, and an event is taken out only after it was looked
at: the command cannot get to the end of a step that is not seen, however quick it is.
"""

import ctypes
import fcntl
import json
import os
import signal
import subprocess
import sys
import time

ACTIONLESS = ("sign-in", "verify")
AT_WORK_SECONDS = 0.05
# Linux, fcntl.h; the name is in the standard library since Python 3.10.
SET_PIPE_SIZE = 1031
# The smallest pipe; one of packets (O_DIRECT) then holds one, of any length up to this.
ONE_PAGE = os.sysconf("SC_PAGE_SIZE")


def main(step: str, command: list[str]) -> int:
    """Exit code 137 when the command was killed as asked, its own otherwise."""
    reading, writing = os.pipe2(os.O_DIRECT)
    fcntl.fcntl(writing, SET_PIPE_SIZE, ONE_PAGE)
    process = subprocess.Popen([*command, "--progress-fd", str(writing)], pass_fds=[writing])
    os.close(writing)
    while packet := looked_at(reading):
        event = json.loads(packet)
        begun = event["step"] == step and event["phase"] == "begin"
        if begun and (event["action"] or step in ACTIONLESS):
            time.sleep(AT_WORK_SECONDS if step in ACTIONLESS else 0)
            process.send_signal(signal.SIGKILL)
            break
        os.read(reading, ONE_PAGE)
    code = process.wait()
    return 128 - code if code < 0 else code


def looked_at(reading: int) -> bytes:
    """The packet at the head of a pipe, which stays there; nothing when every writer has closed it.

    tee(2); Python has no function for it.
    """
    copied, copy = os.pipe()
    found = ctypes.CDLL(None).tee(reading, copy, ONE_PAGE, 0)
    os.close(copy)
    with os.fdopen(copied, "rb") as stream:
        return stream.read() if found > 0 else b""


sys.exit(main(sys.argv[1], sys.argv[2:]))
