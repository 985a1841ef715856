"""Declarations from files: read, judged, and kept with the place of every object."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from mst_admin.kinds import KINDS
from mst_admin.kinds.kind import Kind
from mst_admin.kinds.tenant import Declarations
from mst_admin.objects.configuration import judge_networks
from mst_admin.objects.site import Resolve
from mstunnel_setup.answers.document import Document, DocumentError, KeyProblem, parse_as, read
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.errors import CertificateError, UsageError
from mstunnel_setup.base.text import text

_SECTIONS: Final = frozenset((name,) for name in Declarations.model_fields if name != "version")


class DeclarationError(UsageError):
    """Declarations that cannot be used. The message has one line `file:line:column: …` for each problem."""

    def __init__(self, lines: Sequence[str]) -> None:
        made = UsageError(
            "declarations-invalid",
            "{problems}",
            hint="Correct the files; `mst-admin schema` prints a JSON Schema that editors check them with.",
            problems="\n".join(lines),
        )
        super().__init__(made.code, made.message, made.hint)


@dataclass(frozen=True)
class ObjectPlace:
    """Where a declared object stands."""

    document: Document = field(repr=False)
    path: tuple[str, ...]

    def line(self, key: str, message: str) -> str:
        """The message with the place of the object's key (or else of the object) in front."""
        at = self.document.position(KeyProblem((*self.path, key), ""))
        return text(
            "{name}:{line}:{column}: {message}",
            name=self.document.name,
            line=at.line,
            column=at.column,
            message=message,
        )


@dataclass(frozen=True)
class DeclarationSet:
    """All objects of all files, the places of the objects by section, and the warnings there are.

    The fields that are set of `objects` are the keys that the files have, even if empty.
    """

    objects: Declarations
    places: dict[str, list[ObjectPlace]]
    warnings: tuple[Finding, ...] = ()

    def of(self, kind: Kind[Any, Any]) -> Iterator[tuple[Any, ObjectPlace]]:
        """The objects of a kind, each with its place."""
        return zip(getattr(self.objects, kind.section), self.places[kind.section], strict=True)


def load_declarations(path: Path, resolve: Resolve | None = None) -> DeclarationSet:
    """Read the YAML file at `path`, or those directly in the directory, in the order of their names.

    Raises DeclarationError with every problem of every file at once, UsageError `declarations-missing`.
    """
    try:
        files = [path] if path.is_file() else sorted(path.iterdir())
    except OSError as error:
        raise _missing(path, error.strerror or "it does not exist") from error
    if not path.is_file():
        files = [item for item in files if item.suffix in {".yaml", ".yml"} and item.is_file()]
    if not files:
        raise _missing(path, "there is no .yaml file in it")
    contents = []
    for file in files:
        try:
            contents.append((str(file), read(file)))
        except (OSError, DocumentError) as error:
            raise _missing(path, getattr(error, "strerror", None) or str(error)) from error
    return parse_declarations(contents, resolve)


def _missing(path: Path, reason: str) -> UsageError:
    return UsageError(
        "declarations-missing",
        "declarations cannot be read from {path}: {reason}",
        hint="Use a directory with YAML files; `mst-admin export DIR` writes one from a tenant.",
        path=path,
        reason=reason,
    )


def parse_declarations(
    contents: Sequence[tuple[str, bytes]], resolve: Resolve | None = None
) -> DeclarationSet:
    """Judge the files given as names and contents, together. Raises DeclarationError."""
    lines: list[str] = []
    parsed: list[tuple[Document, Declarations]] = []
    for name, content in contents:
        try:
            parsed.append(parse_as(Declarations, content, name, "declarations", _SECTIONS))
        except DocumentError as error:
            lines += error.problems
    networks = [network for _, file in parsed for network in file.corporate_networks]
    # Networks that cannot be used are reported by themselves; those of a file with problems are not known.
    usable = [] if lines or any(judge_networks(networks)) else networks
    found = _joined(parsed, usable)
    judged = [
        (ObjectPlace(document, ()).line(finding.key, finding.message), finding)
        for document, file in parsed
        for finding in judge_networks(file.corporate_networks)
    ]
    judged += [
        (place.line(finding.key, finding.message), finding)
        for kind in KINDS
        for value, place in found.of(kind)
        for finding in kind.judge(value, found.objects, resolve)
    ]
    lines += [line for line, finding in judged if finding.fatal]
    lines += [line for kind in KINDS for line in _duplicates(kind, found)]
    if lines:
        raise DeclarationError(lines)
    warnings = tuple(replace(item, message=line) for line, item in judged)
    return replace(found, objects=_with_certificates(found), warnings=warnings)


def _joined(parsed: Sequence[tuple[Document, Declarations]], networks: Sequence[str]) -> DeclarationSet:
    """The objects of all files together."""
    values: dict[str, tuple[Any, ...]] = {}
    places: dict[str, list[ObjectPlace]] = {}
    for name in (kind.section for kind in KINDS):
        values[name] = tuple(item for _, file in parsed for item in getattr(file, name))
        places[name] = [
            ObjectPlace(document, (name, str(number)))
            for document, file in parsed
            for number in range(len(getattr(file, name)))
        ]
    given = {name for _, file in parsed for name in file.model_fields_set}
    joined = Declarations.model_construct(
        _fields_set=given, version=1, corporate_networks=tuple(networks), **values
    )
    return DeclarationSet(joined, places)


def _with_certificates(found: DeclarationSet) -> Declarations:
    """The objects, certificates in place of paths. Raises DeclarationError with all that are unusable."""
    lines: list[str] = []
    completed: dict[str, tuple[Any, ...]] = {}
    for kind in KINDS:
        for value, place in found.of(kind):
            try:
                completed[kind.section] = (*completed.get(kind.section, ()), kind.completed(value))
            except CertificateError as error:
                lines.append(place.line(kind.certificate_key, error.message))
    if lines:
        raise DeclarationError(lines)
    return found.objects.model_copy(update=completed)


def _duplicates(kind: Kind[Any, Any], found: DeclarationSet) -> Iterator[str]:
    """Objects declared twice: names are compared as Graph does, without regard to case."""
    first: dict[str, ObjectPlace] = {}
    for value, place in found.of(kind):
        name = str(getattr(value, kind.key))
        earlier = first.setdefault(name.casefold(), place)
        if earlier is not place:
            at = earlier.line(kind.key, "").removesuffix(": ")
            message = text("`{name}` is already declared at {place}: remove one of them", name=name, place=at)
            yield place.line(kind.key, message)
