"""Strict YAML 1.2 files that people write, with size limits and the position of every problem.

This module composes and walks the nodes itself instead of constructing values: that keeps every key's
position, detects duplicate keys, and keeps a number's spelling where text is expected.
"""

import difflib
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Final, NamedTuple, TypeAlias, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, ScalarEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from mstunnel_setup.answers.values import Key
from mstunnel_setup.base.errors import VALUES_INVALID, ValuesError
from mstunnel_setup.base.parsing import problem_of, signed_number
from mstunnel_setup.base.text import text
from mstunnel_setup.io.files import Files

KeyPath: TypeAlias = tuple[str, ...]
"""Keys from the top of a file, for example ("tenant", "cloud"); list entries are numbers."""

_LARGEST = 1 << 20
_MOST_EVENTS = 20_000
_MOST_ALIASES = 20
_DEEPEST = 20
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DIRECTIVE = re.compile("^%", re.MULTILINE)
_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_TAG = "tag:yaml.org,2002:"
_SCALARS = frozenset(_TAG + name for name in ("str", "int", "float", "timestamp", "merge", "value"))


@dataclass(frozen=True)
class KeyProblem:
    """A problem with the value at `path` or, with `at_key`, with the key itself."""

    path: KeyPath
    text: str
    at_key: bool = False


def suggest(word: str, known: list[str]) -> str:
    """Return a question that suggests one of `known`, to append to a message; "" if none is similar."""
    close = difflib.get_close_matches(
        word.lower().replace("-", "_"), known, n=1
    ) or difflib.get_close_matches(word.lower(), known, n=1)
    return text("; did you mean `{close}`?", close=close[0]) if close else ""


class Position(NamedTuple):
    """A position in the file; line and column count from 1."""

    line: int
    column: int


class DocumentError(Exception):
    """An unusable file. `problems` are lines of the form `file:line:column: message`."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass
class Document:
    """Plain values of a file, and the position of each key and value.

    Keys in `sections` may be empty, those in `nullable` may be `null`.
    """

    name: str
    sections: frozenset[KeyPath] = frozenset()
    nullable: frozenset[KeyPath] = frozenset()
    raw: dict[str, object] = field(default_factory=dict)
    problems: list[tuple[Position, str]] = field(default_factory=list)
    keys: dict[KeyPath, Position] = field(default_factory=dict)
    values: dict[KeyPath, Position] = field(default_factory=dict)
    visited: int = 0

    def position(self, problem: KeyProblem) -> Position:
        """Return the position of a problem, or of the nearest enclosing key in the file."""
        if problem.at_key and problem.path in self.keys:
            return self.keys[problem.path]
        parents = (problem.path[:length] for length in range(len(problem.path), 0, -1))
        return next((self.values[path] for path in parents if path in self.values), Position(1, 1))

    def lines(self, problems: Iterable[KeyProblem]) -> tuple[str, ...]:
        """Return these problems and the document's own, with their positions, in file order."""
        found = {*self.problems, *((self.position(problem), problem.text) for problem in problems)}
        return tuple(
            text(
                "{file}:{line}:{column}: {problem}",
                file=self.name,
                line=at.line,
                column=at.column,
                problem=problem,
            )
            for at, problem in sorted(found)
        )

    def mapping(self, node: MappingNode, path: KeyPath) -> dict[str, object]:
        """Return the mapping as a dict; record duplicate keys as problems."""
        result: dict[str, object] = {}
        for key_node, value_node in node.value:
            here = (*path, str(key_node.value) if isinstance(key_node, ScalarNode) else "?")
            if here in self.keys:
                content = text(
                    "`{here}` was given on line {line}: remove one of them",
                    here=".".join(here),
                    line=self.keys[here].line,
                )
                self.problems.append((_place(key_node), content))
                continue
            self.keys[here] = _place(key_node)
            value = self._value(value_node, here)
            # A key without a value is still to be filled in, so it counts as not given.
            if value is not None or (here in self.nullable and value_node.value):
                result[here[-1]] = value
            elif here not in self.sections:
                content = text("`{here}` is empty: set a value or remove the key", here=".".join(here))
                self.problems.append((_place(key_node), content))
        return result

    def _value(self, node: Node, path: KeyPath) -> object:
        self.visited += 1
        if self.visited > _MOST_EVENTS or len(path) > _DEEPEST:
            raise _fault(self.name, _place(node), "grows too large through aliases: write the values out")
        self.values[path] = _place(node)
        if isinstance(node, MappingNode):
            return self.mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self._value(item, (*path, str(index))) for index, item in enumerate(node.value)]
        content, tag = str(node.value), str(node.tag)
        if tag == _TAG + "null":
            return None
        if tag == _TAG + "bool":
            return content.lower() == "true"
        if tag not in _SCALARS:
            message = text("`{path}` has a YAML tag, which is not supported: remove it", path=".".join(path))
            self.problems.append((_place(node), message))
        number = signed_number(content, 18) if tag == _TAG + "int" and _NUMBER.fullmatch(content) else None
        return content if number is None else number


