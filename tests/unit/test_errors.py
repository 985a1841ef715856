"""Errors are declared once: every code, text and parameter is known before anything goes wrong."""

import ast
import pkgutil
import string
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TypeAlias

import pytest

import mstunnel_setup
from mstunnel_setup.errors import Declared, SetupError, UsageError, declare
from mstunnel_setup.result import DeclaredNotice, Notice, declare_notice, notice_of

PACKAGE = Path(mstunnel_setup.__file__).parent
# Packages in which every error and every warning is declared.
DECLARING = ("agent", "cli", "install", "operations")
Declaration: TypeAlias = Declared[SetupError] | DeclaredNotice


def declared() -> dict[str, Declaration]:
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
        if isinstance(value, Declared | DeclaredNotice) and name.isupper()
    }


def _kinds(kind: type[SetupError]) -> Iterator[str]:
    """The names of an error class and of all below it."""
    yield kind.__name__
    for below in kind.__subclasses__():
        yield from _kinds(below)


def parameters(item: Declaration) -> set[str]:
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


def test_an_error_is_made_from_its_declaration() -> None:
    missing = declare(UsageError, "file-missing", "there is no file {path}", "Correct {option}.")
    error = missing(path="/a{b}", option="--cert")
    assert (type(error), error.code) == (UsageError, "file-missing")
    assert (error.message, error.hint) == ("there is no file /a{b}", "Correct --cert.")


def test_a_warning_is_made_from_its_declaration() -> None:
    kept = declare_notice("kept", "left in place: {path}", "Remove {path} by hand.")
    assert kept(path="/a{b}") == Notice("kept", "left in place: /a{b}", "Remove /a{b} by hand.")


def test_an_error_can_be_shown_as_a_warning() -> None:
    error = declare(UsageError, "file-missing", "there is no file {path}", "Correct it.")(path="/a")
    assert notice_of(error) == Notice("file-missing", "there is no file /a", "Correct it.")


def test_a_code_is_declared_once() -> None:
    counted = Counter(item.code for item in {id(item): item for item in declared().values()}.values())
    assert [code for code, count in counted.items() if count > 1] == []


def test_every_declaration_is_used_with_its_parameters() -> None:
    by_name = {name.rpartition(".")[2]: parameters(item) for name, item in declared().items()}
    calls = [call for call in _calls() if call[1] in by_name]
    assert [call for call in calls if call[2] != by_name[call[1]]] == []
    assert set(by_name) - {name for _, name, _ in calls} == set()


def _undeclared(package: str) -> Iterator[str]:
    """Where an error or a warning of `package` gets a code and texts in place."""
    kinds = {*_kinds(SetupError), Notice.__name__}
    for path in sorted((PACKAGE / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                kind = ast.unparse(node.func).rpartition(".")[2]
                if kind in kinds and isinstance(node.args[0].value, str):
                    yield f"{path.relative_to(PACKAGE)}:{node.lineno}"


@pytest.mark.parametrize("package", DECLARING)
def test_errors_and_warnings_of_a_package_are_all_declared(package: str) -> None:
    assert list(_undeclared(package)) == []
