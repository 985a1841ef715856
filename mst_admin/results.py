"""Results of commands: objects of the tenant as lines, findings as warnings and errors."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, TypeAlias, TypeVar

from pydantic import PlainSerializer, WithJsonSchema

from mst_admin.change import Change, Wire
from mst_admin.kinds.groups import with_group_names
from mstunnel_setup.answers.document import Document, KeyProblem
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.errors import UsageError, ValuesError
from mstunnel_setup.base.problem import Problem
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.text import Line, Text, Verbatim, padded, plain, text, width

AnyReport = TypeVar("AnyReport", bound=Report)
NOTHING = text("Nothing to change.")
Time: TypeAlias = Annotated[
    datetime,
    PlainSerializer(lambda time: time.isoformat(timespec="seconds")),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A time; in JSON in ISO 8601 with seconds and UTC offset."""


def change_lines(changes: Sequence[Change], groups: Mapping[str, str]) -> list[str]:
    """Return the lines that describe changes, with the names of groups, given by id, before their ids."""
    shown = (
        replace(
            change,
            before=with_group_names(change.before, groups),
            after=with_group_names(change.after, groups),
        )
        for change in changes
    )
    return [line for change in shown for line in change.lines()]


def changed(
    report: AnyReport,
    changes: Sequence[Change],
    warnings: tuple[Problem, ...] = (),
    groups: Mapping[str, str] | None = None,
) -> Result[AnyReport]:
    """Return the result of a command that made these changes; `groups` has names of groups by id."""
    lines = change_lines(changes, groups or {})
    return Result("changed" if changes else "unchanged", report, warnings, text=lines or [NOTHING])


def table(rows: Sequence[Sequence[str]], head: Sequence[str], nothing: str) -> list[str]:
    """Return rows in columns below a header; control characters are removed from remote text."""
    if not rows:
        return [nothing]
    cells = [list(head), *([plain(cell, 60) for cell in row] for row in rows)]
    widths = [max(width(row[column]) for row in cells) for column in range(len(head))]
    return [Line("  ".join(map(padded, row, widths)).rstrip(), *row) for row in cells]


def details(document: Wire) -> list[str]:
    """Return one line for every property that has a value."""
    longest = max(map(len, document), default=0)
    return [
        Line(f"{name:<{longest}}  {line}", name, Verbatim(line))
        for name, value in document.items()
        if (line := _words(value))
    ]


def _words(value: object) -> str:
    if isinstance(value, Mapping):
        items = ((name, _words(item)) for name, item in value.items() if item is not None)
        return ", ".join(text("{name}: {item}", name=name, item=item) for name, item in items)
    if isinstance(value, list | tuple):
        return ", ".join(_words(item) for item in value)
    return "" if value is None else plain(value)


def judged(findings: Iterable[Finding], names: Mapping[str, str] | None = None) -> tuple[Problem, ...]:
    """Return the warnings. Raises ValuesError with all errors; `names` has the options by key."""
    known = names or {}
    found = [
        replace(item, message=in_options(item.message, known), hint=in_options(item.hint, known))
        for item in findings
    ]
    fatal = [UsageError(item.code, item.message, item.hint) for item in found if item.fatal]
    if fatal:
        raise ValuesError(fatal)
    return tuple(found)


def in_options(text: str, names: Mapping[str, str]) -> str:
    """Replace keys in a text by options; a key that is a plain word only at the start or in backticks."""
    if isinstance(text, Text):
        # These parameters of texts hold declaration keys.
        values = text.values and {
            name: in_options(str(value), names) if name in {"key", "problems"} else value
            for name, value in text.values.items()
        }
        return Text(in_options(str(text.template), names), values)
    for key in sorted(names, key=len, reverse=True):
        end = r"\b" if key[-1].isalnum() else ""
        begin = r"(?<![\w.-])" if "_" in key else r"(^|(?<=`))"
        text = re.sub(begin + re.escape(key) + end, names[key], text)
    return text


@dataclass(frozen=True)
class ObjectPlace:
    """The file and position of a declared object."""

    document: Document = field(repr=False)
    path: tuple[str, ...] = ()

    def line(self, key: str, message: str) -> str:
        """Prefix the message with the position of the object's key, or of the object."""
        at = self.document.position(KeyProblem((*self.path, key), ""))
        return text(
            "{name}:{line}:{column}: {message}",
            name=self.document.name,
            line=at.line,
            column=at.column,
            message=message,
        )

    def placed(self, findings: Iterable[Finding]) -> list[Finding]:
        """Return the findings, each message prefixed with the position of its key."""
        return [replace(item, message=self.line(item.key, item.message)) for item in findings]
