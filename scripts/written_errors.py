"""The errors and warnings that are written where they are raised, found in the source.

    raise UsageError("file-exists", "{path} already exists", hint="Give the name of a new file.", path=path)

A call of an error class, or of `warning`, whose code and texts are literals. Codes and texts that are only
known at run time are those of another error, which is found where it is written.
"""

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mstunnel_setup.base.errors import ERRORS_PAGE, Declared, SetupError, declare
from mstunnel_setup.base.problem import error, note, warning
from mstunnel_setup.certificates.errors import PAGE as CERTIFICATES_PAGE
from mstunnel_setup.readiness.checks import CHECKS
from mstunnel_setup.readiness.model import DOCUMENTATION, Verdict, problem

ROOT = Path(__file__).parents[1]
PACKAGES = ("mstunnel_setup", "mst_admin", "mstunnel_lab")
_TEXTS = 2
_CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+|[a-z]+")
_FINDINGS = ("error", "warning", "note")
_CERTIFICATES = "mstunnel_setup.certificates."
_VERDICTS = ("problem", "warning", "unknown")


@cache
def written_errors() -> dict[str, Declared[Any]]:
    """Each by `MODULE.CODE:LINE`. The modules that define error classes must be imported."""
    kinds: dict[str, Any] = {kind.__name__: kind for kind in _kinds(SetupError)}
    kinds |= {"error": error, "warning": warning, "note": note}
    found: dict[str, Declared[Any]] = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            for line, name, code, message, hint in calls(path.read_text()):
                if name in kinds and _CODE.fullmatch(code):
                    about = name in _FINDINGS and module.startswith(_CERTIFICATES)
                    page = CERTIFICATES_PAGE if about else ERRORS_PAGE
                    found[f"{module}.{code}:{line}"] = Declared(kinds[name], code, message, hint, page)
    return found


@cache
def written_findings() -> dict[str, list[Declared[Verdict]]]:
    """What each check of `mst-readiness` may find, by its id: in its function and in those that it calls."""
    return {check.id: list(_verdicts(check.id, check.judge)) for check in CHECKS}


def _verdicts(identifier: str, judge: Callable[..., Verdict]) -> Iterator[Declared[Verdict]]:
    path = inspect.getsourcefile(judge)
    tree = ast.parse(Path(path or "").read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    constants = _constants(tree)
    code = judge.__code__
    waiting = [
        item for item in functions if item.name == code.co_name and _begins(item) == code.co_firstlineno
    ]
    seen: set[str] = set()
    while waiting:
        function = waiting.pop(0)
        seen.add(function.name)
        nodes = [item for part in function.body for item in ast.walk(part) if isinstance(item, ast.Call)]
        for node in sorted(nodes, key=lambda item: (item.lineno, item.col_offset)):
            name = ast.unparse(node.func)
            if name in _VERDICTS:
                hint = next(keyword.value for keyword in node.keywords if keyword.arg == "hint")
                seen_text, hint_text = (_text(part, constants) for part in (node.args[0], hint))
                yield declare(_verdict, identifier, seen_text, hint_text, DOCUMENTATION)
            elif name not in seen:
                waiting += [item for item in functions if item.name == name]


def _verdict(_code: str, seen: str, hint: str) -> Verdict:
    return problem(seen, hint)


def _begins(function: ast.FunctionDef) -> int:
    return min([function.lineno, *(item.lineno for item in function.decorator_list)])


def _text(node: ast.expr, constants: Mapping[str, object]) -> str:
    """A template; of what is only known at run time a parameter alone."""
    found = constants.get(node.id) if isinstance(node, ast.Name) else getattr(node, "value", None)
    return found if isinstance(found, str) else "{text}"


def _kinds(kind: type[SetupError]) -> Iterator[type[SetupError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)


def calls(source: str) -> Iterator[tuple[int, str, str, str, str]]:
    """Calls with a code and texts: line, name of what is called, code, message and hint as templates.

    `about(what, …)` gives a problem of a certificate another code where it is about one above the leaf.
    """
    tree = ast.parse(source)
    constants = _constants(tree)
    of_chains = {
        id(node.args[1])
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "about" and len(node.args) == _TEXTS
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or len(node.args) < _TEXTS:
            continue
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        hint = given.pop("hint", node.args[_TEXTS] if len(node.args) > _TEXTS else ast.Constant(""))
        parts = (*node.args[:_TEXTS], hint)
        texts = [
            constants.get(part.id) if isinstance(part, ast.Name) else getattr(part, "value", None)
            for part in parts
        ]
        if all(isinstance(text, str) for text in texts):
            code, *words = map(str, texts)
            # Without values a text is shown as it stands.
            message, hint_text = (
                words if given else [text.replace("{", "{{").replace("}", "}}") for text in words]
            )
            name = ast.unparse(node.func).rpartition(".")[2]
            yield node.lineno, name, code, message, hint_text
            if id(node) in of_chains:
                yield node.lineno, name, f"chain-{code}", message, hint_text


def _constants(tree: ast.Module) -> dict[str, object]:
    """The texts that a module names at its top, such as hints of several errors."""
    return {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
