"""A program of another account on a separate terminal: its input, its output, and its end."""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another account"),
    pytest.mark.timeout(60),
]

ROOT = Path(__file__).parents[3]
BECOME = """
import sys
from mstunnel_setup.io.accounts import Account
from mstunnel_setup.io.process import Processes
account = Account("nobody", 65534, 65534, "/")
Processes().become(account, ["/usr/bin/python3", "-c", sys.argv[1]], {"PATH": "/usr/bin:/bin"})
"""
# Print a word when up, then wait.
WAIT = "import signal, time; print('up', flush=True); time.sleep(50)"


@dataclass
class Terminal:
    """Root's terminal, on which a program of the account runs."""

    process: int
    handle: int
    seen: str = ""

    def until(self, text: str) -> str:
        """Return everything shown until `text` appears."""
        while text not in self.seen:
            self._read(10)
        return self.seen

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self.handle], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self.handle, 65536)
        except OSError:
            return False
        self.seen += data.decode()
        return bool(data)

    def type(self, keys: bytes) -> None:
        os.write(self.handle, keys)

    def ended(self) -> tuple[int, str]:
        """Return the exit code (negative: the signal) and everything shown."""
        while self._read(10):
            pass
        _, status = os.waitpid(self.process, 0)
        return os.waitstatus_to_exitcode(status), self.seen


def begun(script: str, *, output: int | None = None) -> Terminal:
    process, handle = pty.fork()
    if process == 0:
        if output is not None:
            os.dup2(output, 1)
        os.chdir(ROOT)
        os.execv(sys.executable, [sys.executable, "-c", BECOME, script])
    return Terminal(process, handle)


@pytest.mark.parametrize(
    ("script", "code"), [("import sys; sys.exit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137)]
)
def test_relay_ends_with_the_code_of_the_program(script: str, code: int) -> None:
    assert begun(script).ended() == (code, "")


def test_keys_reach_the_program_and_its_output_is_shown() -> None:
    terminal = begun("print('name?', flush=True); print('hello', input())")
    terminal.until("name?")
    terminal.type(b"you\r")
    code, seen = terminal.ended()
    assert (code, seen.split()) == (0, ["name?", "you", "hello", "you"])


def test_a_password_is_not_shown() -> None:
    terminal = begun("import getpass; print(len(getpass.getpass()))")
    terminal.until("Password:")
    time.sleep(0.2)
    terminal.type(b"secret\r")
    code, seen = terminal.ended()
    assert (code, "secret" in seen, seen.split()[-1]) == (0, False, "6")


def test_control_c_interrupts_the_program() -> None:
    terminal = begun(f"import sys\ntry:\n  {WAIT}\nexcept KeyboardInterrupt: sys.exit(130)")
    terminal.until("up")
    terminal.type(b"\x03")
    assert terminal.ended()[0] == 130


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_is_passed_to_the_program(number: signal.Signals) -> None:
    terminal = begun(f"import signal, sys\nsignal.signal({int(number)}, lambda *_: sys.exit(99))\n{WAIT}")
    terminal.until("up")
    os.kill(terminal.process, number)
    assert terminal.ended()[0] == 99


def test_program_is_killed_with_its_relay() -> None:
    terminal = begun(f"import os; print(os.getpid(), end=' ');{WAIT}")
    process = int(terminal.until("up").split()[0])
    os.kill(terminal.process, signal.SIGKILL)
    os.waitpid(terminal.process, 0)
    for _ in range(100):
        if not Path(f"/proc/{process}").exists():
            return
        time.sleep(0.05)
    pytest.fail("it goes on alone")


def test_program_sees_the_window_size_and_its_changes() -> None:
    shown = "print(*os.get_terminal_size(), flush=True)"
    # A blocked signal stays pending until sigwait(), however early it comes.
    blocked = "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGWINCH})"
    wait = f"{blocked}; print('up', flush=True); signal.sigwait({{signal.SIGWINCH}})"
    terminal = begun(f"import os, signal; {wait}; {shown}")
    terminal.until("up")
    fcntl.ioctl(terminal.handle, termios.TIOCSWINSZ, struct.pack("HHHH", 41, 141, 0, 0))
    code, seen = terminal.ended()
    assert (code, seen.split()[-2:]) == (0, ["141", "41"])


def test_redirected_output_is_kept_apart_from_the_terminal() -> None:
    reading, writing = os.pipe()
    terminal = begun("import sys; print('result'); print('progress', file=sys.stderr)", output=writing)
    os.close(writing)
    assert terminal.ended() == (0, "progress\r\n")
    assert os.read(reading, 100) == b"result\n"
    os.close(reading)


def test_a_background_process_does_not_block_the_caller() -> None:
    started = time.monotonic()
    left = "subprocess.Popen(['sleep', '20'])"
    assert begun(f"import subprocess; {left}; print('done')").ended() == (0, "done\r\n")
    assert time.monotonic() - started < 15


def test_settings_of_the_terminal_are_restored() -> None:
    shown = "import json, termios; print(json.dumps(termios.tcgetattr(0)[:4]))"
    process, handle = pty.fork()
    if process == 0:
        os.chdir(ROOT)
        wrapped = (
            f"import subprocess, sys\n{shown}\n"
            f"subprocess.run([sys.executable, '-c', {BECOME!r}, 'input()'])\n{shown}"
        )
        os.execv(sys.executable, [sys.executable, "-c", wrapped])
    terminal = Terminal(process, handle)
    terminal.until("]")
    time.sleep(1)
    terminal.type(b"\r")
    code, seen = terminal.ended()
    first, *_, last = [json.loads(line) for line in seen.split("\r\n") if line.startswith("[")]
    assert (code, first) == (0, last)
