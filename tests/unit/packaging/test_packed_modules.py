"""The modules of the unpacked program in one file: they behave as those of a directory do."""

import compileall
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.bundle import pack

SOURCES = {
    "alone.py": "VALUE = 'alone'",
    "whole/__init__.py": "from whole.inner import VALUE",
    "whole/inner.py": "VALUE = __name__, __package__",
    "whole/data/text": "a file of it",
    "space/below/module.py": "VALUE = 'in a namespace'",
    "whole/__main__.py": "import sys; print('main', *sys.argv[1:])",
    "encodings/of_ours.py": "",
}


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A library, packed."""
    for name, content in SOURCES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    shutil.copy(pack.READER, tmp_path)
    compileall.compile_dir(tmp_path, quiet=1, legacy=True)
    for source in tmp_path.rglob("*.py"):
        source.unlink()
    pack.pack(tmp_path)
    return tmp_path


def ran(library: Path, *arguments: str) -> str:
    command = [sys.executable, "-I", "-S", "-B", str(library / "packed_modules.pyc"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_only_what_is_no_module_has_a_file(library: Path) -> None:
    files = {str(path.relative_to(library)) for path in library.rglob("*") if path.is_file()}
    assert files == {"modules", "packed_modules.pyc", "encodings/of_ours.pyc", "whole/data/text"}
    assert not (library / "space").exists()


@pytest.mark.parametrize(
    ("code", "printed"),
    [
        ("import alone; print(alone.VALUE)", "alone"),
        ("import whole; print(*whole.VALUE)", "whole.inner whole"),
        ("import space.below.module as found; print(found.VALUE)", "in a namespace"),
        ("import space.nothing", "ModuleNotFoundError"),
        (
            "from importlib.resources import files; print((files('whole') / 'data/text').read_text())",
            "a file of it",
        ),
        ("import alone, os; print(os.path.basename(alone.__file__))", "alone.pyc"),
        ("import whole, os; print(whole.__file__.endswith('/whole/__init__.pyc'))", "True"),
        ("import alone, os; print(os.path.basename(alone.__spec__.origin))", "modules"),
    ],
)  # fmt: skip
def test_they_behave_as_those_of_a_directory(library: Path, code: str, printed: str) -> None:
    guarded = f"try:\n    {code}\nexcept ImportError as error:\n    print(type(error).__name__)"
    assert ran(library, "-c", guarded) == printed


def test_it_starts_a_module_or_a_file_as_an_interpreter_does(library: Path, tmp_path: Path) -> None:
    file = tmp_path / "file.py"
    file.write_text("import sys, alone; print(alone.VALUE, *sys.argv[1:])")
    assert ran(library, "-m", "whole", "one", "two") == "main one two"
    assert ran(library, str(file), "one") == "alone one"


def test_a_process_goes_on_with_the_modules_it_began_with(library: Path) -> None:
    """A package is replaced while its monitor runs: half of each would be neither."""
    code = (
        "import os, sys; path = os.path.dirname(sys.argv[1]) + '/modules'; os.rename(path, path + '.old'); "
        "open(path, 'wb').write(bytes(4096)); import alone; print(alone.VALUE)"
    )
    assert ran(library, "-c", code, str(library / "packed_modules.pyc")) == "alone"


def test_its_file_takes_no_number_of_a_standard_stream(library: Path) -> None:
    code = (
        "import sys, os; sys.path.insert(0, sys.argv[1]); from packed_modules import use_packed_modules; "
        "use_packed_modules(); print(os.path.exists('/proc/self/fd/0'))"
    )
    command = [sys.executable, "-I", "-S", "-B", "-c", code, str(library)]
    closed = ["sh", "-c", 'exec "$@" <&-', "sh", *command]
    assert subprocess.run(closed, capture_output=True, text=True, check=True, timeout=60).stdout == "False\n"
