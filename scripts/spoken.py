"""Texts in the source that a person reads, found by where they stand; f-strings become templates."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

# Calls whose arguments a person reads.
_CALLS: Final = frozenset(
    {"say", "ask", "ask_until", "confirm", "choose", "translated", "passed", "skipped", "Verdict", "Line"}
)
_VARIABLES: Final = frozenset(
    {
        *("text", "lines", "line", "rows", "head", "parts", "end", "listed", "seen"),
        *("question", "message", "hint", "reason", "why", "note"),
    }
)
# Words of checks, which are found with their values (`scripts.texts`).
_OF_CHECKS: Final = frozenset({"passes", "why", "fix"})
_RETURNED: Final = re.compile(r"(Iterator|Iterable|list|Sequence)\[str\]")
_DECLARED: Final = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")
_NAME: Final = re.compile(r"[A-Za-z_]\w*")


def spoken(path: Path) -> Iterator[str]:
    """The texts in one module; a check shows all it has."""
    for node in ast.walk(ast.parse(path.read_text())):
        for part in [*_heard(node), *(_body(node) if path.parent.name == "checks" else ())]:
            yield from _texts(part)


def _body(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.FunctionDef):
        yield from (item for item in node.body if not _is_docstring(item))


def _heard(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of `node` that are shown to a person."""
    if isinstance(node, ast.Call):
        yield from _of_call(node)
    if isinstance(node, ast.FunctionDef):
        yield from _of_function(node)
        yield from _of_variables(node)
    if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign) and node.value is not None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if any(isinstance(target, ast.Name) and _is_shown(target.id) for target in targets):
            yield node.value


def _of_call(call: ast.Call) -> Iterator[ast.AST]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in _CALLS:
        yield from call.args
    if name in _CALLS or _DECLARED.fullmatch(name):
        yield from (keyword.value for keyword in call.keywords)
    if name == "Result":
        yield from (keyword.value for keyword in call.keywords if keyword.arg == "text")


def _of_function(function: ast.FunctionDef) -> Iterator[ast.AST]:
    returned = ast.unparse(function.returns) if function.returns else ""
    if function.name == "describe" or _RETURNED.search(returned):
        yield from (item for item in function.body if not _is_docstring(item))
    elif returned in {"str", "str | None"}:
        yield from (item.value for item in ast.walk(function) if isinstance(item, ast.Return) and item.value)


def _of_variables(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """What the function puts into a variable that it says something with."""
    said = [part for call in ast.walk(function) if isinstance(call, ast.Call) for part in _of_call(call)]
    names = {node.id for part in said for node in ast.walk(part) if isinstance(node, ast.Name)}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            filled = {target.id for target in node.targets if isinstance(target, ast.Name)}
            yield from [node.value] if filled & names else []


def _is_shown(variable: str) -> bool:
    return variable.isupper() or variable in _VARIABLES


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _texts(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant):
        yield from [node.value] if isinstance(node.value, str) else []
    elif isinstance(node, ast.JoinedStr):
        yield _template(node)
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                yield from _texts(part.value)
    elif not (isinstance(node, ast.keyword) and node.arg in _OF_CHECKS):
        for child in ast.iter_child_nodes(node):
            yield from _texts(child)


def _template(node: ast.JoinedStr) -> str:
    """The f-string with names for its values, each once."""
    made, seen = "", dict[str, int]()
    for part in node.values:
        if isinstance(part, ast.Constant):
            made += str(part.value).replace("{", "{{").replace("}", "}}")
        elif isinstance(part, ast.FormattedValue):
            name = _name(part.value)
            seen[name] = seen.get(name, 0) + 1
            made += "{" + (name if seen[name] == 1 else f"{name}_{seen[name]}") + "}"
    return made


def _name(value: ast.expr) -> str:
    """A name for a value: that of the plural, else the last word of the expression."""
    if (
        isinstance(value, ast.IfExp)
        and isinstance(value.orelse, ast.Constant)
        and value.orelse.value in {"", "s"}
    ):
        return "plural"
    words = [word for word in _NAME.findall(ast.unparse(value)) if word not in {"str", "map", "join", "d"}]
    return words[-1].lower() if words else "value"


def sources(package: Path, silent: frozenset[str]) -> Iterator[Path]:
    """The modules of the package, but for `silent` ones and those in such directories."""
    return (
        path for path in sorted(package.rglob("*.py")) if silent.isdisjoint(path.relative_to(package).parts)
    )
