"""Debian packages of either architecture, downloaded and unpacked without installing them."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts import wheels
from scripts.wheels import ROOT

CACHE = ROOT / "build" / "cache" / "debian"
PACKAGES = (
    *("python3.13-minimal", "libpython3.13-minimal", "libpython3.13-stdlib", "libc6", "libgcc-s1"),
    *("libbz2-1.0", "libexpat1", "libffi8", "liblzma5", "libsqlite3-0", "libssl3t64", "libuuid1"),
    *("libzstd1", "zlib1g", "ca-certificates"),
)
"""The interpreter, and what it and the locked wheels load."""
_LICENSES = ("base-files", "gcc-14-base")
"""Where other packages refer to for their licence."""


@dataclass(frozen=True)
class Architecture:
    """A processor architecture in the words of Debian, the kernel and glibc."""

    debian: str
    machine: str
    loader: str


ARCHITECTURES = {
    "amd64": Architecture("amd64", "x86_64", "ld-linux-x86-64.so.2"),
    "arm64": Architecture("arm64", "aarch64", "ld-linux-aarch64.so.1"),
}


def architecture() -> Architecture:
    """What is built for: `ARCH` (amd64, arm64), else this machine. Ends the program at any other."""
    name = os.environ.get("ARCH") or here().debian
    if name not in ARCHITECTURES:
        sys.exit(f"ARCH={name} is not known: give one of {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name]


def here() -> Architecture:
    """That of this machine."""
    return next(known for known in ARCHITECTURES.values() if known.machine == os.uname().machine)


def unpacked(target: Architecture, *others: str) -> Path:
    """Folder with the files of PACKAGES, or of `others` instead, downloaded once per state of this module.

    Beside `files`, `packages` has one line for each: name, version, architecture; `digests` one for each
    archive: SHA-256, file name.
    """
    folder = CACHE / "-".join((*others, target.debian, wheels.digest([Path(__file__).resolve()])))
    if not folder.is_dir():
        print(f"debian: {' '.join(others) or 'packages'} for {target.debian}", file=sys.stderr, flush=True)
        partial = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        wanted = (*(others or PACKAGES), *_LICENSES)
        _download(target, wanted, partial / "archives")
        archives = sorted((partial / "archives").iterdir())
        lines = [_unpack(archive, partial / "files") for archive in archives]
        bundled = [line for line in lines if not line.startswith(_LICENSES)]
        (partial / "packages").write_text("".join(bundled))
        digests = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in archives]
        (partial / "digests").write_text("".join(digests))
        shutil.rmtree(partial / "archives")
        partial.rename(folder)
        wheels.remove_older(folder)
    return folder


def _download(target: Architecture, packages: Sequence[str], archives: Path) -> None:
    """With the machine's sources and a separate state, so that nothing on the machine changes."""
    archives.mkdir(parents=True)
    state = archives.with_name("state")
    for name in ("lists/partial", "cache/archives/partial"):
        (state / name).mkdir(parents=True)
    options = {
        "Dir::State": state,
        "Dir::State::status": "/dev/null",
        "Dir::Cache": state / "cache",
        "APT::Architecture": target.debian,
        "APT::Architectures": target.debian,
        "APT::Sandbox::User": "root",
    }
    apt = ["apt-get", "--quiet=2", *(f"--option={name}={value}" for name, value in options.items())]
    subprocess.run([*apt, "update"], stdin=subprocess.DEVNULL, stdout=sys.stderr, check=True, timeout=300)
    subprocess.run([*apt, "download", *packages], cwd=archives, stdout=sys.stderr, check=True, timeout=300)
    shutil.rmtree(state)


def _unpack(archive: Path, folder: Path) -> str:
    subprocess.run(["dpkg-deb", "--extract", str(archive), str(folder)], check=True, timeout=60)
    shown = ["dpkg-deb", "--show", "--showformat=${Package} ${Version} ${Architecture}\n", str(archive)]
    return subprocess.run(shown, capture_output=True, text=True, check=True, timeout=60).stdout
