"""The program and its locked dependencies as wheels, for images that must build without pip's network."""

import hashlib
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.testbed.paths import CACHE, ROOT
from tests.testbed.process import progress, run

REQUIREMENTS = ROOT / "requirements" / "runtime.txt"
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "mstunnel_setup", "templates")
# Of the images' Debian release.
PYTHON = "3.13"


def digest(paths: Iterable[Path], *extra: str) -> str:
    """Short hash of files (name, executable bit, content) and of words that matter as much."""
    total = hashlib.sha256("\0".join(extra).encode())
    for path in sorted(paths):
        kind = "x" if os.access(path, os.X_OK) else "-"
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(ROOT)} {kind} {content}\n".encode())
    return total.hexdigest()[:12]


def files_below(*names: str) -> list[Path]:
    """Files of the checkout below `names`, without what Python leaves there."""
    found: list[Path] = []
    for name in names:
        path = ROOT / name
        found += [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return [path for path in found if "__pycache__" not in path.parts]


def dependencies() -> Path:
    """Folder of the locked runtime dependencies, for the images' Python; downloaded once per lock file."""
    folder = CACHE / "wheels" / f"dependencies-{digest([REQUIREMENTS], PYTHON)}"
    machine = os.uname().machine
    platforms = [f"--platform=manylinux{glibc}_{machine}" for glibc in ("2014", "_2_17", "_2_28", "_2_34")]
    target = [f"--python-version={PYTHON}", "--implementation=cp", *platforms]
    options = ["--no-deps", "--require-hashes", "--only-binary=:all:", f"--requirement={REQUIREMENTS}"]
    _fill(folder, ["download", *target, *options, "--dest"])
    return folder


def program() -> Path:
    """Folder with the wheel of this checkout, built once per state of its sources."""
    folder = CACHE / "wheels" / f"program-{digest(files_below(*SOURCES))}"
    _fill(folder, ["wheel", "--no-deps", "--no-build-isolation", str(ROOT), "--wheel-dir"])
    return folder


def _fill(folder: Path, arguments: list[str]) -> None:
    if folder.is_dir():
        return
    progress(f"wheels: {folder.name}")
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    # Locked hashes decide what is right; a local folder of wheels must not decide what is tried.
    environment = ["env", "--unset=PIP_FIND_LINKS"]
    run([*environment, sys.executable, "-m", "pip", "--quiet", *arguments, str(partial)], timeout=300)
    partial.rename(folder)
    prefix = folder.name.split("-")[0]
    for old in folder.parent.glob(f"{prefix}-*"):
        if old != folder:
            shutil.rmtree(old, ignore_errors=True)
