"""Errors are declared once: every code, text and parameter is known before anything goes wrong."""

import ast
import pkgutil
import string
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import mstunnel_setup
from mstunnel_setup.errors import Declared, SetupError, UsageError, declare
from mstunnel_setup.result import Notice, declare_notice, notice_of

PACKAGE = Path(mstunnel_setup.__file__).parent
PACKAGES = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
# Places where declarations stand; the lab's own `errors` are those of Graph and OAuth.
MODULES = ("errors", "findings", "warning")


def declared() -> dict[str, Declared[object]]:
    """Every declaration by its name in the source."""
    modules = [
        import_module(name)
        for _, name, _ in pkgutil.walk_packages(mstunnel_setup.__path__, "mstunnel_setup.")
        if name.endswith(MODULES)
    ]
    return {
        f"{module.__name__}.{name}": value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, Declared) and name.isupper()
    }


def parameters(item: Declared[object]) -> set[str]:
    """The names in braces of both texts."""
    texts = f"{item.message} {item.hint}"
    return {name for _, name, _, _ in string.Formatter().parse(texts) if name}


def _trees(folder: Path = PACKAGE) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(folder.rglob("*.py")):
        yield path.relative_to(PACKAGE), ast.parse(path.read_text())


def _calls() -> Iterator[tuple[str, str, set[str]]]:
    """Where a declaration is called: the place, its name, the parameters given."""
    for path, tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.isupper():
                yield f"{path}:{node.lineno}", node.func.id, {str(keyword.arg) for keyword in node.keywords}


def _read() -> set[str]:
    """Names of constants that are read anywhere: a declaration in a table is called by its key."""
    return {
        node.id
        for _path, tree in _trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id.isupper()
    }


def _kinds(kind: type[SetupError]) -> Iterator[str]:
    """The names of an error class and of all below it."""
    yield kind.__name__
    for below in kind.__subclasses__():
        yield from _kinds(below)


def _undeclared(package: str) -> Iterator[str]:
    """Where an error or a warning of `package` gets its code in place."""
    kinds: dict[str, tuple[type[ast.expr], ...]] = dict.fromkeys(
        _kinds(SetupError), (ast.Constant, ast.JoinedStr)
    )
    # The codes of warnings about health follow from the state of a row.
    kinds[Notice.__name__] = (ast.Constant,)
    for path, tree in _trees(PACKAGE / package):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and node.args:
                kind = ast.unparse(node.func).rpartition(".")[2]
                if isinstance(node.args[0], kinds.get(kind, ())):
                    yield f"{path}:{node.lineno}"


def test_an_error_is_made_from_its_declaration() -> None:
    missing = declare(UsageError, "file-missing", "there is no file {path}", "Correct {option}.")
    error = missing(path="/a{b}", option="--cert")
    assert (type(error), error.code) == (UsageError, "file-missing")
    assert (error.message, error.hint) == ("there is no file /a{b}", "Correct --cert.")


def test_a_warning_is_made_from_its_declaration() -> None:
    late = declare_notice("late", "{name} is late", "Wait for {name}.")
    assert late(name="it") == Notice("late", "it is late", "Wait for it.")
    assert notice_of(UsageError("late", "it is late", "Wait for it.")) == late(name="it")


def test_a_code_is_declared_once() -> None:
    counted = Counter(item.code for item in {id(item): item for item in declared().values()}.values())
    assert [code for code, count in counted.items() if count > 1] == []


def test_every_declaration_is_used_with_its_parameters() -> None:
    by_name = {name.rpartition(".")[2]: parameters(item) for name, item in declared().items()}
    calls = [call for call in _calls() if call[1] in by_name]
    assert [call for call in calls if call[2] != by_name[call[1]]] == []
    assert set(by_name) - _read() == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_no_error_or_warning_is_made_without_a_declaration(package: str) -> None:
    assert list(_undeclared(package)) == []
