"""Declarations from files: read, judged, and kept with the place of every object."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from mst_admin.apps.app_objects import StoreAppObject
from mst_admin.apps.app_rules import judge_app, judge_per_app
from mst_admin.apps.mam_objects import MamObject
from mst_admin.apps.mam_rules import judge_mam
from mst_admin.apps.objects import AppConfigurationObject
from mst_admin.apps.rules import judge_app_configuration
from mst_admin.objects import ConfigurationObject, Declarations, SiteObject, ThresholdObject
from mst_admin.profiles.objects import ProfileObject, TrustedRootObject
from mst_admin.profiles.root import with_certificate, with_root
from mst_admin.profiles.rules import judge_profile, judge_root
from mst_admin.rules_configuration import judge_configuration, judge_networks
from mst_admin.rules_site import Resolve, judge_site, judge_threshold
from mstunnel_setup.answers.document import Document, DocumentError, KeyProblem, parse_as, read
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.errors import CertificateError, UsageError
from mstunnel_setup.base.text import text

T = TypeVar("T", bound=BaseModel)
T_co = TypeVar("T_co", bound=BaseModel, covariant=True)
_SUFFIXES = frozenset({".yaml", ".yml"})
_SECTIONS = frozenset((name,) for name in Declarations.model_fields if name != "version")


class DeclarationError(UsageError):
    """Declarations that cannot be used. The message has one line `file:line:column: …` for each problem."""

    def __init__(self, lines: Sequence[str]) -> None:
        made = UsageError(
            "declarations-invalid",
            "{problems}",
            hint=("Correct the files; `mst-admin schema` prints a JSON Schema that editors check them with."),
            problems="\n".join(lines),
        )
        super().__init__(made.code, made.message, made.hint)


@dataclass(frozen=True)
class Placed(Generic[T_co]):
    """A declared object and where it stands."""

    value: T_co
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
class Declared:
    """All objects of all files, the keys that the files have, even if empty, and the warnings there are."""

    configurations: tuple[Placed[ConfigurationObject], ...] = ()
    sites: tuple[Placed[SiteObject], ...] = ()
    thresholds: tuple[Placed[ThresholdObject], ...] = ()
    trusted_roots: tuple[Placed[TrustedRootObject], ...] = ()
    profiles: tuple[Placed[ProfileObject], ...] = ()
    apps: tuple[Placed[StoreAppObject], ...] = ()
    app_configurations: tuple[Placed[AppConfigurationObject], ...] = ()
    mam: tuple[Placed[MamObject], ...] = ()
    sections: frozenset[str] = frozenset()
    warnings: tuple[Finding, ...] = ()


def load_declarations(path: Path, resolve: Resolve | None = None) -> Declared:
    """Read the YAML file at `path`, or those directly in the directory, in the order of their names.

    Raises DeclarationError with every problem of every file at once, UsageError `declarations-missing`.
    """
    files = _files(path)
    contents = []
    for file in files:
        try:
            contents.append((str(file), read(file)))
        except (OSError, DocumentError) as error:
            raise _missing(path, getattr(error, "strerror", None) or str(error)) from error
    return parse_declarations(contents, resolve)


def parse_declarations(contents: Sequence[tuple[str, bytes]], resolve: Resolve | None = None) -> Declared:
    """Judge the files given as names and contents, together. Raises DeclarationError."""
    lines: list[str] = []
    parsed: list[tuple[Document, Declarations]] = []
    for name, content in contents:
        try:
            parsed.append(parse_as(Declarations, content, name, "declarations", _SECTIONS))
        except DocumentError as error:
            lines += error.problems
    found = Declared(
        tuple(_placed(parsed, "configurations")),
        tuple(_placed(parsed, "sites")),
        tuple(_placed(parsed, "thresholds")),
        tuple(_placed(parsed, "trusted_roots")),
        tuple(_placed(parsed, "profiles")),
        tuple(_placed(parsed, "apps")),
        tuple(_placed(parsed, "app_configurations")),
        tuple(_placed(parsed, "mam")),
        frozenset(name for _, declarations in parsed for name in declarations.model_fields_set),
    )
    networks = [network for _, declarations in parsed for network in declarations.corporate_networks]
    judged = [*_networks(parsed), *_judged(found, [] if lines else networks, resolve)]
    lines += [line for line, finding in judged if finding.fatal]
    lines += _twins(found)
    if lines:
        raise DeclarationError(lines)
    warnings = tuple(replace(item, message=line) for line, item in judged)
    return replace(_with_certificates(found), warnings=warnings)


def _files(path: Path) -> list[Path]:
    try:
        if path.is_file():
            return [path]
        found = sorted(item for item in path.iterdir() if item.suffix in _SUFFIXES and item.is_file())
    except OSError as error:
        raise _missing(path, error.strerror or "it does not exist") from error
    if not found:
        raise _missing(path, "there is no .yaml file in it")
    return found


def _missing(path: Path, reason: str) -> UsageError:
    return UsageError(
        "declarations-missing",
        "declarations cannot be read from {path}: {reason}",
        hint="Use a directory with YAML files; `mst-admin export DIR` writes one from a tenant.",
        path=path,
        reason=reason,
    )


def _placed(parsed: Sequence[tuple[Document, Declarations]], section: str) -> Iterator[Placed[Any]]:
    for document, declarations in parsed:
        for number, value in enumerate(getattr(declarations, section)):
            yield Placed(value, document, (section, str(number)))


def _networks(parsed: Sequence[tuple[Document, Declarations]]) -> Iterator[tuple[str, Finding]]:
    for document, declarations in parsed:
        whole = Placed(declarations, document, ())
        for finding in judge_networks(declarations.corporate_networks):
            yield whole.line(finding.key, finding.message), finding


def _judged(
    found: Declared, networks: Sequence[str], resolve: Resolve | None
) -> Iterator[tuple[str, Finding]]:
    """The findings for every object, each with its line; bad networks are reported by themselves."""
    usable = [] if list(judge_networks(networks)) else networks
    yield from _told(found.configurations, lambda value: judge_configuration(value, usable))
    yield from _told(found.sites, lambda value: judge_site(value, resolve))
    yield from _told(found.thresholds, judge_threshold)
    yield from _told(
        found.profiles, lambda value: judge_profile(value, split_rules=_split_rules(value, found))
    )
    yield from _told(found.trusted_roots, judge_root)
    profiles, apps = [item.value for item in found.profiles], [item.value for item in found.apps]
    if "apps" in found.sections:
        yield from _told(found.profiles, lambda value: judge_per_app(value, apps))
    yield from _told(found.apps, lambda value: judge_app(value, profiles))
    yield from _told(found.app_configurations, lambda value: judge_app_configuration(value, profiles))
    yield from _judged_mam(found)


def _judged_mam(found: Declared) -> Iterator[tuple[str, Finding]]:
    others, profiles = [item.value for item in found.mam], [item.value for item in found.profiles]
    yield from _told(
        found.mam,
        lambda value: judge_mam(value, others, profiles, split_rules=_split_rules(value, found)),
    )


def _told(
    objects: Iterable[Placed[T]], judge: Callable[[T], Iterable[Finding]]
) -> Iterator[tuple[str, Finding]]:
    for item in objects:
        for finding in judge(item.value):
            yield item.line(finding.key, finding.message), finding


def _split_rules(profile: ProfileObject | MamObject, found: Declared) -> bool | None:
    """Whether the site that is named has split tunnelling rules; None when it is not declared here."""
    sites = {item.value.name.casefold(): item.value.configuration.casefold() for item in found.sites}
    for item in found.configurations:
        if item.value.name.casefold() == sites.get(profile.site.casefold()):
            return bool(item.value.route_includes or item.value.route_excludes)
    return None


def _with_certificates(found: Declared) -> Declared:
    """The same with certificates in place of paths. Raises DeclarationError with all that are unusable."""
    lines: list[str] = []
    roots = tuple(_read(found.trusted_roots, with_certificate, "certificate", lines))
    profiles = tuple(_read(found.profiles, with_root, "trusted_root", lines))
    if lines:
        raise DeclarationError(lines)
    return replace(found, trusted_roots=roots, profiles=profiles)


def _read(
    objects: Iterable[Placed[T]], read_certificate: Callable[[T], T], key: str, lines: list[str]
) -> Iterator[Placed[T]]:
    """The objects with their certificates; what is wrong with others is added to `lines`."""
    for item in objects:
        try:
            yield replace(item, value=read_certificate(item.value))
        except CertificateError as error:
            lines.append(item.line(key, error.message))


def _twins(found: Declared) -> Iterator[str]:
    """Objects declared twice: names are compared as Graph does, without regard to case."""
    for key, objects in (
        ("name", found.configurations),
        ("name", found.sites),
        ("metric", found.thresholds),
        ("name", found.trusted_roots),
        ("name", found.profiles),
        ("key", found.apps),
        ("name", found.app_configurations),
        ("name", found.mam),
    ):
        first: dict[str, Placed[BaseModel]] = {}
        for item in objects:
            name = str(getattr(item.value, key))
            earlier = first.setdefault(name.casefold(), item)
            if earlier is not item:
                place = earlier.line(key, "").removesuffix(": ")
                yield item.line(
                    key,
                    text(
                        "`{name}` is already declared at {place}: remove one of them", name=name, place=place
                    ),
                )
