"""Figures of the three packages: `python -m scripts.develop.code_figures [DIR]` prints them.

They are a thermometer: what counts is whether a newcomer finds and understands things.

- Statement lines: lines of statements inside functions, without docstrings, comments and blank lines.
- Single-importer modules: modules that exactly one other module imports.
- Private imports: imports of names or modules of libraries that begin with an underscore.
- Files that a value passes: from one parameter through the calls that pass it, or a part of it, on.
"""

import ast
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

from scripts import ROOT

PACKAGES = ("mstunnel_setup", "mst_admin", "mstunnel_lab")
Trees: TypeAlias = Mapping[str, ast.Module]
Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
# The parameters that a reader of an installation, of its configuration and of a plan follows.
VALUES = (
    ("install.install", "install", "request"),
    ("steps.configure", "_gather", "context"),
    ("apply", "plan", "declared"),
)


class Place(NamedTuple):
    """A parameter of a function in a module."""

    module: str
    function: str
    parameter: str


def read(root: Path) -> dict[str, str]:
    """The sources by module name."""
    return {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path.read_text()
        for package in PACKAGES
        for path in sorted((root / package).rglob("*.py"))
    }


def figures(root: Path) -> list[tuple[str, str]]:
    """The rows of the table: what, and how much."""
    sources = read(root)
    trees = {name: ast.parse(text) for name, text in sources.items()}
    lines = sum(text.count("\n") for text in sources.values())
    functions = [node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, Function)]
    statements = sum(len(lines_) for tree in trees.values() for lines_ in [_statement_lines(tree)])
    imports = sum(
        (node.end_lineno or node.lineno) - node.lineno + 1
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    )
    importers = _importers(trees)
    lengths = [(node.end_lineno or node.lineno) - node.lineno + 1 for node in functions]
    classes = Counter(
        node.name for tree in trees.values() for node in tree.body if isinstance(node, ast.ClassDef)
    )
    per_package = {
        package: sum(text.count("\n") for name, text in sources.items() if name.split(".")[0] == package)
        for package in PACKAGES
    }
    return [
        ("Lines", f"{lines:,}"),
        *((f"Lines of `{package}`", f"{count:,}") for package, count in per_package.items()),
        ("Files", f"{len(sources):,}"),
        ("Statement lines", f"{statements / lines:.1%}"),
        ("Import lines", f"{imports / lines:.1%}"),
        ("Functions", f"{len(functions):,}"),
        ("Lines of a function, median", f"{statistics.median(lengths):.0f}"),
        ("Functions per 1,000 lines", f"{1000 * len(functions) / lines:.0f}"),
        ("Single-importer modules", str(sum(1 for found in importers.values() if len(found) == 1))),
        ("Class names that occur more than once", str(sum(1 for count in classes.values() if count > 1))),
        ("Private imports of libraries", str(sum(1 for tree in trees.values() for _ in _private(tree)))),
        *(
            (f"Files that `{value[0]}:{value[2]}` passes through", str(_passed(trees, *value)))
            for value in VALUES
        ),
    ]


def _statement_lines(tree: ast.Module) -> set[int]:
    found: set[int] = set()
    for function in (node for node in ast.walk(tree) if isinstance(node, Function)):
        for statement in function.body:
            if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
                nested = {
                    line
                    for node in ast.walk(statement)
                    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
                    for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
                }
                end = statement.end_lineno or statement.lineno
                found |= {*range(statement.lineno, end + 1)} - nested
    return found


def _imported(tree: ast.Module, modules: Trees) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield from (name for name in (full if full in modules else node.module,) if name in modules)


def _importers(trees: Trees) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for module, tree in trees.items():
        for name in _imported(tree, trees):
            if name != module:
                found[name].add(module)
    return found


def _private(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] not in PACKAGES:
            # _typeshed is for type checkers, __future__ for the compiler.
            words = [*node.module.split("."), *(alias.name for alias in node.names)]
            if any(word.startswith("_") and not word.startswith(("__", "_typeshed")) for word in words):
                yield node.module


def _passed(trees: Trees, ending: str, function: str, parameter: str) -> int:
    """How many files the parameter of a function reaches, passed on from call to call; 0 without it."""
    definitions = {
        (module, node.name): node
        for module, tree in trees.items()
        for node in tree.body
        if isinstance(node, Function)
    }
    todo = [
        Place(module, name, parameter)
        for (module, name), node in definitions.items()
        if name == function and module.endswith(f".{ending}") and parameter in _parameters(node)
    ]
    seen: set[Place] = set()
    while todo:
        place = todo.pop()
        if place not in seen:
            seen.add(place)
            todo += _next(trees, definitions, place)
    return len({place.module for place in seen})


def _parameters(node: Function) -> list[str]:
    return [each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]


def _next(trees: Trees, definitions: Mapping[tuple[str, str], Function], place: Place) -> Iterator[Place]:
    names = _names(trees[place.module], place.module, trees)
    for call in ast.walk(definitions[place.module, place.function]):
        if not isinstance(call, ast.Call):
            continue
        target = names.get(ast.unparse(call.func), (place.module, ast.unparse(call.func)))
        if target not in definitions:
            continue
        wanted = _parameters(definitions[target])
        given = [*zip(wanted, call.args, strict=False), *((item.arg, item.value) for item in call.keywords)]
        for name, value in given:
            if name and _root(value) == place.parameter:
                yield Place(*target, name)


def _root(value: ast.expr) -> str:
    """The name that an expression is, or is an attribute of; empty for any other."""
    while isinstance(value, ast.Attribute):
        value = value.value
    return value.id if isinstance(value, ast.Name) else ""


def _names(tree: ast.Module, module: str, modules: Trees) -> dict[str, tuple[str, str]]:
    """What a name in the module stands for: the module and the function that are called by it."""
    found: dict[str, tuple[str, str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full, known = f"{node.module}.{alias.name}", alias.asname or alias.name
                if full in modules:
                    functions = (item for item in modules[full].body if isinstance(item, Function))
                    found |= {f"{known}.{item.name}": (full, item.name) for item in functions}
                elif node.module in modules and node.module != module:
                    found[known] = (node.module, alias.name)
    return found


def table(root: Path) -> str:
    """The figures as a table in Markdown."""
    rows = "".join(f"| {name} | {value} |\n" for name, value in figures(root))
    return f"| | |\n| --- | ---: |\n{rows}"


if __name__ == "__main__":
    sys.stdout.write(table(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT))
