"""Forms of the admin center: fields as data, what was typed as text, problems beside their fields."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError
from starlette.datastructures import FormData

from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.lab.web import render

Values = Mapping[str, str]
Problems = dict[str, list[str]]


@dataclass(frozen=True)
class Field:
    """One field. `kind`: text, number, time, lines (one value each), check, or select (see `choices`)."""

    name: str
    label: str
    kind: str = "text"
    hint: str = ""
    required: bool = False
    choices: tuple[tuple[str, str], ...] = ()
    suggestions: str = ""


@dataclass(frozen=True)
class Group:
    """Fields under one heading."""

    title: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Form:
    """A form as it is shown."""

    groups: tuple[Group, ...]
    values: Values
    problems: Problems = field(default_factory=dict)

    @property
    def listed(self) -> list[tuple[Field, str]]:
        """All problems with their fields, in the order of the form, for the summary on top."""
        fields = [item for group in self.groups for item in group.fields]
        return [(item, text) for item in fields for text in self.problems.get(item.name, ())]

    @property
    def general(self) -> list[str]:
        """Problems that belong to no field."""
        names = {item.name for group in self.groups for item in group.fields}
        return [text for name, texts in self.problems.items() if name not in names for text in texts]


def read(form: FormData, groups: Sequence[Group]) -> Values:
    """Return what was typed; a box that is not ticked is ""."""
    names = [item.name for group in groups for item in group.fields]
    return {name: render.field(form, name).replace("\r\n", "\n").strip() for name in names}


def lines(text: str) -> tuple[str, ...]:
    """Return the values of a field that has one per line."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def number(text: str, default: int | None = None) -> int | str | None:
    """Return a whole number, `default` for nothing, and the text itself for anything else."""
    if not text:
        return default
    return int(text) if text.isascii() and text.isdecimal() else text


def problems_of(findings: Iterable[Finding]) -> Problems:
    """Return what is fatal among findings, by field."""
    found: Problems = {}
    for finding in findings:
        if finding.fatal:
            found.setdefault(finding.key, []).append(f"{finding.message}. {finding.hint}".strip())
    return found


def problems_in(error: ValidationError) -> Problems:
    """Return what a declared object says about the types of its values, by field."""
    found: Problems = {}
    for item in error.errors(include_url=False, include_input=False):
        text = item["msg"].removeprefix("Value error, ")
        name = str(item["loc"][0]) if item["loc"] else ""
        found.setdefault(name, []).append(f"{text[:1].upper()}{text[1:]}.")
    return found
