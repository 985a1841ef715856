"""A lab tenant in a separate process, for as long as a test needs it."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LAB = str(Path(sys.executable).with_name("mstunnel-lab"))


@contextmanager
def running_lab(directory: Path, *arguments: str) -> Iterator[dict[str, Any]]:
    """What the `lab.json` of a lab says that runs until the end of the block; it must complain of nothing."""
    command = [LAB, "serve", "--dir", str(directory), "--port", "0", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    ready, end = directory / "lab.json", time.monotonic() + 240
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            raise AssertionError(process.communicate()[1])
        time.sleep(0.05)
    try:
        yield json.loads(ready.read_text())
    finally:
        process.terminate()
        errors = process.communicate(timeout=120)[1]
    assert errors == ""
