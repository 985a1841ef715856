"""The release catalogue: names of pairs of image digests, and the newest one."""

import hashlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from importlib.resources import files as resources
from types import MappingProxyType
from typing import Annotated, Final, Literal, TypeAlias, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.parsing import json_value, problem_of, toml_table
from mstunnel_setup.base.text import text
from mstunnel_setup.exchange import MOST_DRAIN_MINUTES
from mstunnel_setup.io.files import Files

# The list is not below /etc/mstunnel: the agent writes there, and the list limits its requests.
CATALOGUE: Final = "/etc/mstunnel-setup/releases.toml"
_LARGEST_NAMES: Final = 4096
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_Digest = Annotated[str, Field(pattern=rf"^{_DIGEST.pattern}$")]
_Ring = Annotated[int, Field(ge=1, le=9)]
_MOST_SOAK_DAYS: Final = 90


@dataclass(frozen=True)
class Digests:
    """The digests of a release's two images, which identify it."""

    server: str
    agent: str

    def __str__(self) -> str:
        """Return both, as a key of a JSON object."""
        return f"{self.server} {self.agent}"


class Release(BaseModel, frozen=True, extra="forbid", defer_build=True):
    """One release. `label` is the version number; releases before September 2025 have none.

    Agents may request it at `percent` of all sites, on hosts of the rings up to `ring` or of all rings. It is
    for hosts of one `architecture` (the kernel's name for it), or for all of them.
    """

    label: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,40}$")] = ""
    # A soak time is added to the day.
    published: Annotated[date, Field(lt=date(3000, 1, 1))]
    server: _Digest
    agent: _Digest
    percent: Annotated[int, Field(ge=0, le=100)] = 100
    # Agents do not need these: their offers are already for their host.
    ring: Annotated[_Ring | None, Field(exclude=True)] = None
    architecture: Annotated[Literal["x86_64", "aarch64"] | None, Field(exclude=True)] = None

    @property
    def digests(self) -> Digests:
        """The digests that identify it."""
        return Digests(self.server, self.agent)

    @property
    def name(self) -> str:
        """The label, or else the publication date."""
        return self.label or self.published.isoformat()

    def reaches(self, site: str) -> bool:
        """Return whether agents of this site may request it; a larger share includes the same sites."""
        place = hashlib.sha256(f"{self.name} {site.lower()}".encode()).digest()
        return int.from_bytes(place) % 100 < self.percent


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError(f"there is no time zone {name!r}") from None
    return name


TimeZone: TypeAlias = Annotated[str, AfterValidator(_time_zone)]
"""An IANA time zone that this system knows."""


class _CatalogueFile(BaseModel, extra="forbid", defer_build=True):
    time_zone: TimeZone | None = None
    drain_minutes: Annotated[int, Field(ge=0, le=MOST_DRAIN_MINUTES)] = 0
    release: list[Release] = []


class _HostFile(_CatalogueFile):
    soak_days: Annotated[int, Field(ge=0, le=_MOST_SOAK_DAYS)] = 0
    ring: _Ring = 1


