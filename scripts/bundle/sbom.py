"""What a program or an image consists of, as a CycloneDX document (specification 1.6).

An image is described by its own file system: Debian's packages by /var/lib/dpkg/status.d, where scanners
look too, wheels by their metadata, and every file by its SHA-256 sum.
"""

import csv
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from mstunnel_setup import __version__
from scripts.bundle import debian

SOURCE = "debian:source"
"""Property of a package: name and version of a source package that it was built from."""
_STATUS = "var/lib/dpkg/status.d/"
_DEPENDENCY = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9+._-]*)")
COMMON_LICENCE = re.compile(r"/usr/share/common-licenses/([A-Z][\w.-]*\w)")
"""What Debian's packages say instead of the text of a common licence."""
_GNU = re.compile(r"(AGPL|GPL|LGPL|GFDL)-(\d)(\.\d)?(\+)?")
_KNOWN = ("0BSD", "Apache-2.0", "ISC", "MIT", "MPL-1.1", "MPL-2.0", "PSF-2.0", "Zlib")
_SPDX = {name: name for name in _KNOWN} | {
    "BSD-2-clause": "BSD-2-Clause",
    "BSD-3-clause": "BSD-3-Clause",
    "Expat": "MIT",
    "zlib": "Zlib",
}
"""Debian's short names of licences that SPDX knows, by another name or the same."""


@dataclass(frozen=True)
class Part:
    """A package: `needs` by name, licences as SPDX identifiers or in the words of the package.

    `compiled_in` has components of the SBOMs that a wheel brings (compiled_in()).
    `expression` is used instead of licences where it is known: an SPDX expression. `digest` is the SHA-256
    sum of the archive that it came in, if that is known; `files` are those in the image, by path.
    """

    name: str
    version: str
    identifier: str
    licences: Sequence[str]
    needs: frozenset[str]
    expression: str = ""
    sources: Sequence[str] = ()
    compiled_in: Sequence[Mapping[str, Any]] = ()
    digest: str = ""
    files: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def of_package(control: str, copyright_text: str, files: Mapping[str, str], digest: str = "") -> Part:
    """A package of Debian, from its control file or its status."""
    name, version, architecture = (
        debian.field(control, each) for each in ("Package", "Version", "Architecture")
    )
    needs = ", ".join(debian.field(control, each) for each in ("Pre-Depends", "Depends"))
    return Part(
        name,
        version,
        f"pkg:deb/debian/{quote(name, safe='')}@{_escaped(version)}?arch={architecture}",
        _debian_licences(copyright_text) or [f"see /usr/share/doc/{name}/copyright"],
        frozenset(_names(re.split(r"[,|]", needs))),
        sources=list(_sources(control)),
        digest=digest,
        files=files,
    )


def of_wheel(metadata: str, files: Mapping[str, str], digest: str = "", sboms: Iterable[str] = ()) -> Part:
    """A Python package, from its METADATA and its own SBOMs; what it needs for its extras is left out."""
    headers = HeaderParser().parsestr(metadata)
    name = normalized(headers["Name"])
    needs = (each for each in headers.get_all("Requires-Dist", ()) if "extra ==" not in each)
    return Part(
        name,
        headers["Version"],
        f"pkg:pypi/{name}@{_escaped(headers['Version'])}",
        licences_of(headers),
        frozenset(map(normalized, _names(needs))),
        expression=headers["License-Expression"] or "",
        compiled_in=compiled_in(sboms),
        digest=digest,
        files=files,
    )


def licences_of(headers: Message) -> list[str]:
    """The licences of a wheel as its METADATA states them, where it has no expression."""
    classes = [
        each.rpartition(" :: ")[2] for each in headers.get_all("Classifier", ()) if "License ::" in each
    ]
    return [each for each in (classes or [headers["License"]]) if each]


def compiled_in(documents: Iterable[str]) -> list[dict[str, Any]]:
    """What the SBOMs in a wheel (PyPA, dist-info/sboms) list as part of its libraries."""
    components = [each for text in documents for each in json.loads(text).get("components", [])]
    kept = ("type", "name", "version", "purl", "licenses")
    return [
        {key: each[key] for key in kept if key in each}
        for each in components
        if each.get("scope") != "excluded"
    ]


def of_image(exported: Path) -> tuple[list[Part], dict[str, str]]:
    """The packages in the file system of an image (a tar archive), and the sums of all files by path."""
    files, texts = _file_system(exported)
    return [*_packages(files, texts), *_wheels(files, texts)], files


def document(
    name: str, kind: str, parts: Iterable[Part], files: Mapping[str, str] = MappingProxyType({})
) -> str:
    """The SBOM of the `kind` (application, container) called `name`; `files` that no part has come last."""
    parts = sorted(parts, key=lambda part: part.identifier)
    owned = {path for part in parts for path in part.files}
    others = [_file(path, digest) for path, digest in sorted(files.items()) if path not in owned]
    by_name = {part.name: part.identifier for part in parts}
    described = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": kind, "bom-ref": name, "name": name, "version": __version__}},
        "components": [*map(_component, parts), *others],
        "dependencies": [
            {"ref": name, "dependsOn": [part.identifier for part in parts]},
            *(
                {
                    "ref": part.identifier,
                    "dependsOn": sorted(by_name[each] for each in part.needs if each in by_name),
                }
                for part in parts
            ),
        ],
    }
    return json.dumps(described, indent=1) + "\n"


