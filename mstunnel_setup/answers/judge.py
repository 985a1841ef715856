"""Judging raw answers: every problem at once, each with its place and what to do."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import BaseModel, ValidationError

from mstunnel_setup.answers.model import AnswerFile
from mstunnel_setup.answers.rules import RULES
from mstunnel_setup.errors import UsageError

KeyPath: TypeAlias = tuple[str, ...]
"""Keys from the top of the answer file, for example ("tenant", "cloud")."""

_HINT = "`mstunnel-setup answers new` writes a commented answer file to compare with."


@dataclass(frozen=True)
class Problem:
    """What is wrong with the value at `path`, or, with `at_key`, with the key itself."""

    path: KeyPath
    text: str
    at_key: bool = False


class AnswersError(UsageError):
    """Answers that cannot be used. `problems` are lines of the form `place: what is wrong`."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("answers-invalid", "\n".join(problems), _HINT)
        self.problems = problems


def judge(raw: Mapping[str, Any]) -> tuple[AnswerFile | None, list[Problem]]:
    """The answers in `raw`, or None and everything that is wrong with them."""
    try:
        return AnswerFile.model_validate(raw), []
    except ValidationError as error:
        own = [_problem(item) for item in error.errors(include_url=False) if item["loc"]]
    return None, [*own, *_rule_problems(raw)]


def _rule_problems(raw: Mapping[str, Any]) -> Iterator[Problem]:
    for name, rule in RULES.items():
        section = raw.get(name, {})
        for key, text in rule(section) if isinstance(section, Mapping) else ():
            yield Problem((name, key), text)


def _problem(error: Mapping[str, Any]) -> Problem:
    path = tuple(str(part) for part in error["loc"] if part != "[key]")
    kind, name = error["type"], f"`{'.'.join(path)}`"
    if kind == "extra_forbidden":
        return Problem(path, f"unknown key {name}{_suggest_key(path)}", at_key=True)
    if kind == "missing":
        return Problem(path, f"{name} is missing: add `{path[-1]}: 1`")
    return Problem(path, f"{name} {_say(kind, error)}", at_key="[key]" in error["loc"])


def _say(kind: str, error: Mapping[str, Any]) -> str:
    if kind == "value_error":
        return str(error["ctx"]["error"])
    if kind == "literal_error":
        expected = str(error["ctx"]["expected"]).replace("'", "`")
        return f"must be {expected}{suggest(str(error['input']), expected.replace('`', ' ').split())}"
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        return "must be a section: put its keys below it, indented"
    if kind == "tuple_type":
        return "must be a path or a list of paths: correct it"
    return "must be text: write one value, in quotes"


def _suggest_key(path: KeyPath) -> str:
    model: type[BaseModel] = AnswerFile
    for part in path[:-1]:
        annotation = model.model_fields[part].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return ": remove it"
        model = annotation
    known = list(model.model_fields)
    return suggest(path[-1], known) or f": remove it; known are {', '.join(known)}"


def suggest(word: str, known: list[str]) -> str:
    """A question whether one of `known` was meant, to append to a message; empty when none is near."""
    close = difflib.get_close_matches(
        word.lower().replace("-", "_"), known, n=1
    ) or difflib.get_close_matches(word.lower(), known, n=1)
    return f"; did you mean `{close[0]}`?" if close else ""
