"""`make check`: format, lint, types and tests of what has changed.

`python -m scripts.develop.check [--quick] [--since COMMIT] [FILE…]` checks these files; without any, those
that differ from HEAD or are new, and with `--since main` also what the commits of this branch changed. It
stops at the first tool that finds something, with exit code 1. The whole of it is `make lint test`. With
`--quick` (`make test-quick`) it runs no tools, and of a module the tests of its package alone.
"""

import argparse
import ast
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath

from scripts import ROOT

PACKAGES = ("mstunnel_setup", "mst_admin", "mstunnel_lab")
_FOLDERS = tuple(f"{package}/" for package in PACKAGES)
# The exit code of pytest when all tests of these files are marked as slow.
NO_TESTS = 5
# More test files than these take longer than a minute.
MOST = 40
# Any module of the packages can change what these test, though they do not import it: they run the programs.
EVERY_TIME = (
    "tests/unit/cli/test_screens.py",
    "tests/unit/test_docs.py",
    "tests/unit/test_shown_output.py",
)
# What each test imports or names, by its path: enough to tell which tests a change touches.
Sources = Mapping[str, str]


def main(arguments: list[str]) -> int:
    """Check the files named, or what has changed. The exit code."""
    options = argparse.ArgumentParser(prog="check")
    options.add_argument("--quick", action="store_true")
    options.add_argument("--since", default="HEAD")
    options.add_argument("files", nargs="*")
    given = options.parse_args(arguments)
    quick = given.quick
    files = [_relative(name) for name in given.files] or changed(given.since)
    if not files:
        print(f"check: nothing differs from {given.since}; name files with FILES=…, or a commit with SINCE=…")
        return 0
    tests = tests_for(files, sources(), most=0 if quick else MOST)
    begun = time.monotonic()
    for command in commands([] if quick else files, tests):
        if not _succeeds(command):
            tool = " ".join(command[: 2 if command[0] == "ruff" else 1])
            print(f"check: `{tool}` failed after {time.monotonic() - begun:.0f} s")
            return 1
    seconds = time.monotonic() - begun
    print(f"check: {len(files)} file(s), {len(tests)} test file(s): in order, {seconds:.0f} s")
    return 0


def changed(since: str = "HEAD") -> list[str]:
    """Return the files that differ from where this branch left `since`, or are new to Git, and are there."""
    listed = [
        *_git("diff", "--name-only", "--diff-filter=d", "-z", "--merge-base", since),
        *_git("ls-files", "--others", "--exclude-standard", "-z"),
    ]
    return sorted(set(listed))


def sources() -> dict[str, str]:
    """The text of each Python file of the tests, by its path."""
    paths = _git("ls-files", "--cached", "--others", "--exclude-standard", "-z", "tests/*.py")
    return {path: (ROOT / path).read_text() for path in paths if (ROOT / path).is_file()}


def commands(files: Collection[str], tests: Collection[str]) -> Iterator[list[str]]:
    """What is run, the fastest first."""
    python = [name for name in files if name.endswith(".py")]
    if python:
        yield ["ruff", "format", "--check", "--quiet", *python]
        yield ["ruff", "check", "--quiet", *python]
    if shell := [name for name in files if _is_shell(ROOT / name)]:
        yield ["shellcheck", "--external-sources", *shell]
    if typed := [name for name in python if name.startswith((*_FOLDERS, "scripts/", "tests/"))]:
        yield ["mypy", "--no-error-summary", *typed]
        yield ["basedpyright", *typed]
    if any(name.startswith(_FOLDERS) for name in python):
        yield ["lint-imports", "--no-logo"]
    if tests:
        quick = "not e2e and not long and not machine"
        yield ["pytest", "-q", "-m", quick, "-n", "2", "--maxfail=10", *tests]


def tests_for(
    files: Collection[str],
    tests: Sources,
    most: int = MOST,  # noqa: PT028 (it is no test)
) -> list[str]:
    """The test files that these files touch, sorted.

    A module: the unit tests of its package, and each unit test that imports it, if only through a helper;
    when these are more than `most`, they are left to `make test`; and always EVERY_TIME. A test or helper:
    itself and what imports it. Any other file: the tests of the repository, and each unit test that names it.
    """
    found: set[str] = set()
    imports = {test: imported(text) for test, text in tests.items()}
    for name in files:
        path = PurePosixPath(name)
        if path.suffix == ".py" and path.parts[0] in (*PACKAGES, "tests"):
            if path.parts[0] in PACKAGES:
                found |= set(EVERY_TIME) & set(tests)
            importers = {test for test in _importers(_module(path), imports) if _is_unit_test(test)}
            found |= _of_package(path, tests) | ({name} & set(tests))
            found |= importers if len(importers) <= (MOST if path.parts[0] == "tests" else most) else set()
        else:
            found |= {test for test in tests if PurePosixPath(test).parent == PurePosixPath("tests/unit")}
            found |= {test for test, text in tests.items() if path.name in text}
    return sorted(test for test in found if _is_unit_test(test) or (test in files and _is_test(test)))


def _is_test(path: str) -> bool:
    return PurePosixPath(path).name.startswith("test_")


def _is_unit_test(path: str) -> bool:
    return _is_test(path) and path.startswith("tests/unit/")


def _of_package(path: PurePosixPath, tests: Sources) -> set[str]:
    """The unit tests that lie where those of this file do: in the folder of its package, or above all."""
    if path.name == "conftest.py":
        folder = path.parent
    elif path.parts[0] == PACKAGES[0]:
        folder = PurePosixPath("tests/unit", *path.parts[1:2] if len(path.parts) > 2 else ())  # noqa: PLR2004
    elif path.parts[0] in PACKAGES:
        folder = PurePosixPath("tests/unit", path.parts[0])
    else:
        return set()
    inside = {test for test in tests if test.startswith(f"{folder}/")}
    return (
        inside if folder.name != "unit" else {test for test in inside if PurePosixPath(test).parent == folder}
    )


def _importers(module: str, imports: Mapping[str, set[str]]) -> set[str]:
    """The test files that import a module, directly or through another file of the tests."""
    found: set[str] = set()
    wanted = {module}
    while wanted:
        new = {test for test, names in imports.items() if names & wanted} - found
        found |= new
        wanted = {_module(PurePosixPath(test)) for test in new}
    return found


def imported(text: str) -> set[str]:
    """The modules that a file imports. `from a import b` counts as `a` and `a.b`: `b` may be a module."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def _module(path: PurePosixPath) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def _is_shell(path: Path) -> bool:
    with path.open("rb") as file:
        return file.readline() in (b"#!/bin/sh\n", b"#!/bin/bash\n")


def _relative(name: str) -> str:
    path = (ROOT / name).resolve()
    if not path.is_file():
        sys.exit(f"check: {name} is not a file")
    return path.relative_to(ROOT).as_posix()


def _git(*arguments: str) -> list[str]:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"check: {done.stderr.strip()}")
    return [path for path in done.stdout.split("\0") if path]


def _succeeds(command: list[str]) -> bool:
    name, *rest = command
    beside = Path(sys.executable).with_name(name)
    code = subprocess.run([beside if beside.exists() else name, *rest], cwd=ROOT, check=False).returncode
    return code == 0 or (name == "pytest" and code == NO_TESTS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