def read(path: Path) -> bytes:
    """Return the content of a file that a person named.

    Raises OSError, UsageError if it cannot be read, DocumentError if it is too large.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST:
        raise _fault(str(path), Position(1, 1), "must be a file of at most 1 MiB: use another one")
    return Files().read_given(str(path)) or b""


def compose(
    content: bytes,
    name: str,
    kind: str,
    sections: frozenset[KeyPath] = frozenset(),
    nullable: frozenset[KeyPath] = frozenset(),
) -> "Document":
    """Parse `content`; messages name the file `name` and the kind of such files `kind`.

    `sections` are keys that may be empty, `nullable` those that may be `null`. Raises DocumentError for a
    file of another kind; problems with single keys are in the document's `problems`.
    """
    text = _decode(content, name, kind)
    try:
        _refuse_abuse(text, name)
        root = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        raise _syntax(error, name, text) from error
    except YAMLError as error:
        raise _fault(name, Position(1, 1), "is not valid YAML: check the last change") from error
    if not isinstance(root, MappingNode):
        raise _fault(name, Position(1, 1), "must consist of keys with values: start with `version: 1`")
    document = Document(name, sections, nullable)
    document.raw = document.mapping(root, ())
    return document


def _decode(content: bytes, name: str, kind: str) -> str:
    if len(content) > _LARGEST:
        raise _fault(name, Position(1, 1), "must be a file of at most 1 MiB: use another one")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig", errors="replace")
        raise _fault(name, _end(before), "is not UTF-8 text: save the file as UTF-8") from error
    unprintable = _UNPRINTABLE.search(text)
    if unprintable:
        place = _end(text[: unprintable.start()])
        raise _fault(
            name, place, f"the control character {ord(unprintable[0]):#04x} is not allowed: remove it"
        )
    directive = _DIRECTIVE.search(text)
    if directive:
        raise _fault(
            name, _end(text[: directive.start()]), f"{kind} have no YAML directives: remove the line"
        )
    return text


def _refuse_abuse(text: str, name: str) -> None:
    """Raise for a file that would exhaust memory or stack, using only flat parser events."""
    depth = aliases = 0
    anchors: set[str] = set()
    for count, event in enumerate(YAML(typ="safe", pure=True).parse(text)):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        aliases += isinstance(event, AliasEvent)
        place = Position(event.start_mark.line + 1, event.start_mark.column + 1)
        if count > _MOST_EVENTS or depth > _DEEPEST or aliases > _MOST_ALIASES:
            raise _fault(name, place, "is too large, too deep, or has too many aliases: make it simpler")
        anchor = event.anchor if isinstance(event, ScalarEvent | CollectionStartEvent) else None
        if anchor in anchors:
            raise _fault(name, place, "defines an anchor twice: write the value out")
        anchors |= {anchor} if anchor else set()


def _syntax(error: MarkedYAMLError, name: str, text: str) -> DocumentError:
    mark = error.problem_mark or error.context_mark
    place = Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)
    lines = text.splitlines()
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    if line[place.column - 1 : place.column] == "\t":
        return _fault(name, place, "YAML does not allow tabs here: use spaces")
    # The message omits the alias: it may be an unquoted password that begins with `*`.
    problem = re.sub(r"(alias|anchor|tag handle)\b.*", r"\1", error.problem or "broken")
    return _fault(name, place, f"is not valid YAML ({problem}): correct this line or the one above")


def _fault(name: str, place: Position, text: str) -> DocumentError:
    return DocumentError((f"{name}:{place.line}:{place.column}: {text}",))


def _place(node: Node) -> Position:
    return Position(node.start_mark.line + 1, node.start_mark.column + 1)


def _end(text: str) -> Position:
    return Position(text.count("\n") + 1, len(text) - (text.rfind("\n") + 1) + 1)


_HINT: Final = text("Correct the options, then run the command again.")
_WORDS = {
    "int": text("must be a whole number"),
    "bool": text("must be true or false"),
    "tuple": text("must be a list: put each entry on its own line, after `- `"),
    "model": text("must be a section: put its keys below it, indented"),
    "dict": text("must be a section: put its keys below it, indented"),
    "string": text("must be text: write one value, in quotes"),
    "greater": text("must not be below zero"),
}


Model = TypeVar("Model", bound=BaseModel)


def parse_as(
    model: type[Model], content: bytes, name: str, kind: str, sections: frozenset[KeyPath] = frozenset()
) -> tuple[Document, Model]:
    """Parse a YAML file into a model; see `compose` for the other parameters.

    Raises DocumentError with all problems at once, each with its position.
    """
    document = compose(content, name, kind, sections)
    try:
        found = model.model_validate(document.raw)
    except ValidationError as error:
        raise DocumentError(document.lines(problems(error, model))) from error
    if document.problems:
        raise DocumentError(document.lines(()))
    return document, found


def problems(error: ValidationError, model: type[BaseModel]) -> Iterator[KeyProblem]:
    """Yield every problem, with the keys (and the numbers of list entries) that lead to it."""
    for item in error.errors(include_url=False):
        yield _problem(item, model)


def _problem(item: ErrorDetails, model: type[BaseModel]) -> KeyProblem:
    path = tuple(str(part) for part in item["loc"] if part != "[key]")
    key, kind = Key(".".join(path)), str(item["type"])
    if kind == "extra_forbidden":
        # List entries are numbers in the path.
        for part in path[:-1]:
            if not part.isdecimal():
                model = next(_models(model.model_fields[part].annotation))
        known = list(model.model_fields)
        advice = suggest(path[-1], known) or text(": remove it; known are {keys}", keys=", ".join(known))
        return KeyProblem(path, text("unknown key `{key}`{advice}", key=key, advice=advice), at_key=True)
    if kind == "missing":
        line = "`version: 1`" if path[-1] == "version" else text("it")
        return KeyProblem(path, text("`{key}` is missing: add {line}", key=key, line=line))
    if kind in {"literal_error", "enum"}:
        expected = str(item.get("ctx", {})["expected"]).replace("'", "`")
        near = suggest(str(item["input"]), expected.replace("`", " ").split())
        problem = text("must be {expected}{split}", expected=expected, split=near)
    else:
        problem = _WORDS.get(kind.partition("_")[0]) or problem_of(item)
    return KeyProblem(
        path, text("`{key}` {problem}", key=key, problem=problem), at_key="[key]" in item["loc"]
    )


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and not get_origin(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) is not None or isinstance(annotation, UnionType):
        for inner in get_args(annotation):
            yield from _models(inner)


def validated(model: type[Model], values: Mapping[str, object]) -> Model:
    """Return the model with these values. Raises ValuesError that names every invalid value."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        lines = sorted({problem.text for problem in problems(error, model)})
        raise ValuesError([VALUES_INVALID(problems=line, hints=_HINT) for line in lines]) from error
