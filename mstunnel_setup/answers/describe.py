"""Describe answers: a commented file to fill in, the JSON Schema, and the merged values."""

from collections.abc import Iterator, Mapping

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import WithDefaultSchema

from mstunnel_setup.answers.merge import Answers, OriginKind
from mstunnel_setup.answers.model import VERSION, AnswerFile
from mstunnel_setup.answers.settings import flat
from mstunnel_setup.base.result import Report
from mstunnel_setup.base.values import JsonObject

SCHEMA_FILE = "answers.schema.json"
"""Path at which an editor finds the schema, beside the answer file."""
_DRAFT = "https://json-schema.org/draft/2020-12/schema"


class SchemaReport(Report):
    """The JSON Schema of files that people write."""

    model_config = ConfigDict(extra="allow")

    draft: str = Field(alias="$schema")


class MergedAnswer(Report):
    """The value of a setting, and its source."""

    value: JsonValue = Field(description="A secret is shown as its place, never as its value.")
    origin: OriginKind
    source: str = Field(description="Option, variable, or FILE:LINE:COLUMN.")


class MergedAnswers(Report):
    """Each setting that has a value, by its place in the answer file."""

    model_config = ConfigDict(extra="allow")

    # pydantic documents this declaration for typed extra fields.
    __pydantic_extra__: dict[str, MergedAnswer]  # pyright: ignore[reportIncompatibleVariableOverride]


class _Schema(GenerateJsonSchema):
    """A schema generator that omits defaults of null."""

    def default_schema(self, schema: WithDefaultSchema) -> JsonSchemaValue:
        found = super().default_schema(schema)
        return {key: value for key, value in found.items() if key != "default" or value is not None}


def new_file(answers: Answers | None = None) -> str:
    """Return a commented answer file, filled in with those values of `answers` that are not defaults."""
    values: JsonObject = answers.record() if answers else {}
    lines = [
        f"# yaml-language-server: $schema={SCHEMA_FILE}",
        f"# For help in an editor: mstunnel-setup answers schema > {SCHEMA_FILE}",
        "# Answers for mstunnel-setup. Uncomment what you need.",
        "",
    ]
    for name, info in AnswerFile.model_fields.items():
        lines.append(f"# {info.description}")
        section = info.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            members = {key: values.get(f"{name}.{key}") for key in section.model_fields}
            used = any(value is not None for value in members.values())
            mark = "" if used else "# "
            lines.append(f"{mark}{name}:")
            for key, member in section.model_fields.items():
                lines.append(f"{mark}    # {member.description}")
                lines += _entry(key, member, members[key], "    ", commented=not used)
        else:
            lines += _entry(name, info, VERSION if name == "version" else values.get(name))
        lines.append("")
    return "\n".join(lines)


def _entry(
    name: str, info: FieldInfo, value: object, indent: str = "", *, commented: bool = False
) -> Iterator[str]:
    example = info.examples[0] if info.examples else info.default
    shown = example if value is None else value
    mark = "" if value is not None else "# "
    front = f"# {indent}" if commented else f"{indent}{mark}"
    if isinstance(shown, dict):
        yield f"{front}{name}:"
        yield from (f"{front}    {key}: {_scalar(item)}" for key, item in shown.items())
    elif isinstance(shown, str) and "\n" in shown:
        yield f"{front}{name}: |"
        yield from (f"{front}    {line}" for line in shown.splitlines())
    elif isinstance(shown, list | tuple):
        yield f"{front}{name}: [{', '.join(map(_scalar, shown))}]"
    else:
        yield f"{front}{name}: {_scalar(shown)}"


def _scalar(value: object) -> str:
    """Return a YAML scalar: plain where that is safe, else double-quoted."""
    text = _words(value)
    plain = isinstance(value, int) or (text.replace("-", "").isalpha() and text.lower() not in _SPECIAL)
    if plain or (text.startswith("/") and " " not in text and "#" not in text and ":" not in text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


_SPECIAL = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def schema(model: type[BaseModel] = AnswerFile) -> SchemaReport:
    """Return the JSON Schema (draft 2020-12) of the answer file, or of another file that people write."""
    made = model.model_json_schema(schema_generator=_Schema)
    return SchemaReport.model_validate({"$schema": _DRAFT, **made})


def lines(merged: Mapping[str, MergedAnswer]) -> list[str]:
    """Return the result of `show` for people: one line for each setting."""
    width = max(map(len, merged), default=0)
    rows = []
    for path, answer in merged.items():
        origin = f"{answer.origin} {answer.source}".strip()
        rows.append(f"{path:<{width}}  {_words(answer.value)}  ({origin})")
    return rows


def _words(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}={item}" for name, item in value.items())
    if isinstance(value, bool):
        return str(value).lower()
    return " ".join(map(str, value)) if isinstance(value, list) else str(value).replace("\n", " ").rstrip()


def show(answers: Answers) -> dict[str, MergedAnswer]:
    """Return every setting that has a value, by path."""
    values = flat(answers.model_dump(mode="json"))
    return {
        path: MergedAnswer(value=values[path], origin=origin.kind, source=origin.name)
        for path, origin in answers.origins.items()
        if values[path] not in (None, [], {})
    }
