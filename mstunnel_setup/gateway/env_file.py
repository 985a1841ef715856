"""The format of `env.sh`: a strict subset of shell assignments, parsed and never executed.

A line is blank, a comment, or `NAME=value` (optionally after `export `). A value is a bare word,
single-quoted, or double-quoted without expansions. Anything else is an error, so that a shell reads the
file in the same way.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mstunnel_setup.base import rendering
from mstunnel_setup.base.errors import StepError, declare
from mstunnel_setup.base.parsing import is_text
from mstunnel_setup.base.text import text


class EnvironmentFileError(StepError):
    """An error about a line of `env.sh` that is not an assignment, or a value that cannot be written."""


ENVIRONMENT_VALUE_INVALID = declare(
    EnvironmentFileError,
    "environment-value-invalid",
    "the value of {name} contains {problem}",
    "Use one line of UTF-8 text without control characters, and at most one of the characters ' and !.",
)

# The definitions of blanks, line ends and control characters are those of a shell; Python's are wider.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ASSIGNMENT = re.compile(r"[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)=(?P<value>.*?)[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_@%+=:,./-]*")
_SINGLE = re.compile(r"'(?P<text>[^'\x00-\x08\x0a-\x1f\x7f]*)'")
_DOUBLE = re.compile(r'"(?P<text>(?:[^"\\$`!\x00-\x08\x0a-\x1f\x7f]|\\["\\$`])*)"')


@dataclass(frozen=True)
class _EnvLine:
    text: str
    name: str = ""
    value: str = ""


def decode(content: bytes, path: str) -> str:
    """Decode the file as UTF-8, as other bytes could not be written back unchanged.

    Raises EnvironmentFileError `environment-not-utf8`.
    """
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise EnvironmentFileError(
            "environment-not-utf8",
            "{path}, line {line} is not UTF-8 text",
            hint="Save the file as UTF-8.",
            path=path,
            line=line,
        ) from error


def parse(text: str, path: str) -> dict[str, str]:
    """Return the settings in `text`; the last assignment of a name is used. `path` is for error messages."""
    return {line.name: line.value for line in _lines(text, path) if line.name}


def render(name: str, value: str) -> str:
    """Return an assignment line that a shell and `parse` read in the same way.

    Raises EnvironmentFileError `environment-value-invalid`.
    """
    checked({name: value})
    return f"{name}={rendering.shell(value) if value else ''}"


def checked(settings: Mapping[str, str]) -> Mapping[str, str]:
    """Return `settings` unchanged; raise EnvironmentFileError if one cannot be rendered."""
    for name, value in settings.items():
        if not is_text(value):
            raise ENVIRONMENT_VALUE_INVALID(name=name, problem=text("bytes that are not UTF-8"))
        if any(character < " " or character == "\x7f" for character in value):
            raise ENVIRONMENT_VALUE_INVALID(name=name, problem=text("control characters"))
        if "'" in value and "!" in value:
            raise ENVIRONMENT_VALUE_INVALID(
                name=name, problem=text("both ' and !, which shells read differently")
            )
    return settings


def is_name(text: str) -> bool:
    """Return whether `text` is a valid name of a setting, for a shell and for `parse`."""
    return _NAME.fullmatch(text) is not None


def assign(text: str, name: str, value: str | None, path: str) -> str:
    """Return `text` with the last assignment of `name` replaced or a new one added; None removes all.

    Other lines are unchanged. Raises EnvironmentFileError for an invalid line or value.
    """
    lines = _lines(text, path)
    places = [number for number, line in enumerate(lines) if line.name == name]
    if value is not None and places and lines[places[-1]].value == value:
        return text
    kept = [line.text for number, line in enumerate(lines) if number not in places]
    if value is not None:
        place = places[-1] - len(places) + 1 if places else len(kept)
        kept.insert(place, render(name, value))
    return "".join(f"{line}\n" for line in kept)


def merge(current: str | None, before: Mapping[str, str], wanted: Mapping[str, str], path: str) -> str:
    """Merge the settings of the answers into the text of `env.sh`.

    `before` has the settings that the last run wrote, `wanted` those from the answers. Edits by an
    administrator are kept: a setting changes to `wanted` only if its line is still the one last written.
    """
    lines = _lines(current or "", path)
    present = {line.name: line.value for line in lines if line.name}
    ours = {name for name, value in present.items() if before.get(name) == value}
    stale = {name for name in ours if wanted.get(name) != present[name]}
    kept = [line.text for line in lines if line.name not in stale]
    deleted = {name for name in before if name not in present}
    added = {
        name: value
        for name, value in wanted.items()
        if name in stale or (name not in present and name not in deleted)
    }
    if current is None:
        return rendering.render("gateway/env.sh", settings=checked(added))
    return "".join(f"{line}\n" for line in [*kept, *(render(name, value) for name, value in added.items())])


def _lines(text: str, path: str) -> list[_EnvLine]:
    found: list[_EnvLine] = []
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else (), 1):
        content = line.strip(" \t")
        if not content or content.startswith("#"):
            found.append(_EnvLine(line))
            continue
        match = _ASSIGNMENT.fullmatch(line)
        value, raw = None, match["value"] if match else "$"
        if _BARE.fullmatch(raw):
            value = raw
        elif single := _SINGLE.fullmatch(raw):
            value = single["text"]
        elif double := _DOUBLE.fullmatch(raw):
            value = re.sub(r'\\(["\\$`])', r"\1", double["text"])
        if match is None or value is None:
            # Only the name is shown: the value may contain the password of a proxy, and messages are logged.
            raise EnvironmentFileError(
                "environment-line-invalid",
                "{path}, line {number} is not a plain NAME=value: {line}",
                hint=(
                    "Write NAME=value, with '…' around values with spaces; commands and $variables are "
                    "not expanded."
                ),
                path=path,
                number=number,
                line=f"{match['name']}=…" if match else "…",
            )
        found.append(_EnvLine(line, match["name"], value))
    return found
