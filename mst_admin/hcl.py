"""Text in the language of Terraform: blocks, objects, and strings without interpolation.

Source: the specification of HCL native syntax (hashicorp/hcl), section Template Expressions.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

# JSON's escapes are those of HCL, except for these two.
_UNKNOWN_ESCAPES: Final = {"\\b": "\\u0008", "\\f": "\\u000c"}
_ESCAPES: Final = re.compile(r"\\.")
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Expression:
    """What stands in the text as it is: a reference to another object."""

    text: str


def string(value: str) -> str:
    """`value` in quotes; `${` and `%{` in it begin nothing."""
    text = json.dumps(value, ensure_ascii=False)
    escaped = _ESCAPES.sub(lambda found: _UNKNOWN_ESCAPES.get(found[0], found[0]), text)
    return escaped.replace("${", "$${").replace("%{", "%%{")


def block(head: str, attributes: Mapping[str, object]) -> Iterator[str]:
    """The lines of a block, such as `resource "TYPE" "NAME"`."""
    yield f"{head} {{"
    for name, value in attributes.items():
        yield from _assigned(name, value, "  ")
    yield "}"


def _assigned(name: str, value: object, indent: str) -> Iterator[str]:
    key = name if _WORD.fullmatch(name) else string(name)
    first, *others = _lines(value, indent)
    yield f"{indent}{key} = {first}"
    yield from others


def _lines(value: object, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        yield "{"
        for name, item in value.items():
            yield from _assigned(str(name), item, f"{indent}  ")
        yield f"{indent}}}"
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        yield "["
        for item in value:
            *lines, last = _lines(item, f"{indent}  ")
            lead = f"{indent}  "
            yield from (
                f"{lead}{line}" if number == 0 else line for number, line in enumerate([*lines, f"{last},"])
            )
        yield f"{indent}]"
    else:
        yield _scalar(value)


def _scalar(value: object) -> str:
    if isinstance(value, Expression):
        return value.text
    if isinstance(value, str):
        return string(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_scalar, value))}]"
    return json.dumps(value)
