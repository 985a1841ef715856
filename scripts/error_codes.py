"""Find the code of every error of ours in the source, with the texts as far as the source tells them."""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mstunnel_setup import errors

PACKAGE = Path(__file__).parents[1] / "mstunnel_setup"
PLACEHOLDER = "…"
# A parameter of a declared text.
PARAMETER = re.compile(r"\{\w+(?:![rsa])?(?::[^{}]*)?\}")
KEBAB = re.compile(r"[a-z0-9…]+(-[a-z0-9…]+)*")


@dataclass(frozen=True, order=True)
class Code:
    """One code: its exit code (0: a warning), and the texts with `…` for what is only known at run time."""

    code: str
    exit_code: int
    message: str
    hint: str


def codes() -> Iterator[Code]:
    """Every code in the package, one for each place that makes it."""
    trees = {path: ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}
    exits = _exit_codes(trees.values())
    for tree in trees.values():
        yield from _Module(tree, exits).codes()


def _exit_codes(trees: Iterable[ast.Module]) -> dict[str, int]:
    """Exit code of every class below SetupError, by its name."""
    bases = {
        node.name: ast.unparse(node.bases[0])
        for tree in trees
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.bases
    }
    known = {
        name: int(kind.exit_code)
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.SetupError)
    }
    for name in bases:
        ancestor = name
        while ancestor not in known and ancestor in bases:
            ancestor = bases[ancestor]
        if ancestor in known:
            known[name] = known[ancestor]
    return known


def _assigned(body: Iterable[ast.AST]) -> dict[str, ast.expr]:
    """Values by name, for names that are assigned once and alone."""
    return {
        target.id: node.value
        for node in body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }


class _Module:
    """One source file: finds what makes an error, and the texts in it."""

    def __init__(self, tree: ast.Module, exits: dict[str, int]) -> None:
        self._tree = tree
        self._exits = exits
        self._constants = _assigned(tree.body)
        self._local = {
            id(inner): function
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef)
            for inner in ast.walk(function)
        }

    def codes(self) -> Iterator[Code]:
        """The codes of this file."""
        for node in ast.walk(self._tree):
            if isinstance(node, ast.ClassDef) and node.name in self._exits:
                yield from self._constructor(node)
            elif isinstance(node, ast.Call):
                yield from self._call(node)
            elif isinstance(node, ast.Dict):
                yield from self._table(node)

    def _constructor(self, node: ast.ClassDef) -> Iterator[Code]:
        """A class that names its own code: `super().__init__("code", …)`."""
        for call in ast.walk(node):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "super().__init__":
                yield from self._made(self._exits[node.name], call.args)

    def _call(self, node: ast.Call) -> Iterator[Code]:
        name = ast.unparse(node.func)
        if name == "declare":
            # Warnings and findings have no exit code.
            exit_code = self._exits.get(ast.unparse(node.args[0]))
            yield from () if exit_code is None else self._made(exit_code, node.args[1:])
        elif name == "declare_notice":
            yield from self._made(int(errors.ExitCode.DONE), node.args)
        elif name in self._exits:
            yield from self._made(self._exits[name], node.args)
        elif name == "Finding" and any(ast.unparse(item) == "Severity.ERROR" for item in node.args):
            judged = [item for item in node.args if ast.unparse(item) != "Severity.ERROR"]
            yield from self._made(int(errors.ExitCode.CERTIFICATE), judged)

    def _table(self, node: ast.Dict) -> Iterator[Code]:
        """Causes in the words of the operating system: `errno.NAME: ("code", "hint")`."""
        for key, value in zip(node.keys, node.values, strict=True):
            if key is not None and ast.unparse(key).startswith("errno.") and isinstance(value, ast.Tuple):
                code, hint = value.elts
                yield from self._made(int(errors.ExitCode.STEP), [code, ast.Constant(PLACEHOLDER), hint])

    def _made(self, exit_code: int, given: list[ast.expr]) -> Iterator[Code]:
        texts = [_cell(self._text(item)) for item in given]
        code, message, hint = (*texts, "", "")[:3]
        for one in code.split(" / "):
            if KEBAB.fullmatch(one) and one.strip("…-"):
                yield Code(one, exit_code, message, hint)

    def _text(self, node: ast.expr) -> str:
        """The text that an expression gives, as far as the source tells."""
        if isinstance(node, ast.Constant):
            return PARAMETER.sub(PLACEHOLDER, str(node.value))
        if isinstance(node, ast.JoinedStr):
            return "".join(self._text(part) for part in node.values)
        if isinstance(node, ast.BinOp):
            return self._text(node.left) + self._text(node.right)
        if isinstance(node, ast.IfExp):
            return f"{self._text(node.body)} / {self._text(node.orelse)}"
        return self._named(node) if isinstance(node, ast.Name) else PLACEHOLDER

    def _named(self, node: ast.Name) -> str:
        """The text of a constant of the file, or of a name that its function gives a value to."""
        function = self._local.get(id(node))
        known = self._constants | (_assigned(ast.walk(function)) if function else {})
        value = known.get(node.id, node)
        # A value made from what the name held before tells nothing.
        itself = any(isinstance(inner, ast.Name) and inner.id == node.id for inner in ast.walk(value))
        return PLACEHOLDER if itself else self._text(value)


def _cell(text: str) -> str:
    return re.sub(r"…(\s*…)+", PLACEHOLDER, " ".join(text.split())).replace("|", "\\|")
