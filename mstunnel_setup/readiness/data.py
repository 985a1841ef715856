"""The dated tables `data/platforms.toml` and `data/endpoints.toml`, and the possible findings of checks."""

import math
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from packaging.version import Version
from pydantic import TypeAdapter

from mstunnel_setup.base.result import Report
from mstunnel_setup.base.text import text
from mstunnel_setup.containers.release_images import LOCAL, release_images
from mstunnel_setup.containers.versions import BadVersions, EngineRange
from mstunnel_setup.readiness.facts.section import EngineName, Section

CUSTOM = "custom"
REGISTRY = "registry"
# The name that replaces a registry for images from an archive.
_LOCAL = LOCAL.partition("/")[0]


class Platform(Section):
    """A distribution: its engine, the shipped version, the end of its support, and the vendor's listing.

    `last_listed` is the day of the last edition that had it, if newer editions omit it without an end date.
    """

    distribution: str
    version: str
    engine: EngineName
    shipped: str = ""
    ended: date | None = None
    last_listed: date | None = None
    vendor: bool = True


class Size(Section):
    """The needs of each of `servers` servers for up to `devices` devices; memory and disk in GB."""

    devices: int
    servers: int
    cpus: int
    memory_gb: int
    disk_gb: int

    @property
    def share(self) -> int:
        """The number of devices for each server."""
        return self.devices // self.servers


class Platforms(Section):
    """The whole table, and the day on which it was read from its sources."""

    date: date
    least_rootless: dict[str, str]
    engines: dict[EngineName, EngineRange]
    bad: tuple[BadVersions, ...]
    platform: tuple[Platform, ...]
    size: tuple[Size, ...]

    def of(self, distribution: str, version: str) -> Platform | None:
        """Return the row of a distribution; CentOS, Rocky and the like do not count as Red Hat's."""
        rows = (row for row in self.platform if row.distribution == distribution and row.version == version)
        return next(rows, None)

    def least_engine(self, platform: Platform) -> str:
        """Return the oldest acceptable version of the platform's engine: the shipped or the required one."""
        return max(platform.shipped or "0", self.engines[platform.engine].least, key=Version)

    def size_for(self, devices: int) -> Size:
        """Return the first row of which one server is large enough, or else the last one."""
        return next((row for row in self.size if devices <= row.share), self.size[-1])

    def servers_for(self, devices: int) -> int:
        """Return the number of servers for the devices; beyond the table it is extrapolated linearly."""
        if any(devices <= row.share for row in self.size):
            return 1
        rows = (row.servers for row in self.size if devices <= row.devices)
        return next(rows, math.ceil(devices / self.size[-1].share))


class Endpoint(Section):
    """A name that must be reachable. `host` may name a port; without `host` there is only a pattern.

    `archive` replaces a registry if images come from an archive that is missing.

    `expect` are the HTTP statuses of a healthy response (none: any below 500), `expect_certificate` those for
    a client certificate that is not enrolled.
    """

    purpose: str
    host: str = ""
    path: str = "/"
    pattern: str = ""
    archive: str = ""
    expect: tuple[int, ...] = ()
    expect_certificate: tuple[int, ...] = ()


class Endpoints(Section):
    """The endpoint sets of one day. `purposes` are the names for people, in order."""

    date: date
    purposes: dict[str, str]
    clouds: dict[str, tuple[Endpoint, ...]]


class PossibleFinding(Report):
    """A possible finding of a check, and its remedy."""

    seen: str
    hint: str


@cache
def possible_findings() -> Mapping[str, tuple[PossibleFinding, ...]]:
    """Return the possible findings by check id, except those with values of a host (from `make docs`)."""
    content = (files("mstunnel_setup") / "data/check-findings.json").read_text("utf-8")
    return TypeAdapter(dict[str, tuple[PossibleFinding, ...]]).validate_json(content)


@cache
def platforms() -> Platforms:
    """Return the table of supported platforms."""
    return Platforms.model_validate(_table("platforms.toml"))


@cache
def endpoints() -> Endpoints:
    """Return the endpoint sets of all clouds."""
    raw = _table("endpoints.toml")
    day, purposes = raw.pop("date"), raw.pop("purposes")
    return Endpoints.model_validate({"date": day, "purposes": purposes, "clouds": raw})


def endpoints_of(cloud: str, authority: str = "", graph: str = "") -> tuple[Endpoint, ...]:
    """Return the endpoints of a cloud; for a custom one only the configured addresses."""
    if cloud == CUSTOM:
        named = (("sign-in", authority), ("graph", graph))
        return tuple(Endpoint(purpose=name, host=urlsplit(url).netloc) for name, url in named if url)
    return endpoints().clouds[cloud]


def with_registries(
    found: tuple[Endpoint, ...], images: Iterable[str | None], *, offline: bool
) -> tuple[Endpoint, ...]:
    """Return the endpoints with the registries of named images (`registry/name@…`), or none if offline."""
    named = [item for item in images if item]
    if not named and not offline:
        return found
    registries = {} if offline else dict.fromkeys(item.partition("/")[0] for item in named)
    ours = release_images()
    archive = ours.archive if ours else text("the archive with the images")
    own = (
        Endpoint(purpose=REGISTRY, archive=archive)
        if host == _LOCAL
        else Endpoint(purpose=REGISTRY, host=host, path="/v2/")
        for host in registries
    )
    return (*(item for item in found if not item.purpose.startswith(REGISTRY)), *own)


def _table(name: str) -> dict[str, Any]:
    return tomllib.loads((files("mstunnel_setup") / "data" / name).read_text("utf-8"))
