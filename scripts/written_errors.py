"""The errors and warnings that are written where they are raised, found in the source.

    raise UsageError("file-exists", "{path} already exists", hint="Give the name of a new file.", path=path)

A call of an error class, of `warning` or of `finding` whose code and texts are literals. Codes and texts that
are only known at run time are those of another error, which is found where it is written.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from mstunnel_setup.answers.finding import PAGE, Finding
from mstunnel_setup.base.errors import ERRORS_PAGE, Declared, SetupError
from mstunnel_setup.base.result import Notice

ROOT = Path(__file__).parents[1]
PACKAGES = ("mstunnel_setup", "mst_admin", "mstunnel_lab")
_TEXTS = 2
_FINDING = "finding"


@cache
def written_errors() -> dict[str, Declared[Any]]:
    """Each by `MODULE.CODE:LINE`. The modules that define error classes must be imported."""
    kinds: dict[str, Any] = {kind.__name__: kind for kind in _kinds(SetupError)} | {"warning": Notice}
    found: dict[str, Declared[Any]] = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            source = path.read_text()
            not_fatal = _lines_of_warnings(source)
            for line, name, code, message, hint in calls(source):
                kind = _finding(fatal=line not in not_fatal) if name == _FINDING else kinds.get(name)
                if kind is not None:
                    page = PAGE if name == _FINDING else ERRORS_PAGE
                    found[f"{module}.{code}:{line}"] = Declared(kind, code, message, hint, page)
    return found


def _finding(*, fatal: bool) -> Any:
    def finding(code: str, message: str, hint: str) -> Finding:
        return Finding(code, "", message, hint, fatal)

    return finding


def _lines_of_warnings(source: str) -> set[int]:
    """The lines of the findings that are not fatal."""
    called = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return {node.lineno for node in called if any(item.arg == "fatal" for item in node.keywords)}


def _kinds(kind: type[SetupError]) -> Iterator[type[SetupError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)


def calls(source: str) -> Iterator[tuple[int, str, str, str, str]]:
    """Calls with a code and texts: line, name of what is called, code, message and hint as templates."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func).rpartition(".")[2]
        args = node.args[1:] if name == _FINDING else node.args
        if len(args) < _TEXTS:
            continue
        given = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg != "fatal"}
        hint = given.pop("hint", args[_TEXTS] if len(args) > _TEXTS else ast.Constant(""))
        texts = [part.value for part in (*args[:_TEXTS], hint) if isinstance(part, ast.Constant)]
        if len(texts) == _TEXTS + 1 and all(isinstance(text, str) for text in texts):
            code, *words = map(str, texts)
            # Without values a text is shown as it stands.
            message, hint_text = (
                words if given else [text.replace("{", "{{").replace("}", "}}") for text in words]
            )
            yield node.lineno, name, code, message, hint_text
