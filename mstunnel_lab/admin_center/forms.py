"""Forms of the admin center: fields as data, what was typed as text, problems beside their fields."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, Final

from pydantic import ValidationError
from starlette.datastructures import FormData

from mstunnel_lab.admin_center import render
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.parsing import problem_of, whole_number

Values = Mapping[str, str]
Problem = tuple[str, ...]
"""What is wrong, in sentences that are translated one by one."""
Problems = dict[str, list[Problem]]


@dataclass(frozen=True)
class Field:
    """One field.

    `kind`: text, number, time, lines (one value each), pairs (name=value on each line), check, file, select
    (of `choices`, which are names), or choice (of `choices`, which are words of ours). In the declared object
    and for the rules it is called `key`, if not by its name; dots lead to keys within.
    """

    name: str
    label: str
    kind: str = "text"
    hint: str = ""
    required: bool = False
    choices: tuple[tuple[str, str], ...] = ()
    suggestions: str = ""
    key: str = ""

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
                found = whole_number(text)
                return (text or None) if found is None else found
            case _:
                return text if text or self.required else None

    def chosen(self, value: str) -> str:
        """The name or word of a choice, "" for none."""
        return dict(self.choices).get(value, "")


@dataclass(frozen=True)
class FieldGroup:
    """Fields under one heading, and buttons (decision and label) that change the form and store nothing."""

    title: str
    fields: tuple[Field, ...]
    actions: tuple[tuple[str, str], ...] = ()


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
        return {item.key or item.name: item.label for item in self.fields}

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


def renamed(item: Field, name: str) -> Field:
    """Return the field under another name; rules speak of it as before."""
    return replace(item, name=name, key=item.key or item.name)


def fields_of(groups: Iterable[FieldGroup]) -> list[Field]:
    """Return the fields of all groups."""
    return [item for group in groups for item in group.fields]


def read(form: FormData, groups: Sequence[FieldGroup]) -> Values:
    """Return what was typed; a box that is not ticked is ""."""
    names = [item.name for item in fields_of(groups)]
    return {name: render.field(form, name).replace("\r\n", "\n").strip() for name in names}


def empty(groups: Iterable[FieldGroup]) -> dict[str, str]:
    """Return the values of a form in which nothing was typed."""
    return dict.fromkeys((item.name for item in fields_of(groups)), "")


def typed(fields: Iterable[Field], values: Values, prefix: str = "") -> dict[str, Any]:
    """Return what was typed as keys and values of a declared object, whose default stands for an empty field.

    `prefix` begins the names of the fields in `values`.
    """
    given: dict[str, Any] = {}
    for item in fields:
        value = item.value(values.get(prefix + item.name, ""))
        if value is not None:
            *outer, last = (item.key or item.name).split(".")
            place = given
            for name in outer:
                place = place.setdefault(name, {})
            place[last] = value
    return given


def shown(fields: Iterable[Field], found: object, prefix: str = "") -> dict[str, str]:
    """Return the values of a declared object as they would be typed."""
    return {
        prefix + item.name: _shown(reduce(_inner, (item.key or item.name).split("."), found))
        for item in fields
    }


def _inner(found: object, name: str) -> object:
    return getattr(found, name, None)


def _shown(value: object) -> str:
    match value:
        case None | False:
            return ""
        case True:
            return "yes"
        case Mapping():
            return "\n".join(f"{name}={item}" for name, item in value.items())
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


ASSIGNMENT_FIELDS: Final = (
    Field("all_users", "All users", "check", hint="All users with a licence."),
    Field("all_devices", "All devices", "check", hint="All enrolled devices."),
    Field("groups", "Included groups", "lines", hint="Ids of groups in Microsoft Entra ID, one per line."),
    Field(
        "excluded_groups", "Excluded groups", "lines", hint="Ids of groups that do not get it, one per line."
    ),
)
"""To whom an object is assigned; all users and all devices as Intune has them."""