def normalized(name: str) -> str:
    """The name of a Python package in its normal form (PyPA)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _names(relations: Iterable[str]) -> Iterator[str]:
    """The names at the beginning of relations such as `libc6 (>= 2.34)`."""
    return (found[1] for found in map(_DEPENDENCY.match, relations) if found)


def _sources(control: str) -> Iterator[str]:
    """Name and version of the source package, and of those that were built into it statically."""
    name, version = (debian.field(control, each) for each in ("Package", "Version"))
    stated, _space, other = debian.field(control, "Source").partition(" ")
    yield f"{stated or name} {other.strip('()') or version}"
    for each in ("Built-Using", "Static-Built-Using"):
        for found in re.finditer(r"(\S+) \(= ([^)]+)\)", debian.field(control, each)):
            yield f"{found[1]} {found[2]}"


def _escaped(version: str) -> str:
    return quote(version, safe="+~")


def _debian_licences(text: str) -> list[str]:
    """The short names in a machine-readable copyright file; of others the common licences that they name."""
    stated = (
        re.findall(r"^License:[ \t]*(\S.*)$", text, re.MULTILINE) if "\nLicense: " in text[:20_000] else []
    )
    names = {each.strip().rstrip(",.") for line in stated for each in re.split(r"\s+(?:and|or)\s+|,\s", line)}
    known = {_spdx(name) for name in names if len(name.split()) == 1}
    return sorted(known or {f"as in {name}" for name in COMMON_LICENCE.findall(text)})


def _spdx(name: str) -> str:
    if found := _GNU.fullmatch(name):
        kind, major, minor, later = found.groups()
        return f"{kind}-{major}{minor or '.0'}-{'or-later' if later else 'only'}"
    return _SPDX.get(name, name)


def _component(part: Part) -> dict[str, object]:
    described: dict[str, object] = {
        "type": "library",
        "bom-ref": part.identifier,
        "name": part.name,
        "version": part.version,
        "purl": part.identifier,
        "licenses": _licences(part),
    }
    if part.sources:
        described["properties"] = [{"name": SOURCE, "value": each} for each in part.sources]
    if part.digest:
        described["hashes"] = [{"alg": "SHA-256", "content": part.digest}]
    nested = [
        *({**each, "bom-ref": f"{part.identifier}#{each['purl']}"} for each in part.compiled_in),
        *(_file(path, digest) for path, digest in sorted(part.files.items())),
    ]
    if nested:
        described["components"] = nested
    return described


def _licences(part: Part) -> list[dict[str, object]]:
    if part.expression:
        return [{"expression": part.expression}]
    known = _SPDX.values()
    return [
        {"license": {"id" if each in known or each.endswith(("-only", "-or-later")) else "name": each}}
        for each in part.licences
    ]


def _file(path: str, digest: str) -> dict[str, object]:
    return {
        "type": "file",
        "bom-ref": f"file:/{path}",
        "name": f"/{path}",
        "hashes": [{"alg": "SHA-256", "content": digest}],
    }


def _file_system(exported: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The sums of all files by path, and the texts of those that describe packages."""
    files: dict[str, str] = {}
    texts: dict[str, str] = {}
    links: dict[str, str] = {}
    with tarfile.open(exported) as archive:
        for member in archive:
            if member.issym():
                links[member.name] = member.linkname
            elif (opened := archive.extractfile(member)) is not None:
                content = opened.read()
                files[member.name] = hashlib.sha256(content).hexdigest()
                if member.name.startswith((_STATUS, "usr/share/doc/")) or ".dist-info/" in member.name:
                    texts[member.name] = content.decode(errors="replace")
    for place, target in links.items():
        if place.startswith("usr/share/doc/") and f"usr/share/doc/{target}/copyright" in texts:
            texts[f"{place}/copyright"] = texts[f"usr/share/doc/{target}/copyright"]
    return files, texts


def _packages(files: Mapping[str, str], texts: Mapping[str, str]) -> Iterator[Part]:
    for path, control in texts.items():
        if path.startswith(_STATUS) and not path.endswith(".md5sums"):
            name = debian.field(control, "Package")
            listed = texts[f"{path}.md5sums"].splitlines()
            own = {line.partition("  ")[2] for line in listed}
            yield of_package(
                control,
                texts.get(f"usr/share/doc/{name}/copyright", ""),
                {each: files[each] for each in sorted(own)},
            )


def _wheels(files: Mapping[str, str], texts: Mapping[str, str]) -> Iterator[Part]:
    for path, metadata in texts.items():
        if path.endswith(".dist-info/METADATA"):
            directory = PurePosixPath(path).parent
            library = directory.parent
            rows = csv.reader(io.StringIO(texts[f"{directory}/RECORD"]))
            own = [str(library / row[0]) for row in rows]
            sboms = [text for each, text in texts.items() if each.startswith(f"{directory}/sboms/")]
            yield of_wheel(metadata, {each: files[each] for each in own}, sboms=sboms)
