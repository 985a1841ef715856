"""Debian packages of either architecture, downloaded and unpacked without installing them."""

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts import ROOT
from scripts.bundle import wheels

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

    @property
    def suffix(self) -> str:
        """What the files of a release for it end with."""
        return "" if self.debian == "amd64" else f"-{self.debian}"


ARCHITECTURES = {
    "amd64": Architecture("amd64", "x86_64", "ld-linux-x86-64.so.2"),
    "arm64": Architecture("arm64", "aarch64", "ld-linux-aarch64.so.1"),
}


@dataclass(frozen=True)
class Package:
    """A package that was downloaded: its control file, and the paths of its files and links from the root."""

    control: str
    paths: frozenset[str]

    def field(self, name: str) -> str:
        """The value of a field of one line; empty without it."""
        return field(self.control, name)


def field(control: str, name: str) -> str:
    """The value of a field of one line in a control file; empty without it."""
    lines = (line for line in control.splitlines() if line.startswith(f"{name}: "))
    return next(lines, "").partition(": ")[2]


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

    Beside `files` is what packages() reads; `digests` has one line for each archive: SHA-256, file name.
    """
    folder = CACHE / "-".join((*others, target.debian, wheels.digest([Path(__file__).resolve()])))
    if not folder.is_dir():
        print(f"debian: {' '.join(others) or 'packages'} for {target.debian}", file=sys.stderr, flush=True)
        partial = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        wanted = (*(others or PACKAGES), *_LICENSES)
        _download(target, wanted, partial / "archives")
        archives = sorted((partial / "archives").iterdir())
        for each in archives:
            _unpack(each, partial)
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


def _unpack(archive: Path, folder: Path) -> None:
    subprocess.run(["dpkg-deb", "--extract", str(archive), str(folder / "files")], check=True, timeout=60)
    shown = ["dpkg-deb", "--field", str(archive)]
    control = subprocess.run(shown, capture_output=True, text=True, check=True, timeout=60).stdout
    content = subprocess.run(
        ["dpkg-deb", "--fsys-tarfile", str(archive)], capture_output=True, check=True, timeout=60
    )
    with tarfile.open(fileobj=io.BytesIO(content.stdout)) as opened:
        paths = sorted(each.name.removeprefix("./") for each in opened if not each.isdir())
    about = folder / "about" / field(control, "Package")
    about.mkdir(parents=True)
    (about / "control").write_text(control)
    (about / "paths").write_text("".join(f"{path}\n" for path in paths))


def packages(unpacked: Path) -> list[Package]:
    """What was unpacked in a folder, without what is there for its licence alone."""
    return [
        Package((about / "control").read_text(), frozenset((about / "paths").read_text().splitlines()))
        for about in sorted((unpacked / "about").iterdir())
        if about.name not in _LICENSES
    ]
