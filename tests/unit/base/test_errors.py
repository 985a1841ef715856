"""Errors: every code, text and parameter is known in advance."""

import ast
import re
from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatch
from string import Formatter

from mstunnel_setup.base.errors import UsageError, declare
from mstunnel_setup.base.problem import Problem, Severity
from mstunnel_setup.readiness import checks
from mstunnel_setup.readiness.model import DOCUMENTATION
from scripts import ROOT
from scripts.docs.error_codes import PACKAGES, calls, declarations, written_errors
from tests import pages

# A page's codes that stand for a check, which may have several findings.
CHECKS = [item.id for item in checks.CHECKS]


def test_error_gets_code_message_and_hint_where_it_is_raised() -> None:
    error = UsageError("file-exists", "{path} already exists", hint="Remove {path}.", path="/a{b}")
    assert (error.code, error.message, error.hint) == ("file-exists", "/a{b} already exists", "Remove /a{b}.")
    assert str(error) == error.message


def test_message_without_values_is_unchanged() -> None:
    assert UsageError("brace", "a {b} c").message == "a {b} c"


def test_calls_finds_errors_in_source() -> None:
    source = """
raise UsageError("file-exists", "{path} already exists", hint="Remove it.", path=path)
raise UsageError("brace", "no {value}")
raise kind(error.code, error.message)
"""
    assert list(calls(source)) == [
        (2, "UsageError", "file-exists", "{path} already exists", "Remove it."),
        (3, "UsageError", "brace", "no {{value}}", ""),
    ]


def test_every_error_gets_all_values_of_its_text() -> None:
    """Check the declarations: a missing value would be a KeyError when the error is raised."""
    wrong = []
    # `raise` names a class; `warning` makes a warning.
    errors = {item.kind.__name__ for item in written_errors().values()} | {"warning"}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and node.keywords and all(item.arg for item in node.keywords):
                    given = {str(item.arg) for item in node.keywords} - {"hint", "fatal"}
                    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                    if name not in errors or not given:
                        continue
                    texts = [text for line, *text in calls(ast.unparse(node)) if text[0] == name]
                    if texts and _parameters(texts[0][2:]) != given:
                        wrong.append(f"{path}:{node.lineno}")
    assert wrong == []


def _parameters(texts: Sequence[str]) -> set[str]:
    return {name for text in texts for _, name, _, _ in Formatter().parse(text) if name}


def test_an_error_is_made_from_its_declaration() -> None:
    missing = declare(UsageError, "file-missing", "there is no file {path}", "Correct {option}.")
    error = missing(path="/a{b}", option="--cert")
    assert (type(error), error.code) == (UsageError, "file-missing")
    assert (error.message, error.hint) == ("there is no file /a{b}", "Correct --cert.")


def test_a_warning_is_made_from_its_declaration() -> None:
    late = declare(Problem, "late", "{name} is late", "Wait for {name}.")
    assert late(name="it") == Problem("late", "it is late", "Wait for it.")
    problem = UsageError("late", "it is late", "Wait for it.").problem
    assert problem == Problem("late", "it is late", "Wait for it.", Severity.ERROR)


def test_a_code_is_declared_once_on_its_page() -> None:
    unique = {id(item): item for item in declarations().values()}.values()
    # A check may have several findings.
    counted = Counter(
        (item.docs, repr(item.example()) if item.page == DOCUMENTATION else "") for item in unique
    )
    assert [place for place, count in counted.items() if count > 1] == []


def test_every_finding_belongs_to_a_check() -> None:
    found = [item for item in declarations().values() if item.page == DOCUMENTATION]
    assert len(found) > 80
    assert [item.code for item in found if not any(fnmatch(name, item.code) for name in CHECKS)] == []


def test_every_declaration_has_an_anchor_in_the_documentation() -> None:
    text = {item.page: pages.content(ROOT / item.page) for item in declarations().values()}
    anchors = [item for item in declarations().values() if "*" not in item.code]
    assert [item.docs for item in anchors if f'<a id="{item.code}">' not in text[item.page]] == []


def test_every_declaration_has_an_example() -> None:
    assert [name for name, item in declarations().items() if not item.example()] == []


# A reader on a server has the program but not the repository.
_REPOSITORY = re.compile(
    r"\b(docs|tests|scripts|templates|packaging|mstunnel_setup|changelog\.d)/|\.md\b|README|SECURITY|CONTRIBUTING"
)
_VERBS = (
    "activate add allow answer append apply ask assign boot cancel change check choose compare "
    "complete continue copy correct create delete do edit enlarge exclude exempt expect export "
    "extract find fix free get give grant have import include inspect install join leave let list "
    "load look make measure merge mount move name open probe protect provide publish put raise re-create "
    "read register remove rename renew repair replace report request reserve restore restrict review "
    "roll run save search see select set sign start stop test try type unset update upgrade upload "
    "use verify wait write "
)


def _texts(item: object) -> tuple[str, str]:
    """Return message and hint of an example of a declaration."""
    return getattr(item, "message", getattr(item, "seen", "")), getattr(item, "hint", "")


def _names_an_action(hint: str) -> bool:
    """Return whether a hint quotes a command or has an imperative clause; `…` is a text from elsewhere."""
    clauses = re.split(r"[.:;,(] |\band\b|\bor\b|\bthen\b", hint.lower())
    first = {clause.split()[0].strip(".,") for clause in clauses if clause.split()}
    return bool(
        re.search(r"`[a-z]", hint) or first.intersection(_VERBS.split()) or "…" in hint.partition(" ")[0]
    )


def test_every_hint_is_a_sentence_with_an_action() -> None:
    hints = {name: _texts(item.example())[1] for name, item in declarations().items()}
    assert len(hints) > 800
    assert {
        name: hint
        for name, hint in hints.items()
        if hint
        and not (
            (hint[0].isupper() or hint[0] in "…`") and hint.endswith((".", "…")) and _names_an_action(hint)
        )
    } == {}


def test_no_text_refers_to_files_of_the_repository() -> None:
    texts = {name: " ".join(_texts(item.example())) for name, item in declarations().items()}
    assert {name: text for name, text in texts.items() if _REPOSITORY.search(text)} == {}


def test_hint_without_an_action_is_detected() -> None:
    assert not _names_an_action("The steps are: a, b.")
    assert _names_an_action("Nothing was changed. Check the clock.")
    assert _REPOSITORY.search("see docs/reference/health.md")
