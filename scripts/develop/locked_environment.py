"""Separate environments for what only some tests or `make docs` need, each made the first time."""

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts import ROOT


def locked_environment(name: str) -> Path:
    """The interpreter of an environment in `build/cache/NAME` with what `requirements/NAME.txt` locks."""
    requirements = ROOT / f"requirements/{name}.txt"
    content = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:16]
    directory = ROOT / "build/cache" / name / content
    with _locked(directory.with_name("lock")):
        if not (directory / "complete").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(directory)], check=True, timeout=280)
            pip = [str(directory / "bin/python"), "-m", "pip", "install", "--quiet", "--no-compile"]
            options = ["--disable-pip-version-check", "--require-hashes", "--requirement", str(requirements)]
            subprocess.run([*pip, *options], check=True, timeout=280, env=_without_wheels())
            (directory / "complete").touch()
    return directory / "bin/python"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _without_wheels() -> dict[str, str]:
    """The environment without a local directory of wheels: the locked digests decide."""
    return {name: value for name, value in os.environ.items() if name != "PIP_FIND_LINKS"}
