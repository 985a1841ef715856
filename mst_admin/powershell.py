"""Text in the language of PowerShell: values, and the blocks of a configuration."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

# PowerShell reads typographic quotes as the plain one.
_QUOTES: Final = re.compile("['\u2018\u2019\u201a\u201b]")


@dataclass(frozen=True)
class Instance:
    """A nested value: an instance of a class of the resource's schema."""

    kind: str
    properties: Mapping[str, object]


@dataclass(frozen=True)
class Variable:
    """A variable, by its name."""

    name: str


def string(value: str) -> str:
    """`value` in single quotes, in which nothing is replaced."""
    return f"'{_QUOTES.sub(lambda found: found[0] * 2, value)}'"


def block(head: str, properties: Mapping[str, object], indent: str) -> Iterator[str]:
    """The lines of a resource with its properties."""
    yield f"{indent}{head}"
    yield f"{indent}{{"
    for name, value in properties.items():
        first, *others = _lines(value, f"{indent}    ")
        *between, last = [f"{indent}    {name} = {first}", *others]
        yield from (*between, f"{last};")
    yield f"{indent}}}"


def _lines(value: object, indent: str) -> Iterator[str]:
    if isinstance(value, Instance):
        yield f"{value.kind}{{"
        for name, item in value.properties.items():
            yield f"{indent}    {name} = {_scalar(item)}"
        yield f"{indent}}}"
    elif isinstance(value, list) and any(isinstance(item, Instance) for item in value):
        yield "@("
        for item in value:
            first, *others = _lines(item, f"{indent}    ")
            yield from (f"{indent}    {first}", *others)
        yield f"{indent})"
    else:
        yield _scalar(value)


def _scalar(value: object) -> str:
    if isinstance(value, Variable):
        return f"${value.name}"
    if isinstance(value, bool):
        return f"${value}"
    if isinstance(value, str):
        return string(value)
    if isinstance(value, list):
        return f"@({', '.join(map(_scalar, value))})"
    return json.dumps(value)
