"""Errors are declared once: every code, text and parameter is known before anything goes wrong."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

import mstunnel_setup
from mstunnel_setup.base.errors import SetupError, UsageError, declare
from mstunnel_setup.base.result import Notice, declare_notice, notice_of
from mstunnel_setup.readiness import checks
from mstunnel_setup.readiness.model import DOCUMENTATION, Verdict
from scripts.error_codes import declarations

PACKAGE = Path(mstunnel_setup.__file__).parent
PACKAGES = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
DECLARED = declarations()
PAGES = Path(__file__).parents[2]
# Codes of one page that stand for a check, which may find different things.
CHECKS = [item.id for item in checks.CHECKS]


def _trees(directory: Path = PACKAGE) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(directory.rglob("*.py")):
        yield path.relative_to(PACKAGE), ast.parse(path.read_text())


def _names(path: Path, tree: ast.Module) -> dict[str, str]:
    """What a module imports from others, by the name it has there."""
    module = ".".join(("mstunnel_setup", *path.with_suffix("").parts))
    own = {name.rpartition(".")[2]: name for name in DECLARED if name.rpartition(".")[0] == module}
    return own | {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def _full_name(node: ast.expr, names: dict[str, str]) -> str:
    """What a name stands for, also one in a module that was imported; empty for anything else."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{names.get(node.value.id)}.{node.attr}"
    return names.get(node.id, "") if isinstance(node, ast.Name) else ""


def _calls() -> Iterator[tuple[str, str, set[str]]]:
    """Where a declaration is called: the place, its full name, the parameters given."""
    for path, tree in _trees():
        names = _names(path, tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and (name := _full_name(node.func, names)):
                yield f"{path}:{node.lineno}", name, {str(keyword.arg) for keyword in node.keywords}


def _read() -> set[str]:
    """Full names of what is read anywhere: a declaration in a table is called by its key."""
    return {
        _full_name(node, names)
        for path, tree in _trees()
        for names in [_names(path, tree)]
        for node in ast.walk(tree)
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load)
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
    kinds["Finding"] = (ast.Constant, ast.JoinedStr)
    # The codes of warnings about health follow from the state of a row.
    kinds[Notice.__name__] = (ast.Constant,)
    # What is a verdict of a check is made by the declarations of the package.
    kinds[Verdict.__name__] = (ast.Constant, ast.Attribute) if package == "readiness/checks" else ()
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


def test_a_code_is_declared_once_on_its_page() -> None:
    unique = {id(item): item for item in DECLARED.values()}.values()
    # A check may find different things.
    counted = Counter(
        (item.docs, repr(item.example()) if item.page == DOCUMENTATION else "") for item in unique
    )
    assert [place for place, count in counted.items() if count > 1] == []


def test_the_findings_of_checks_belong_to_checks() -> None:
    found = [item for item in DECLARED.values() if item.page == DOCUMENTATION]
    assert len(found) > 80
    assert [item.code for item in found if not any(fnmatch(name, item.code) for name in CHECKS)] == []


def test_every_declaration_is_described_at_its_anchor() -> None:
    pages = {item.page: (PAGES / item.page).read_text() for item in DECLARED.values()}
    anchors = [item for item in DECLARED.values() if "*" not in item.code]
    assert [item.docs for item in anchors if f'<a id="{item.code}">' not in pages[item.page]] == []


def test_a_declaration_can_be_shown_without_values() -> None:
    assert [name for name, item in DECLARED.items() if not item.example()] == []


def test_every_declaration_is_used_with_its_parameters() -> None:
    calls = [call for call in _calls() if call[1] in DECLARED]
    assert len(calls) > 500
    assert [call for call in calls if call[2] != DECLARED[call[1]].parameters] == []
    # What stands in a table of declarations has a code in place of a name.
    named = {name: item for name, item in DECLARED.items() if name.rpartition(".")[2].isupper()}
    read = {DECLARED[name] for name in _read() & set(DECLARED)}
    assert [name for name, item in named.items() if item not in read] == []


@pytest.mark.parametrize("package", [*PACKAGES, "readiness/checks"])
def test_no_error_or_warning_is_made_without_a_declaration(package: str) -> None:
    assert list(_undeclared(package)) == []


# What a reader at a server cannot open: it has the program, not the repository.
_REPOSITORY = re.compile(
    r"\b(docs|tests|scripts|templates|packaging|mstunnel_setup|changelog\.d)/|\.md\b|README|SECURITY|CONTRIBUTING"
)
_VERBS = (
    "activate add allow answer append apply ask assign boot cancel change check choose compare "
    "complete continue copy correct create delete do edit enlarge exclude exempt expect export "
    "extract find fix free get give grant have import include inspect install join leave let list "
    "load look make measure mount move name open probe protect provide publish put raise re-create "
    "read register remove rename renew repair replace report request reserve restore restrict review "
    "roll run save search see select set sign start stop test try type unset update upgrade upload "
    "use verify wait write "
)


def _texts(item: object) -> tuple[str, str]:
    """Message and hint of what a declaration makes."""
    return getattr(item, "message", getattr(item, "seen", "")), getattr(item, "hint", "")


def _names_an_action(hint: str) -> bool:
    """Whether a command is quoted, or a clause is in the imperative; `…` comes from elsewhere."""
    clauses = re.split(r"[.:;,(] |\band\b|\bor\b|\bthen\b", hint.lower())
    first = {clause.split()[0].strip(".,") for clause in clauses if clause.split()}
    return bool(
        re.search(r"`[a-z]", hint) or first.intersection(_VERBS.split()) or "…" in hint.partition(" ")[0]
    )


@pytest.mark.parametrize("name", DECLARED)
def test_a_hint_is_a_sentence_that_names_an_action(name: str) -> None:
    _, hint = _texts(DECLARED[name].example())
    if hint:
        assert hint[0].isupper() or hint[0] in "…`"
        assert hint.endswith((".", "…"))
        assert _names_an_action(hint)


@pytest.mark.parametrize("name", DECLARED)
def test_no_text_sends_the_reader_to_the_repository(name: str) -> None:
    assert [text for text in _texts(DECLARED[name].example()) if _REPOSITORY.search(text)] == []


def test_a_hint_without_an_action_is_found() -> None:
    assert not _names_an_action("The steps are: a, b.")
    assert _names_an_action("Nothing was changed. Check the clock.")
    assert _REPOSITORY.search("see docs/reference/health.md")
