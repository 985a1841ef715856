"""The errors and warnings that are written where they are raised, found in the source.

    raise UsageError("file-exists", "{path} already exists", hint="Give the name of a new file.", path=path)

A call of an error class, or of `warning`, whose code and texts are literals. Codes and texts that are only
known at run time are those of another error, which is found where it is written.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from mstunnel_setup.base.errors import Declared, SetupError
from mstunnel_setup.base.result import Notice

ROOT = Path(__file__).parents[1]
PACKAGES = ("mstunnel_setup", "mst_admin", "mstunnel_lab")
_TEXTS = 2


@cache
def written_errors() -> dict[str, Declared[Any]]:
    """Each by `MODULE.CODE:LINE`. The modules that define error classes must be imported."""
    kinds: dict[str, Any] = {kind.__name__: kind for kind in _kinds(SetupError)} | {"warning": Notice}
    found: dict[str, Declared[Any]] = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            for line, name, code, message, hint in calls(path.read_text()):
                if name in kinds:
                    found[f"{module}.{code}:{line}"] = Declared(kinds[name], code, message, hint)
    return found


def _kinds(kind: type[SetupError]) -> Iterator[type[SetupError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)


def calls(source: str) -> Iterator[tuple[int, str, str, str, str]]:
    """Calls with a code and texts: line, name of what is called, code, message and hint as templates."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or len(node.args) < _TEXTS:
            continue
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        hint = given.pop("hint", node.args[_TEXTS] if len(node.args) > _TEXTS else ast.Constant(""))
        texts = [part.value for part in (*node.args[:_TEXTS], hint) if isinstance(part, ast.Constant)]
        if len(texts) == _TEXTS + 1 and all(isinstance(text, str) for text in texts):
            code, *words = map(str, texts)
            # Without values a text is shown as it stands.
            message, hint_text = (
                words if given else [text.replace("{", "{{").replace("}", "}}") for text in words]
            )
            yield node.lineno, ast.unparse(node.func).rpartition(".")[2], code, message, hint_text
