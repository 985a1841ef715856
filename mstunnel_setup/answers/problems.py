"""What pydantic finds wrong with a file that people write, in their words: place and what to do."""

from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Final, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mstunnel_setup.answers.document import Document, DocumentError, KeyPath, Problem, compose, suggest
from mstunnel_setup.base.errors import VALUES_INVALID, ValuesError
from mstunnel_setup.base.parsing import problem_of
from mstunnel_setup.base.text import text

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
    """The YAML file in `content` as a model; see `compose` for the rest.

    Raises DocumentError with all problems at once, each with its place.
    """
    document = compose(content, name, kind, sections)
    try:
        found = model.model_validate(document.raw)
    except ValidationError as error:
        raise DocumentError(document.lines(problems(error, model))) from error
    if document.problems:
        raise DocumentError(document.lines(()))
    return document, found


def problems(error: ValidationError, model: type[BaseModel]) -> Iterator[Problem]:
    """Every problem, with the keys (and the numbers of list entries) that lead to it."""
    for item in error.errors(include_url=False):
        yield _problem(item, model)


def _problem(item: ErrorDetails, model: type[BaseModel]) -> Problem:
    path = tuple(str(part) for part in item["loc"] if part != "[key]")
    name, kind = f"`{'.'.join(path)}`", str(item["type"])
    if kind == "extra_forbidden":
        known = _keys(model, path[:-1])
        told = suggest(path[-1], known) or f": remove it; known are {', '.join(known)}"
        return Problem(path, f"unknown key {name}{told}", at_key=True)
    if kind == "missing":
        line = text("`{path}: 1`", path=path[-1]) if path[-1] == "version" else "it"
        return Problem(path, f"{name} is missing: add {line}")
    return Problem(path, f"{name} {_say(kind, item)}", at_key="[key]" in item["loc"])


def _say(kind: str, item: ErrorDetails) -> str:
    context = item.get("ctx", {})
    if kind in {"literal_error", "enum"}:
        expected = str(context["expected"]).replace("'", "`")
        return text(
            "must be {expected}{split}",
            expected=expected,
            split=suggest(str(item["input"]), expected.replace("`", " ").split()),
        )
    return _WORDS.get(kind.partition("_")[0]) or problem_of(item)


def _keys(model: type[BaseModel], path: tuple[str, ...]) -> list[str]:
    """The keys of the section at `path`; entries of lists are numbers in it."""
    for part in path:
        if not part.isdecimal():
            model = next(_models(model.model_fields[part].annotation))
    return list(model.model_fields)


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and not get_origin(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) is not None or isinstance(annotation, UnionType):
        for inner in get_args(annotation):
            yield from _models(inner)


def validated(model: type[Model], values: Mapping[str, object]) -> Model:
    """The object with these values. Raises ValuesError naming every one that does not fit."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        lines = sorted({problem.text for problem in problems(error, model)})
        raise ValuesError([VALUES_INVALID(problems=line, hints=_HINT) for line in lines]) from error
