"""The program with everything that it runs on below one folder: interpreter, loader, libraries, wheels.

    bin/python             starts the interpreter through the loader below, for people and tests
    bin/python3.13         Debian's interpreter
    lib/                   loader, C library, every other shared library that something here needs
    lib/python3.13/        standard library and wheels: files that are no modules, and libraries in C
    lib/python3.13/modules all modules, compiled, without sources (scripts/bundle/pack.py)
    packages               what is inside: name, version, kind; one a line
    licenses               the licence texts of all that
    manifest               SHA-256, size and path of every other file; one a line, `whole` on the last

Nothing in it depends on the folder's own place, and the same inputs always give the same bytes.
"""

import base64
import hashlib
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from scripts import ROOT
from scripts.bundle import debian, licenses, pack, wheels
from scripts.bundle.debian import Architecture

PYTHON = f"python{wheels.PYTHON}"
COMPILE = ROOT / "scripts/bundle/compile.py"
# Of the standard library: what nothing here imports, or only works with more than this.
_LEFT_OUT = (
    *(
        "LICENSE.txt",
        "EXTERNALLY-MANAGED",
        "config-*",
        "ensurepip",
        "idlelib",
        "lib2to3",
        "pydoc.py",
        "pydoc_data",
    ),
    *("test", "tkinter", "turtle*", "turtledemo", "venv"),
    *("lib-dynload/_curses*", "lib-dynload/_dbm*", "lib-dynload/_gdbm*", "lib-dynload/readline*"),
    # Of wheels: the colours of five hundred languages, tests, pages, what is for agents that write code.
    *("pygments/lexers/[a-z]*", "certifi/tests", "typer/.agents", "*.data"),
    *("securesystemslib/_vendor/test-*", "securesystemslib/_vendor/ed25519/test_data"),
    *("lib-dynload/_test*", "lib-dynload/_ctypes_test*", "lib-dynload/xx*", "lib-dynload/_xx*"),
)
LAB = (
    *("mstunnel_lab", "mstunnel_setup/templates/lab", "sqlite3", "lib-dynload/_sqlite3*"),
    *("starlette*", "uvicorn*", "click*", "h11*", "anyio*", "python_multipart*", "multipart"),
)
"""The lab tenant, and what nothing but its web server and its store imports."""
# What only compilers, type checkers, installers and people read.
_NOT_READ = (
    *("**/*.c", "**/*.h", "**/*.pyi", "**/py.typed", "**/mypy.ini", "**/*.md", "**/*.rst", "**/.git*"),
    *(f"*.dist-info/{name}" for name in ("RECORD", "WHEEL", "licenses")),
)
_NEEDED = re.compile(r"\(NEEDED\).*\[(.+)\]")


def build(
    target: Architecture,
    folder: Path,
    more: Mapping[str, str] = MappingProxyType({}),
    left_out: Sequence[str] = (),
    optimize: int = 0,
    *,
    packed: bool = True,
) -> dict[str, set[str]]:
    """Build the tree in `folder`, with `more` files by their path in it; return what came from each package.

    Modules that match a pattern of `left_out` stay out; `optimize` is a level of py_compile. Unless they are
    `packed`, modules have a file each, and each wheel has a new RECORD of its files. What is returned has the
    paths of files in the tree, for Debian's packages that have some.
    """
    given = debian.unpacked(target)
    library = folder / "lib" / PYTHON
    _interpreter(given / "files", folder)
    came_with: dict[str, list[str]] = {}
    for wheel in [*wheels.dependencies(target.machine).iterdir(), *wheels.program().iterdir()]:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(library)
            came_with["-".join(wheel.name.split("-")[:2])] = archive.namelist()
    _remove(library, (*_LEFT_OUT, *left_out))
    (folder / "licenses").write_text(licenses.collected(given / "files", library))
    _remove(library, _NOT_READ)
    _libraries(given / "files", folder, target)
    owned = _owned(given, folder, target)
    packages = [line for line in map(listed, debian.packages(given)) if line.split()[0] in owned]
    packages += [f"{' '.join(path.stem.split('-'))} wheel\n" for path in library.glob("*.dist-info")]
    if packed:
        shutil.copy(pack.READER, library)
    _compile(library, optimize)
    if packed:
        pack.pack(library)
    else:
        _record(library, came_with)
    for name, content in more.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    shutil.copytree(pack.START, folder, ignore=shutil.ignore_patterns(pack.READER.name), dirs_exist_ok=True)
    launcher = folder / "bin" / "python"
    launcher.write_text(launcher.read_text().replace("LOADER", target.loader))
    (folder / "packages").write_text("".join(sorted(packages)))
    (folder / "manifest").write_text(_manifest(folder))
    # After the last file: whoever builds may have any umask.
    fix_permissions(folder)
    return {name: _present(folder, paths) for name, paths in owned.items()}


