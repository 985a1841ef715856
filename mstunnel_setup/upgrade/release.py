"""The release catalogue: names for pairs of image digests, and which of them is the newest."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from importlib.resources import files as resources
from typing import Annotated, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from mstunnel_setup.errors import UsageError
from mstunnel_setup.foreign import toml_table
from mstunnel_setup.host.files import Files
from mstunnel_setup.upgrade import LONGEST_DRAIN

# Not below /etc/mstunnel: the agent writes there, and this list says what it may ask for.
CATALOGUE: Final = "/etc/mstunnel-setup/releases.toml"
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_Digest = Annotated[str, Field(pattern=rf"^{_DIGEST.pattern}$")]


@dataclass(frozen=True)
class Digests:
    """The two images of a release; together they are its identity."""

    server: str
    agent: str


class Release(BaseModel):
    """One release. `label` is the version number; releases before September 2025 have none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,40}$")] = ""
    published: date
    server: _Digest
    agent: _Digest

    @property
    def digests(self) -> Digests:
        """Its identity."""
        return Digests(self.server, self.agent)

    @property
    def name(self) -> str:
        """What to call it: the label, else the day it was published."""
        return self.label or self.published.isoformat()


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError(f"there is no time zone {name!r}") from None
    return name


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    time_zone: Annotated[str, AfterValidator(_time_zone)] | None = None
    drain_minutes: Annotated[int, Field(ge=0, le=LONGEST_DRAIN)] = 0
    release: list[Release] = []


@dataclass(frozen=True)
class Catalogue:
    """All releases, the newest first.

    The same two digests may have been published more than once under different labels, so a pair may have
    several names (docs/reference/releases.md). `drain_minutes` is how long sessions may go on at an upgrade;
    `time_zone` (IANA) is where the clocks of the site's maintenance window are.
    """

    releases: tuple[Release, ...]
    drain_minutes: int = 0
    time_zone: str | None = None

    @property
    def newest(self) -> Release | None:
        """The release published last."""
        return self.releases[0] if self.releases else None

    def named(self, digests: Digests) -> Sequence[Release]:
        """All releases with these images, the newest first."""
        return [release for release in self.releases if release.digests == digests]

    def with_name(self, name: str) -> Release | None:
        """The newest release called so."""
        return next((release for release in self.releases if release.name == name), None)

    def behind(self, digests: Digests) -> int | None:
        """How many different pairs of images were published after these; None when they are in no release."""
        known = self.named(digests)
        if not known:
            return None
        newer = self.releases[: self.releases.index(known[0])]
        return len({release.digests for release in newer} - {digests})


def offered(files: Files) -> Catalogue:
    """What this server may be upgraded to: the administrator's /etc/mstunnel-setup/releases.toml, if any.

    Raises UsageError `releases-invalid`.
    """
    content = files.read(CATALOGUE) or b""
    return parse(content.decode(errors="replace"), CATALOGUE)


def published() -> Catalogue:
    """The vendor's releases, to give names to images; they are not offered for an upgrade."""
    return parse((resources("mstunnel_setup") / "data" / "releases.toml").read_text(), "releases.toml")


def parse(text: str, name: str) -> Catalogue:
    """Read a catalogue: `time_zone`, `drain_minutes` and tables `[[release]]`. `name` is the file.

    Raises UsageError `releases-invalid`.
    """
    try:
        file = _File.model_validate(toml_table(text))
    except ValueError as error:
        raise UsageError("releases-invalid", f"{name}: {_reason(error)}", _HINT) from error
    newest_first = sorted(file.release, key=lambda release: release.published, reverse=True)
    return Catalogue(tuple(newest_first), file.drain_minutes, file.time_zone)


_HINT: Final = (
    'Write a table `[[release]]` each, with label = "20260407.1", published = 2026-05-01, '
    'server = "sha256:…" and agent = "sha256:…".'
)


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "a release"
        return f"{place}: {first['msg']}"
    return str(error)
