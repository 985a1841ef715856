"""Forms of the admin center: the fields of `forms.toml`, what was typed, problems beside their fields."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.datastructures import FormData

from mstunnel_lab.admin_center import render
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.parsing import problem_of, whole_number

Values = Mapping[str, str]
Problem = tuple[str, ...]
"""What is wrong, in sentences that are translated one by one."""
Problems = dict[str, list[Problem]]


class Field(BaseModel, frozen=True, extra="forbid"):
    """One field.

    `kind`: text, number, time, lines (one value each), pairs (name=value on each line), check, file, select
    (of `choices`, which are names), or choice (of `choices`, which are words of ours). In the declared object
    and for the rules it is called `key`, if not by its name; dots lead to keys within. A new object begins
    with `default`.
    """

    name: str
    label: str
    hint: str
    kind: str = "text"
    required: bool = False
    choices: tuple[tuple[str, str], ...] = ()
    suggestions: str = ""
    key: str = ""
    default: str = ""
    only: str = ""

    @property
    def is_long(self) -> bool:
        """Whether its value has lines."""
        return self.kind in {"lines", "pairs"}

    def value(self, text: str) -> object:
        """Return what was typed as a value; None for nothing."""
        match self.kind:
            case "check":
                return bool(text)
            case "lines":
                return lines(text)
            case "pairs":
                return pairs(text)
            case "file":
                return None
            case "number":
                number = whole_number(text)
                return (text or None) if number is None else number
            case _:
                return text if text or self.required else None

    def chosen(self, value: str) -> str:
        """The name or word of a choice, "" for none."""
        return dict(self.choices).get(value, "")


class FieldGroup(BaseModel, frozen=True, extra="forbid"):
    """Fields under one heading, and buttons (decision and label) that change the form and store nothing."""

    title: str
    fields: tuple[Field, ...]
    actions: tuple[tuple[str, str], ...] = ()
    only: str = ""

    def renamed(self, title: str, prefix: str) -> "FieldGroup":
        """The group under another title, its fields under longer names; rules speak of them as before."""
        own = (
            item.model_copy(update={"name": prefix + item.name, "key": item.key or item.name})
            for item in self.fields
        )
        # Not validated: that would make a plain text of a title, which is translated by its template.
        return self.model_copy(update={"title": title, "fields": tuple(own)})


_SOURCE: Final = Path(__file__).with_name("forms.toml").read_text(encoding="utf-8")
_FORMS: Final = TypeAdapter(dict[str, tuple[FieldGroup, ...]]).validate_python(tomllib.loads(_SOURCE))


def groups_of(form: str, kind: str = "", **choices: Iterable[tuple[str, str]]) -> tuple[FieldGroup, ...]:
    """Return the groups of a form for a kind of objects; `choices` (value, name) by the name of a field."""
    groups = []
    for group in _FORMS[form]:
        fields = tuple(
            item.model_copy(update={"choices": tuple(choices.get(item.name, item.choices))})
            for item in group.fields
            if kind.startswith(item.only)
        )
        if fields and kind.startswith(group.only):
            groups.append(group.model_copy(update={"fields": fields}))
    return tuple(groups)


@dataclass(frozen=True)
class Form:
    """A form as it is shown."""

    groups: tuple[FieldGroup, ...]
    values: Values
    problems: Problems = field(default_factory=dict)

    @property
    def fields(self) -> list[Field]:
        """All fields."""
        return fields_of(self.groups)

    @property
    def labels(self) -> dict[str, str]:
        """The labels by the names that rules have for the fields."""
        return {item.key or item.name: item.label.removesuffix(" (optional)") for item in self.fields}

    @property
    def has_file(self) -> bool:
        """Whether files can be chosen, so that the form is sent in parts."""
        return any(item.kind == "file" for item in self.fields)

    @property
    def listed(self) -> list[tuple[Field, Problem]]:
        """All problems with their fields, in the order of the form, for the summary on top."""
        return [(item, problem) for item in self.fields for problem in self.problems.get(item.name, ())]

    @property
    def general(self) -> list[Problem]:
        """Problems that belong to no field."""
        names = {item.name for item in self.fields}
        return [item for name, problems in self.problems.items() if name not in names for item in problems]


def fields_of(groups: Iterable[FieldGroup]) -> list[Field]:
    """Return the fields of all groups."""
    return [item for group in groups for item in group.fields]


def read(form: FormData, groups: Sequence[FieldGroup]) -> Values:
    """Return what was typed; a box that is not ticked is ""."""
    names = [item.name for item in fields_of(groups)]
    return {name: render.field(form, name).replace("\r\n", "\n").strip() for name in names}


def initial(groups: Iterable[FieldGroup]) -> Values:
    """Return what the form of a new object begins with; where one choice is required and possible, that."""
    begin = {item.name: item.default for item in fields_of(groups)}
    for item in fields_of(groups):
        if item.kind == "select" and item.required and len(item.choices) == 1:
            begin[item.name] = item.choices[0][0]
    return begin


def typed(groups: Iterable[FieldGroup], values: Values, prefix: str = "") -> dict[str, Any]:
    """Return what was typed as keys and values of a declared object, whose default stands for an empty field.

    `prefix` begins the names of the fields in `values`.
    """
    given: dict[str, Any] = {}
    for item in fields_of(groups):
        value = item.value(values.get(prefix + item.name, ""))
        if value is not None:
            *outer, last = (item.key or item.name).split(".")
            place = given
            for name in outer:
                place = place.setdefault(name, {})
            place[last] = value
    return given


def shown(groups: Iterable[FieldGroup], found: object, prefix: str = "") -> dict[str, str]:
    """Return the values of a declared object as they would be typed."""
    values: dict[str, str] = {}
    for item in fields_of(groups):
        value = found
        for name in (item.key or item.name).split("."):
            value = getattr(value, name, None)
        match value:
            case None | False:
                text = ""
            case True:
                text = "yes"
            case Mapping():
                text = "\n".join(f"{name}={part}" for name, part in value.items())
            case tuple():
                text = "\n".join(map(str, value))
            case _:
                text = str(value)
        values[prefix + item.name] = text
    return values


def lines(text: str) -> tuple[str, ...]:
    """Return the values of a field that has one per line."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def pairs(text: str) -> dict[str, str]:
    """Return the values of a field that has name=value on each line."""
    split = (line.partition("=") for line in lines(text))
    return {name.strip(): value.strip() for name, _, value in split}


def problems_of(findings: Iterable[Finding]) -> Problems:
    """Return what is fatal among findings, by field."""
    found: Problems = {}
    for finding in findings:
        if finding.fatal:
            found.setdefault(finding.key, []).append((finding.message, finding.hint))
    return found


def problems_in(error: ValidationError) -> Problems:
    """Return what a declared object says about the types of its values, by field."""
    found: Problems = {}
    for item in error.errors(include_url=False, include_input=False):
        text = problem_of(item)
        name = str(item["loc"][0]) if item["loc"] else ""
        found.setdefault(name, []).append((f"{text[:1].upper()}{text[1:]}",))
    return found
