"""The program and its locked dependencies as wheels, downloaded or built once per state of the checkout."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from scripts import ROOT
from scripts.release.publisher import publisher

WHEELS = ROOT / "build" / "cache" / "wheels"
REQUIREMENTS = ROOT / "requirements" / "runtime.txt"
PACKAGES = ("mstunnel_setup", "mst_admin", "mstunnel_lab")
_DATA = ROOT / "mstunnel_setup" / "data"
PACKAGE_DATA = (
    _DATA / "agent-hints.json",
    _DATA / "check-findings.json",
    _DATA / "locale/ja/LC_MESSAGES/mstunnel.mo",
)
"""What the build writes (package_data.py). It follows from the sources, so no digest includes it."""
_GENERATORS = (
    "scripts/__init__.py",
    *(f"scripts/bundle/{name}.py" for name in ("build_hook", "metadata_hook", "package_data")),
    *("scripts/docs/error_codes.py", "scripts/develop/texts.py", "scripts/release/publisher.py"),
)
SOURCES = (
    *("pyproject.toml", "README.md", "LICENSE", "images/gateway/metadata.nft"),
    *(*PACKAGES, "templates", *_GENERATORS),
)
EPOCH = os.environ.get("SOURCE_DATE_EPOCH", "315532800")
"""The time of everything that is built, in seconds since 1970; a release sets its own."""
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
    """Return the files of the checkout below `names`, without caches of Python and PACKAGE_DATA."""
    found: list[Path] = []
    for name in names:
        path = ROOT / name
        found += [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return [path for path in found if "__pycache__" not in path.parts and path not in PACKAGE_DATA]


def dependencies(machine: str = os.uname().machine) -> Path:
    """Folder of the locked runtime dependencies for one kind of processor; downloaded once per lock file."""
    folder = WHEELS / f"dependencies-{machine}-{digest([REQUIREMENTS])}"
    platforms = [f"--platform=manylinux{glibc}_{machine}" for glibc in ("2014", "_2_17", "_2_28", "_2_34")]
    target = [f"--python-version={PYTHON}", "--implementation=cp", *platforms]
    options = ["--no-deps", "--require-hashes", "--only-binary=:all:", f"--requirement={REQUIREMENTS}"]
    return _filled(folder, ["download", *target, *options, "--dest"])


def program() -> Path:
    """Folder with the wheel of this checkout, built once per state of its sources and EPOCH."""
    folder = WHEELS / f"program-{digest(files_below(*SOURCES), EPOCH, publisher()['homepage'])}"
    return _filled(folder, ["wheel", "--no-deps", "--no-build-isolation", str(ROOT), "--wheel-dir"])


def source_distribution(folder: Path) -> None:
    """Write `mstunnel_setup-VERSION.tar.gz` into `folder`: what pip builds the wheel from elsewhere."""
    command = [sys.executable, "-m", "hatchling", "build", "--target=sdist", f"--directory={folder}"]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": EPOCH, "HATCH_QUIET": "1"}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=300)


def _filled(folder: Path, arguments: list[str]) -> Path:
    def make(partial: Path) -> None:
        print(f"wheels: {folder.name}", file=sys.stderr, flush=True)
        # Locked hashes decide what is accepted; a local directory of wheels must not change what is tried.
        environment = {name: value for name, value in os.environ.items() if name != "PIP_FIND_LINKS"}
        environment["SOURCE_DATE_EPOCH"] = EPOCH
        command = [sys.executable, "-m", "pip", "--quiet", *arguments, str(partial)]
        subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=True, timeout=300)

    return kept(folder, make)


def kept(folder: Path, make: Callable[[Path], None], may_remove: Callable[[], bool] = lambda: True) -> Path:
    """A folder whose name ends with a hash of what it is made of; `make` fills it when it is not there yet.

    Then what was made of an earlier state is removed, if it may be.
    """
    if not folder.is_dir():
        partial = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        make(partial)
        partial.rename(folder)
        if may_remove():
            remove_older(folder)
    return folder


def remove_older(path: Path) -> None:
    """Remove what was made of an earlier state: the same name with another hash at its end."""
    prefix = path.name.rpartition("-")[0]
    for old in path.parent.glob(f"{prefix}-*"):
        if old != path and old.name.rpartition("-")[0] == prefix:
            shutil.rmtree(old, ignore_errors=True)
