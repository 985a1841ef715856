"""Lab tenants in processes of their own."""

import atexit
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

LAB = str(Path(sys.executable).with_name("mstunnel-lab"))
# Imports the lab once and forks one for each line of its input, a list of options and the file for what it
# complains of; answers with the process, and to its number alone, with its exit code.
_FORKS = """
import gc, json, os, sys
from mstunnel_lab import cli, serve
gc.freeze()
for line in sys.stdin:
    given = json.loads(line)
    if isinstance(given, int):
        print(os.waitstatus_to_exitcode(os.waitpid(given, 0)[1]), flush=True)
        continue
    options, errors = given
    child = os.fork()
    if child == 0:
        os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 2)
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(0, 1)
        sys.argv = ["mstunnel-lab", "serve", *options]
        os._exit(cli.main())
    print(child, flush=True)
"""


def description(directory: Path) -> dict[str, Any]:
    """What the `lab.json` of a lab says; empty before there is one."""
    try:
        found: dict[str, Any] = json.loads((directory / "lab.json").read_text())
    except FileNotFoundError:
        return {}
    return found


@dataclass
class LabProcess:
    """A running `mstunnel-lab serve`."""

    popen: subprocess.Popen[str]
    directory: Path
    printed: str = ""
    errors: str = ""

    @property
    def description(self) -> dict[str, Any]:
        """What its `lab.json` says."""
        return description(self.directory)

    @property
    def is_ready(self) -> bool:
        """Whether lab.json is this process's; a killed lab leaves its own behind."""
        return self.description.get("pid") == self.popen.pid

    def stop(self, number: int) -> int:
        """Send a signal; returns the exit code."""
        self.popen.send_signal(number)
        self.printed, self.errors = self.popen.communicate(timeout=120)
        return self.popen.returncode


def start_lab(directory: Path, *arguments: str) -> LabProcess:
    """A lab that is ready, started as a person starts it."""
    command = [LAB, "serve", "--dir", str(directory), *arguments]
    popen = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process, end = LabProcess(popen, directory), time.monotonic() + 240
    while not process.is_ready:
        if popen.poll() is not None or time.monotonic() > end:
            popen.kill()
            raise AssertionError(popen.communicate()[1])
        time.sleep(0.05)
    return process


class _Forks:
    """A process with the lab imported, of which others are forked: they are up in a tenth of the time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _FORKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        atexit.register(self._close)

    def ask(self, question: object) -> int:
        """Send a line; the number that comes back."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def _close(self) -> None:
        self._process.communicate()


@cache
def _forks() -> _Forks:
    return _Forks()


@contextmanager
def running_lab(directory: Path, *arguments: str) -> Iterator[dict[str, Any]]:
    """What the `lab.json` of a lab says that runs until the end of the block; it must complain of nothing."""
    errors = directory.with_name(f"{directory.name}.errors")
    process = _forks().ask([["--dir", str(directory), "--port", "0", *arguments], str(errors)])
    try:
        end = time.monotonic() + 240
        while description(directory).get("pid") != process:
            assert not errors.exists() or not errors.read_text(), errors.read_text()
            assert time.monotonic() < end, "the lab is not ready"
            time.sleep(0.02)
        yield description(directory)
    finally:
        os.kill(process, signal.SIGTERM)
        code = _forks().ask(process)
    assert (code, errors.read_text()) == (0, "")