def _remove(library: Path, patterns: Sequence[str]) -> None:
    """Remove what matches, be it of one pattern or of several."""
    for path in [path for pattern in patterns for path in library.glob(pattern)]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _interpreter(files: Path, folder: Path) -> None:
    library = folder / "lib" / PYTHON
    shutil.copytree(
        files / "usr/lib" / PYTHON, library, ignore=shutil.ignore_patterns("__pycache__", "sitecustomize.py")
    )
    (folder / "bin").mkdir()
    shutil.copyfile(files / "usr/bin" / PYTHON, folder / "bin" / PYTHON)


def _libraries(files: Path, folder: Path, target: Architecture) -> None:
    """Copy what anything here needs, and what that needs in turn. Raises OSError for what is nowhere."""
    place = files / "usr/lib" / f"{target.machine}-linux-gnu"
    binaries = [folder / "bin" / PYTHON, *folder.rglob("*.so")]
    missing = {target.loader}.union(*map(needed, binaries))
    while missing:
        for name in missing:
            shutil.copyfile(place / name, folder / "lib" / name)
        wanted = set[str]().union(*(needed(folder / "lib" / name) for name in missing))
        missing = {name for name in wanted if not (folder / "lib" / name).exists()}


def _owned(given: Path, folder: Path, target: Architecture) -> dict[str, set[str]]:
    """The files of the tree by the package of Debian that they came from; packages without any stay out."""
    places = {f"usr/lib/{target.machine}-linux-gnu/": "lib/", "usr/": ""}
    owned: dict[str, set[str]] = {}
    for package in debian.packages(given):
        for path in package.paths:
            prefix = next((each for each in places if path.startswith(each)), None)
            inside = "" if prefix is None else places[prefix] + path.removeprefix(prefix)
            if inside and (folder / inside).is_file():
                owned.setdefault(package.field("Package"), set()).add(inside)
    return owned


def _present(folder: Path, paths: Iterable[str]) -> set[str]:
    """What is there of `paths` now that modules are compiled."""
    return {each for path in paths for each in (path, f"{path}c") if (folder / each).is_file()}


def listed(package: debian.Package) -> str:
    """The line of a package in the file `packages`."""
    return " ".join(map(package.field, ("Package", "Version", "Architecture"))) + "\n"


def _record(library: Path, came_with: Mapping[str, Iterable[str]]) -> None:
    """Write the RECORD of each wheel (PyPA, recorded projects) anew: of what is there, as it is now."""
    for name, paths in came_with.items():
        directory = library / f"{name}.dist-info"
        if not directory.is_dir():
            continue
        lines = ""
        for path in sorted(_present(library, paths)):
            content = (library / path).read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
            lines += f"{path},sha256={digest},{len(content)}\n"
        (directory / "RECORD").write_text(f"{lines}{directory.name}/RECORD,,\n")


def needed(path: Path) -> set[str]:
    """Names of the shared libraries that a binary of any architecture asks for."""
    command = ["readelf", "--dynamic", "--wide", str(path)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    return set(_NEEDED.findall(shown))


def _compile(library: Path, optimize: int) -> None:
    """Replace each source by its compiled form, in an interpreter without any state that could show there."""
    here = debian.here()
    system = debian.unpacked(here) / "files/usr"
    libraries = system / "lib" / f"{here.machine}-linux-gnu"
    loader = [libraries / here.loader, "--library-path", libraries, "--argv0", system / "bin" / PYTHON]
    command = [*map(str, loader), str(system / "bin" / PYTHON), "-S", "-s", "-P", "-B"]
    command += [str(COMPILE), str(library), str(optimize)]
    subprocess.run(command, env={"PYTHONHASHSEED": "0"}, check=True, timeout=300)


def fix_permissions(folder: Path) -> None:
    """Give everything in the tree the modes of a release.

    Users cannot read the loader, so that the kernel closes the processes that begin with it to other programs
    of their user (mstunnel_setup/io/hand_over.py).
    """
    for path in [folder, *folder.rglob("*")]:
        if path.name.startswith("ld-linux"):
            path.chmod(0o711)
        else:
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)


def _manifest(folder: Path) -> str:
    lines = ""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        lines += f"{hashlib.sha256(content).hexdigest()} {len(content)} {path.relative_to(folder)}\n"
    return f"{lines}whole\n"
