"""`dist/mstunnel-setup`, the program as one file for Python 3.11 to 3.14; its wheel; their SHA-256 sums.

`python -m scripts.dist` writes them. The file is an archive that pex makes of the locked wheels of each of
these Pythons, behind a beginning of our own (boot.sh). The same sources always give the same bytes.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from itertools import chain
from pathlib import Path

from packaging import tags

from scripts import wheels
from scripts.wheels import ROOT

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
BOOT = ROOT / "scripts" / "boot.sh"
CACHE = ROOT / "build" / "cache" / "dist"
DIST = ROOT / "dist"
NAME = "mstunnel-setup"
# Of the entries of archives, which know no time before 1980; a release sets its own.
EPOCH = "315532800"
# Every glibc from the oldest that the locked wheels are built for to that of RHEL 10.
_GLIBC_MINORS = range(39, 16, -1)


def one_file() -> Path:
    """Path of the program as one file; built once per state of what goes into it, for the testbed."""
    inputs = [*wheels.files_below(*wheels.SOURCES), wheels.REQUIREMENTS, BOOT, Path(__file__).resolve()]
    folder = CACHE / f"{NAME}-{wheels.digest(inputs, os.environ.get('SOURCE_DATE_EPOCH', EPOCH))}"
    if not folder.is_dir():
        partial = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        build(partial / NAME)
        partial.rename(folder)
        wheels.remove_older(folder)
    return folder / NAME


def build(target: Path) -> None:
    """Build the one file. `target` is the only thing left; the folder it is in must be there."""
    print(f"dist: building {NAME}", file=sys.stderr, flush=True)
    work = target.with_name("work")
    work.mkdir()
    try:
        _archive(work, work / "archive.pex")
        archive = (work / "archive.pex").read_bytes()
    finally:
        shutil.rmtree(work)
    _first, _newline, body = archive.partition(b"\n")
    target.write_bytes(BOOT.read_bytes() + body)
    target.chmod(0o755)


def _archive(work: Path, target: Path) -> None:
    folders = [wheels.program(), *(wheels.dependencies(python) for python in PYTHONS)]
    given = work / "wheels"
    given.mkdir()
    for wheel in chain.from_iterable(folder.iterdir() for folder in folders):
        shutil.copyfile(wheel, given / wheel.name)
    targets = []
    for python in PYTHONS:
        description = work / f"python{python}.json"
        description.write_text(json.dumps(_platform(int(python.partition(".")[2]))))
        targets.append(f"--complete-platform={description}")
    options = ["--no-rc", "--no-compile", "--no-use-system-time", "--no-emit-warnings", "--venv=prepend"]
    # Hard links of its own: a virtual environment that links into a cache confuses whoever looks at it.
    options += ["--venv-site-packages-copies", "--python-shebang=/bin/sh"]
    command = [sys.executable, "-m", "pex", f"--pre-resolved-dists={given}", *targets, *options]
    command += [f"--pex-root={work / 'root'}", f"--tmpdir={_made(work / 'tmp')}", f"--output-file={target}"]
    command += ["--entry-point=mstunnel_setup.cli.dispatch:main", f"{NAME}[lab]"]
    environment = {"PATH": os.defpath, "HOME": str(work)}
    environment["SOURCE_DATE_EPOCH"] = os.environ.get("SOURCE_DATE_EPOCH", EPOCH)
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    subprocess.run(command, cwd=work, env=environment, check=True, timeout=300, **streams)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _platform(minor: int) -> dict[str, object]:
    """What pex must know of a CPython 3.`minor` that is not here: its environment markers and wheel tags."""
    machine = os.uname().machine
    platforms = [f"manylinux_2_{glibc}_{machine}" for glibc in _GLIBC_MINORS]
    platforms += [f"manylinux2014_{machine}", f"linux_{machine}"]
    version = (3, minor)
    compatible = [
        *tags.cpython_tags(version, platforms=platforms),
        *tags.compatible_tags(version, f"cp3{minor}", platforms),
    ]
    markers = {
        "implementation_name": "cpython",
        "implementation_version": f"3.{minor}.0",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"3.{minor}.0",
        "python_version": f"3.{minor}",
        "sys_platform": "linux",
    }
    return {"marker_environment": markers, "compatible_tags": [str(tag) for tag in compatible]}


def main() -> None:
    """Write `dist/`, always anew."""
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    build(DIST / NAME)
    (wheel,) = wheels.program().iterdir()
    shutil.copy(wheel, DIST)
    sums = ""
    for path in sorted(DIST.iterdir()):
        sums += f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        print(f"dist/{path.name}")
    (DIST / "SHA256SUMS").write_text(sums)


if __name__ == "__main__":
    main()
