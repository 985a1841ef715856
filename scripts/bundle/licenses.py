"""The licences of everything that is bundled, as one text."""

from collections.abc import Iterator, Mapping
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from scripts.bundle import sbom


def collected(files: Path, library: Path) -> str:
    """The texts of Debian's packages below `files` and of the wheels below `library`, under their names.

    Last come those that Debian's packages refer to.
    """
    parts = [*_debian(files), *map(_wheel, sorted(library.glob("*.dist-info/METADATA"))), *_copied(library)]
    for name in sorted(set(sbom.COMMON_LICENCE.findall("".join(parts)))):
        text = (files / "usr/share/common-licenses" / name).read_text()
        parts.append(_section(name, "common licence", text))
    return "\n".join(parts)


def _debian(files: Path) -> Iterator[str]:
    """Several packages of one source have the same text."""
    names: dict[str, list[str]] = {}
    for path in sorted((files / "usr/share/doc").glob("*/copyright")):
        names.setdefault(path.read_text(), []).append(path.parent.name)
    for text, found in names.items():
        yield _section(", ".join(found), "Debian", text)


def _wheel(metadata: Path) -> str:
    """The licence that its metadata names, then every text that comes with it."""
    headers = HeaderParser().parsestr(metadata.read_text())
    stated = headers["License-Expression"] or ", ".join(sbom.licences_of(headers))
    sboms = (path.read_text() for path in sorted(metadata.parent.glob("sboms/*.json")))
    parts = [_described(part) for part in sbom.compiled_in(sboms)]
    inside = [f"Compiled in:\n{chr(10).join(parts)}"] if parts else []
    texts = [f"License: {stated}", *inside, *(path.read_text() for path in _texts(metadata.parent))]
    return _section(f"{headers['Name']} {headers['Version']}", "Python", "\n\n".join(texts))


def _described(part: Mapping[str, Any]) -> str:
    licences = [each.get("expression") or each["license"].get("id", "") for each in part.get("licenses", [])]
    return f"  {part['name']} {part.get('version', '')}: {', '.join(licences) or 'see its project'}"


def _copied(library: Path) -> Iterator[str]:
    """What wheels contain of others."""
    for path in _texts(library):
        place = path.relative_to(library).parent
        if place.parts and not place.parts[0].endswith(".dist-info"):
            yield _section(str(place), "copied into a Python package", path.read_text())


def _texts(directory: Path) -> list[Path]:
    patterns = ("LICEN[CS]E*", "COPYING*", "NOTICE*", "AUTHORS*")
    found = {path for pattern in patterns for path in directory.rglob(pattern)}
    return sorted(path for path in found if path.is_file() and path.suffix not in {".py", ".pyc"})


def _section(name: str, kind: str, text: str) -> str:
    line = "=" * 78
    return f"{line}\n{name} ({kind})\n{line}\n\n{text.strip()}\n"
