"""Forms of the admin center: the fields of `forms.toml`, their input, and problems next to the fields."""

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
from mstunnel_setup.base.text import with_hint

Values = Mapping[str, str]
Problems = dict[str, list[str]]
"""Messages by field name."""


class Field(BaseModel, frozen=True, extra="forbid"):
    """One field.

    `kind`: text, number, time, lines (one value each), pairs (name=value on each line), check, or select (of
    `choices`: value and name). A new object starts with `default`.
    """

    name: str
    label: str
    hint: str
    kind: str = "text"
    required: bool = False
    choices: tuple[tuple[str, str], ...] = ()
    suggestions: str = ""
    default: str = ""

    @property
    def is_long(self) -> bool:
        """True if the value has several lines."""
        return self.kind in {"lines", "pairs"}

    def value(self, text: str) -> object:
        """Convert the input to a value; None for no input."""
        match self.kind:
            case "check":
                return bool(text)
            case "lines":
                return lines(text)
            case "pairs":
                return pairs(text)
            case "number":
                number = whole_number(text)
                return (text or None) if number is None else number
            case _:
                return text if text or self.required else None

    def chosen(self, value: str) -> str:
        """Return the name of the choice with this value, or ""."""
        return dict(self.choices).get(value, "")


class FieldGroup(BaseModel, frozen=True, extra="forbid"):
    """Fields under one heading."""

    title: str
    fields: tuple[Field, ...]


_SOURCE: Final = Path(__file__).with_name("forms.toml").read_text(encoding="utf-8")
_FORMS: Final = TypeAdapter(dict[str, tuple[FieldGroup, ...]]).validate_python(tomllib.loads(_SOURCE))


def groups_of(form: str, **choices: Iterable[tuple[str, str]]) -> tuple[FieldGroup, ...]:
    """Return the groups of a form; `choices` (value, name) by the name of a field."""
    return tuple(
        group.model_copy(
            update={
                "fields": tuple(
                    item.model_copy(update={"choices": tuple(choices.get(item.name, item.choices))})
                    for item in group.fields
                )
            }
        )
        for group in _FORMS[form]
    )


@dataclass(frozen=True)
class Form:
    """A form with values and problems, ready to be shown."""

    groups: tuple[FieldGroup, ...]
    values: Values
    problems: Problems = field(default_factory=dict)

    @property
    def fields(self) -> list[Field]:
        """The fields of all groups."""
        return fields_of(self.groups)

    @property
    def listed(self) -> list[tuple[Field, str]]:
        """All problems with their fields, in the order of the form, for the summary at the top."""
        return [(item, problem) for item in self.fields for problem in self.problems.get(item.name, ())]

    @property
    def general(self) -> list[str]:
        """Problems that belong to no field."""
        names = {item.name for item in self.fields}
        return [item for name, problems in self.problems.items() if name not in names for item in problems]


def fields_of(groups: Iterable[FieldGroup]) -> list[Field]:
    """Return the fields of all groups."""
    return [item for group in groups for item in group.fields]


def read(form: FormData, groups: Sequence[FieldGroup]) -> Values:
    """Return the input by field; an unchecked box is ""."""
    names = [item.name for item in fields_of(groups)]
    return {name: render.field(form, name).replace("\r\n", "\n").strip() for name in names}


def initial(groups: Iterable[FieldGroup]) -> Values:
    """Return the initial values of a new object; the only choice of a required field is selected."""
    begin = {item.name: item.default for item in fields_of(groups)}
    for item in fields_of(groups):
        if item.kind == "select" and item.required and len(item.choices) == 1:
            begin[item.name] = item.choices[0][0]
    return begin


def typed(groups: Iterable[FieldGroup], values: Values) -> dict[str, Any]:
    """Convert the input to properties of a declared object, without empty fields, which take its defaults."""
    found = {item.name: item.value(values.get(item.name, "")) for item in fields_of(groups)}
    return {name: value for name, value in found.items() if value is not None}


def shown(groups: Iterable[FieldGroup], found: object) -> dict[str, str]:
    """Return the values of a declared object in the form of input."""
    return {item.name: _as_typed(getattr(found, item.name, None)) for item in fields_of(groups)}


def _as_typed(value: object) -> str:
    match value:
        case None | False:
            return ""
        case True:
            return "yes"
        case Mapping():
            return "\n".join(f"{name}={part}" for name, part in value.items())
        case tuple():
            return "\n".join(map(str, value))
        case _:
            return str(value)


def lines(text: str) -> tuple[str, ...]:
    """Return the values of a field that has one per line."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def pairs(text: str) -> dict[str, str]:
    """Return the values of a field that has name=value on each line."""
    split = (line.partition("=") for line in lines(text))
    return {name.strip(): value.strip() for name, _, value in split}


def problems_of(findings: Iterable[Finding]) -> Problems:
    """Return the fatal findings, by field."""
    found: Problems = {}
    for finding in findings:
        if finding.fatal:
            found.setdefault(finding.key, []).append(with_hint(finding.message, finding.hint))
    return found


def problems_in(error: ValidationError) -> Problems:
    """Return the type errors of a declared object, by field."""
    found: Problems = {}
    for item in error.errors(include_url=False, include_input=False):
        text = problem_of(item)
        name = str(item["loc"][0]) if item["loc"] else ""
        found.setdefault(name, []).append(f"{text[:1].upper()}{text[1:]}.")
    return found