@dataclass(frozen=True)
class ReleaseCatalogue:
    """All releases, the newest first.

    The same two digests may have been published more than once under different labels, so a pair may have
    several names (docs/reference/releases.md). `drain_minutes` is the drain time of an upgrade; `time_zone`
    (IANA) is that of the site's maintenance window. This host belongs to `ring`. It takes a release by itself
    once that was offered to it for `soak_days`, counted from the times in `first_offered`, or else from the
    day of its publication.
    """

    releases: tuple[Release, ...]
    drain_minutes: int = 0
    time_zone: str | None = None
    soak_days: int = 0
    ring: int = 1
    first_offered: Mapping[Digests, datetime] = MappingProxyType({})

    @property
    def newest(self) -> Release | None:
        """The release published last for this host's ring."""
        return self.newest_from(None)

    def newest_from(self, present: Digests | None) -> Release | None:
        """Return the newest release for this host's ring that is not older than the present one."""
        wanted = (item for item in self.releases if item.digests == present or self._is_for_ring(item))
        return next(wanted, None)

    def reaches(self, release: Release, site: str) -> bool:
        """Return whether the agent of this host may request the release, for a host at this site."""
        return self._is_for_ring(release) and release.reaches(site)

    def soaking_until(self, release: Release, now: datetime) -> datetime | None:
        """Return when this host may take a release by itself (UTC); None if it may now."""
        if not self.soak_days:
            return None
        published = datetime.combine(release.published, time(), UTC)
        ready = self.first_offered.get(release.digests, published) + timedelta(days=self.soak_days)
        return ready if ready > now else None

    def offer(self, site: str, present: Digests | None, now: datetime) -> Release | None:
        """Return the newest release for this site that is not older than the present one.

        One that soaks is passed over for an earlier one that does not, so that a publisher of many releases
        does not stop a host from upgrading; if all soak, it is the one that is ready first.
        """
        found: list[Release] = []
        for release in self.releases:
            if release.digests == present:
                found.append(release)
                break
            if self.reaches(release, site):
                found.append(release)
        else:
            # Without the present release in the list, an earlier one might be a downgrade.
            found = found[:1]
        newer = [release for release in found if release.digests != present] or found
        return min(newer, key=lambda release: self.soaking_until(release, now) or now, default=None)

    def named(self, digests: Digests) -> Sequence[Release]:
        """Return all releases with these images, the newest first."""
        return [release for release in self.releases if release.digests == digests]

    def with_name(self, name: str) -> Release | None:
        """Return the newest release with this name."""
        return next((release for release in self.releases if release.name == name), None)

    def behind(self, digests: Digests) -> int | None:
        """Return the number of image pairs published after these; None for unknown digests."""
        known = self.named(digests)
        if not known:
            return None
        newer = filter(self._is_for_ring, self.releases[: self.releases.index(known[0])])
        return len({release.digests for release in newer} - {digests})

    def _is_for_ring(self, release: Release) -> bool:
        return release.ring is None or self.ring <= release.ring


def running_images(files: Files) -> Digests | None:
    """Return this server's images, from `images_configured`. Raises FileError for anything but a file."""
    try:
        found = json_value(files.read_untrusted(paths.IMAGES_CONFIGURED, _LARGEST_NAMES) or b"")
        return Digests(str(found["serverImageDigest"]), str(found["agentImageDigest"]))
    except (ValueError, KeyError, TypeError):
        return None


def published() -> ReleaseCatalogue:
    """Return the vendor's releases, for names of images; they are not offered for an upgrade."""
    return parse((resources("mstunnel_setup") / "data" / "releases.toml").read_text(), "releases.toml")


def reason_of(error: ValueError) -> str:
    """Return why an administrator's file cannot be used; only the first of several problems."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    return text("{place}: {first}", place=".".join(map(str, first["loc"])), first=problem_of(first))


def parse(content: str, name: str) -> ReleaseCatalogue:
    """Read a publisher's catalogue: `time_zone`, `drain_minutes`, tables `[[release]]`. `name` is the file.

    Releases for another architecture are left out. Raises UsageError `releases-invalid`.
    """
    return _catalogue(_read(content, name, _CatalogueFile))


def parse_host(content: str, name: str, followed: Callable[[], ReleaseCatalogue]) -> ReleaseCatalogue:
    """Read a host's catalogue, which may also have `soak_days` and `ring`.

    Without `release` it is about the releases that `followed` returns, which has its own `time_zone` and
    `drain_minutes` for a host that does not set them. Raises as `parse` and `followed`.
    """
    file = _read(content, name, _HostFile)
    here = replace(_catalogue(file), soak_days=file.soak_days, ring=file.ring)
    if "release" in file.model_fields_set:
        return here
    feed = followed()
    return replace(
        here,
        releases=feed.releases,
        first_offered=feed.first_offered,
        drain_minutes=here.drain_minutes if "drain_minutes" in file.model_fields_set else feed.drain_minutes,
        time_zone=here.time_zone or feed.time_zone,
    )


_File = TypeVar("_File", bound=_CatalogueFile)


def _read(content: str, name: str, model: type[_File]) -> _File:
    try:
        return model.model_validate(toml_table(content))
    except ValueError as error:
        raise UsageError(
            "releases-invalid",
            "{path}: {reason}",
            hint=(
                'Write one table `[[release]]` per release, with label = "20260407.1", published = '
                '2026-05-01, server = "sha256:…" and agent = "sha256:…".'
            ),
            path=name,
            reason=reason_of(error),
        ) from error


def _catalogue(file: _CatalogueFile) -> ReleaseCatalogue:
    here = [release for release in file.release if release.architecture in (None, os.uname().machine)]
    newest_first = sorted(here, key=lambda release: release.published, reverse=True)
    return ReleaseCatalogue(tuple(newest_first), file.drain_minutes, file.time_zone)
