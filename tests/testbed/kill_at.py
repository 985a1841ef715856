"""Runs on the server: start a command and kill it with SIGKILL inside a step: `kill_at.py STEP COMMAND…`.

The moment is the first action that the step begins; a step without actions is met at its own beginning and
killed a moment later, while it runs.
"""

import json
import os
import signal
import subprocess
import sys
import time

ACTIONLESS = ("sign-in", "verify")
AT_WORK_SECONDS = 0.05


def main(step: str, command: list[str]) -> int:
    """Exit code 137 when the command was killed as asked, its own otherwise."""
    reading, writing = os.pipe()
    process = subprocess.Popen([*command, "--progress-fd", str(writing)], pass_fds=[writing])
    os.close(writing)
    with os.fdopen(reading) as events:
        for line in events:
            event = json.loads(line)
            begun = event["step"] == step and event["phase"] == "begin"
            if begun and (event["action"] or step in ACTIONLESS):
                time.sleep(AT_WORK_SECONDS if step in ACTIONLESS else 0)
                process.send_signal(signal.SIGKILL)
                break
    code = process.wait()
    return 128 - code if code < 0 else code


sys.exit(main(sys.argv[1], sys.argv[2:]))
