"""The tables `data/platforms.toml` and `data/endpoints.toml`, which are dated, and what checks may find."""

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
# No registry: images from an archive are called so.
_LOCAL = LOCAL.partition("/")[0]


class Platform(Section):
    """A distribution: its engine, the version it ships, when support ended, whether the vendor lists it.

    `last_listed` is the day of the last edition that had it, where newer ones do not and tell no end.
    """

    distribution: str
    version: str
    engine: EngineName
    shipped: str = ""
    ended: date | None = None
    last_listed: date | None = None
    vendor: bool = True


class Size(Section):
    """What each of `servers` servers needs for up to `devices` devices; memory and disk in GB."""

    devices: int
    servers: int
    cpus: int
    memory_gb: int
    disk_gb: int

    @property
    def share(self) -> int:
        """Devices of one of the servers."""
        return self.devices // self.servers


class Platforms(Section):
    """The whole table, and the day it was read from its sources."""

    date: date
    least_rootless: dict[str, str]
    engines: dict[EngineName, EngineRange]
    bad: tuple[BadVersions, ...]
    platform: tuple[Platform, ...]
    size: tuple[Size, ...]

    def of(self, distribution: str, version: str) -> Platform | None:
        """The row of a distribution; CentOS, Rocky and the like are not Red Hat's."""
        rows = (row for row in self.platform if row.distribution == distribution and row.version == version)
        return next(rows, None)

    def least_engine(self, platform: Platform) -> str:
        """The oldest version of the platform's engine that will do: as shipped, and as this project needs."""
        return max(platform.shipped or "0", self.engines[platform.engine].least, key=Version)

    def size_for(self, devices: int) -> Size:
        """The first row of which one server is large enough, else the last one."""
        return next((row for row in self.size if devices <= row.share), self.size[-1])

    def servers_for(self, devices: int) -> int:
        """How many servers that many devices take; beyond the table it goes on in a straight line."""
        if any(devices <= row.share for row in self.size):
            return 1
        rows = (row.servers for row in self.size if devices <= row.devices)
        return next(rows, math.ceil(devices / self.size[-1].share))


class Endpoint(Section):
    """A name that must be reachable. `host` may name a port; without `host` there is only a pattern.

    `archive` stands for a registry where images come from an archive, and it is missing.

    `expect` are the HTTP statuses of a healthy answer (none: any below 500), `expect_certificate` those when
    a client certificate that is not enrolled is presented.
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
    """What a check may find, and what to do about it."""

    seen: str
    hint: str


@cache
def possible_findings() -> Mapping[str, tuple[PossibleFinding, ...]]:
    """What a check may find, by its id, unless that needs values of a host; `make docs` writes it."""
    content = (files("mstunnel_setup") / "data/check-findings.json").read_text("utf-8")
    return TypeAdapter(dict[str, tuple[PossibleFinding, ...]]).validate_json(content)


@cache
def platforms() -> Platforms:
    """The table of supported platforms."""
    return Platforms.model_validate(_table("platforms.toml"))


@cache
def endpoints() -> Endpoints:
    """The endpoint sets of all clouds."""
    raw = _table("endpoints.toml")
    day, purposes = raw.pop("date"), raw.pop("purposes")
    return Endpoints.model_validate({"date": day, "purposes": purposes, "clouds": raw})


def endpoints_of(cloud: str, authority: str = "", graph: str = "") -> tuple[Endpoint, ...]:
    """The endpoints of a cloud; of a custom one only the addresses it consists of."""
    if cloud == CUSTOM:
        named = (("sign-in", authority), ("graph", graph))
        return tuple(Endpoint(purpose=name, host=urlsplit(url).netloc) for name, url in named if url)
    return endpoints().clouds[cloud]


def with_registries(
    found: tuple[Endpoint, ...], images: Iterable[str | None], *, offline: bool
) -> tuple[Endpoint, ...]:
    """The endpoints when images are named (`registry/name@…`), or brought along: then from nowhere else."""
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
