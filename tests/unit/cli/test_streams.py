"""Standard streams under signals."""

import subprocess
import sys

_NUMBERS = """
import signal, sys
from mstunnel_setup.cli.framework import streams

def interrupt(number, frame):
    global writing
    if writing:
        writing = False
        raise KeyboardInterrupt

streams.keep_open()
signal.signal(signal.SIGALRM, interrupt)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0003)
interrupted, writing = 0, False
for number in range(20000):
    try:
        writing = True
        sys.stdout.write(f"{number}\\n")
        writing = False
    except KeyboardInterrupt:
        interrupted += 1
signal.setitimer(signal.ITIMER_REAL, 0)
sys.stderr.write(f"{interrupted}\\n")
"""


def test_a_signal_during_a_write_never_has_a_line_written_twice() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _NUMBERS], capture_output=True, text=True, check=True, timeout=60
    )

    numbers = [int(line) for line in done.stdout.splitlines()]
    assert int(done.stderr) > 0
    assert numbers == sorted(set(numbers))
