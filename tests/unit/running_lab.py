"""Lab tenants in processes of their own."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LAB = str(Path(sys.executable).with_name("mstunnel-lab"))


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
        description: dict[str, Any] = json.loads((self.directory / "lab.json").read_text())
        return description

    @property
    def is_ready(self) -> bool:
        """Whether lab.json is this process's; a killed lab leaves its own behind."""
        try:
            return bool(self.description["pid"] == self.popen.pid)
        except FileNotFoundError:
            return False

    def stop(self, number: int) -> int:
        """Send a signal; returns the exit code."""
        self.popen.send_signal(number)
        self.printed, self.errors = self.popen.communicate(timeout=120)
        return self.popen.returncode


def start_lab(directory: Path, *arguments: str) -> LabProcess:
    """A lab that is ready."""
    command = [LAB, "serve", "--dir", str(directory), *arguments]
    popen = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process, end = LabProcess(popen, directory), time.monotonic() + 240
    while not process.is_ready:
        if popen.poll() is not None or time.monotonic() > end:
            popen.kill()
            raise AssertionError(popen.communicate()[1])
        time.sleep(0.05)
    return process


@contextmanager
def running_lab(directory: Path, *arguments: str) -> Iterator[dict[str, Any]]:
    """What the `lab.json` of a lab says that runs until the end of the block; it must complain of nothing."""
    process = start_lab(directory, "--port", "0", *arguments)
    try:
        yield process.description
    finally:
        process.stop(signal.SIGTERM)
    assert process.errors == ""
