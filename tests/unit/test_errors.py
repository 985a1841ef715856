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

PACKAGE = Path(mstunnel_setup.__file__).parent
DECLARED = ("admin", "answers", "lab", "readiness", "tenant")
"""Packages whose errors are all declared."""


def declared() -> dict[str, Declared[SetupError]]:
    """Every declaration by its name in the source."""
    modules = [
        import_module(name)
        for _, name, _ in pkgutil.walk_packages(mstunnel_setup.__path__, "mstunnel_setup.")
        if name.endswith("errors")
    ]
    return {
        f"{module.__name__}.{name}": value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, Declared) and name.isupper()
    }


def parameters(item: Declared[SetupError]) -> set[str]:
    """The names in braces of both texts."""
    texts = f"{item.message} {item.hint}"
    return {name for _, name, _, _ in string.Formatter().parse(texts) if name}


def _calls() -> Iterator[tuple[str, str, set[str]]]:
    """Where a declaration is called: the place, its name, the parameters given."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.isupper():
                given = {str(keyword.arg) for keyword in node.keywords}
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node.func.id, given


def _kinds(kind: type[SetupError] = SetupError) -> Iterator[str]:
    yield kind.__name__
    for below in kind.__subclasses__():
        yield from _kinds(below)


def _undeclared(package: str) -> Iterator[str]:
    """Where an error is made with a code that is written there."""
    kinds = set(_kinds())
    for path in sorted((PACKAGE / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            written = any(isinstance(code, ast.Constant | ast.JoinedStr) for code in node.args[:1])
            if node.func.id in kinds and written:
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}"


def _values() -> Iterator[str]:
    """Names that stand where they are not called: a declaration in a table is called by its key."""
    for path in sorted(PACKAGE.rglob("*.py")):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
        names = (node for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))
        yield from (node.id for node in names if id(node) not in called)


def test_an_error_is_made_from_its_declaration() -> None:
    missing = declare(UsageError, "file-missing", "there is no file {path}", "Correct {option}.")
    error = missing(path="/a{b}", option="--cert")
    assert (type(error), error.code) == (UsageError, "file-missing")
    assert (error.message, error.hint) == ("there is no file /a{b}", "Correct --cert.")


def test_a_code_is_declared_once() -> None:
    counted = Counter(item.code for item in {id(item): item for item in declared().values()}.values())
    assert [code for code, count in counted.items() if count > 1] == []


def test_every_declaration_is_used_with_its_parameters() -> None:
    by_name = {name.rpartition(".")[2]: parameters(item) for name, item in declared().items()}
    calls = [call for call in _calls() if call[1] in by_name]
    assert [call for call in calls if call[2] != by_name[call[1]]] == []
    assert set(by_name) - {name for _, name, _ in calls} - set(_values()) == set()


@pytest.mark.parametrize("package", DECLARED)
def test_no_error_is_made_without_a_declaration(package: str) -> None:
    assert list(_undeclared(package)) == []
