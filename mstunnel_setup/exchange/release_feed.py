"""The releases offered to this server: the administrator's list, or else the last seen signed feed."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.resources import files as resources
from typing import Annotated, Final
from urllib.parse import urlsplit

from packaging.version import Version
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import UsageError, declare
from mstunnel_setup.base.parsing import toml_table
from mstunnel_setup.exchange.release_catalogue import (
    CATALOGUE,
    ReleaseCatalogue,
    parse,
    parse_host,
    reason_of,
)
from mstunnel_setup.io import messages
from mstunnel_setup.io.files import Files

SETTINGS: Final = "/etc/mstunnel-setup/release-feed.toml"
ROOT: Final = "/etc/mstunnel-setup/release-feed-root.json"
FEED_RECORD: Final = f"{paths.STATE}/release-feed.json"
WORK: Final = f"{paths.STATE}/release-feed.new"
"""A directory that exists while the feed is refreshed, and after a kill."""
LARGEST_PROGRAM: Final = 128 << 20
TARGET: Final = "releases.toml"
PROGRAM_TARGETS: Final = {machine: f"mstunnel-setup-{machine}" for machine in ("x86_64", "aarch64")}
"""The newest program for each machine architecture, under the kernel's name for it."""

FEED_SETTINGS_INVALID = declare(
    UsageError,
    "feed-settings-invalid",
    "{path}: {reason}",
    'Write url = "https://…", the address of the release feed, and root = "FILE", its trusted root.',
)
FEED_ARCHIVE_INVALID = declare(
    UsageError,
    "feed-archive-invalid",
    "{path} is not an archive of a release feed: {reason}",
    "Copy the archive again from the publisher, and compare its checksum.",
)


def feed_address(url: str) -> str:
    """Return the address of a feed without a trailing slash. Raises ValueError for any other address."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ValueError("not an http or https address without user and password")
    return url.rstrip("/")


@dataclass(frozen=True)
class Feed:
    """The address of the feed, and the text of the `root.json` that this server trusts at first."""

    url: str
    root: str

    @property
    def anchor(self) -> str:
        """The SHA-256 of its first `root.json`, which identifies the feed wherever it is fetched from."""
        return hashlib.sha256(self.root.encode()).hexdigest()


class _FeedSettings(BaseModel, frozen=True, extra="forbid", defer_build=True):
    """The administrator's feed settings: the address (empty for no feed), and the path of its `root.json`."""

    url: Annotated[str, AfterValidator(lambda url: url and feed_address(url))]
    root: str = ROOT


class OfferedProgram(BaseModel, frozen=True, extra="ignore", defer_build=True):
    """The newest program for this machine, as the feed describes it; `size` in bytes."""

    version: Annotated[str, AfterValidator(lambda value: str(Version(value)))]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=1, le=LARGEST_PROGRAM)]


class FeedRecord(BaseModel, frozen=True, extra="ignore", defer_build=True):
    """The last seen state of a feed.

    `anchor` is the SHA-256 of the initial root, `metadata` the last verified file of each role. `catalogue`
    is the list last verified, at `seen`, and `program` the program offered with it, if any; neither is
    offered after `expires`. `first_offered` has the time at which each release was first offered to this
    host, by its digests (`str(Digests)`).
    """

    anchor: str
    metadata: dict[str, str]
    catalogue: str = ""
    program: OfferedProgram | None = None
    seen: AwareDatetime | None = None
    first_offered: dict[str, AwareDatetime] = {}
    expires: AwareDatetime | None = None

    def expired(self, now: datetime) -> bool:
        """Return whether its list must no longer be used."""
        return self.expires is not None and self.expires <= now


def built_in_feed() -> Feed | None:
    """Return the feed that `make dist` wrote into the program (scripts/bundle); None in a checkout."""
    written = resources("mstunnel_setup") / "data" / "release-feed.json"
    try:
        return Feed(**json.loads(written.read_text()))  # noqa: TID251 (a file of the package)
    except FileNotFoundError:
        return None


def read_feed(files: Files) -> Feed | None:
    """Return the feed that the administrator has named, or else the program's own, if any.

    An address without a root is a mirror of the program's own feed. Raises UsageError `feed-settings-invalid`
    or `feed-root-missing`.
    """
    own = built_in_feed()
    content = files.read(SETTINGS)
    if content is None:
        return own
    named = _settings(content)
    if not named.url:
        return None
    root = files.read(named.root)
    if root is not None:
        return Feed(named.url, root.decode(errors="replace"))
    if own is None or "root" in named.model_fields_set:
        raise UsageError(
            "feed-root-missing",
            "there is no file {path}, the trusted root of the release feed",
            hint="Copy the publisher's root.json there, or name another file in {settings}.",
            path=named.root,
            settings=SETTINGS,
        )
    return Feed(named.url, own.root)


def portable_settings(files: Files) -> dict[str, bytes]:
    """Return settings and root of the administrator's feed for another host, the root at its default path.

    Invalid settings, and those with a missing root, are kept unchanged.
    """
    content = files.read(SETTINGS)
    if content is None:
        return {}
    try:
        named = _settings(content)
    except UsageError:
        return {SETTINGS: content}
    root = files.read(named.root)
    if root is None:
        return {SETTINGS: content}
    if named.root != ROOT:
        content = f"url = {json.dumps(named.url)}\n".encode()
    return {SETTINGS: content, ROOT: root}


def _settings(content: bytes) -> _FeedSettings:
    try:
        return _FeedSettings.model_validate(toml_table(content.decode(errors="replace")))
    except ValueError as error:
        raise FEED_SETTINGS_INVALID(path=SETTINGS, reason=reason_of(error)) from error


def read_feed_record(files: Files) -> FeedRecord | None:
    """Return the last seen state of the feed; None if there is none or the file is damaged."""
    return messages.read_trusted(files, FEED_RECORD, FeedRecord)


def offered(files: Files, now: datetime) -> ReleaseCatalogue:
    """Return the releases offered for an upgrade: those of the host's file, or else the feed's.

    The file has the host's settings for the releases of the feed, too. An expired feed offers none, because
    newer releases may be withheld; nor does one that this server no longer follows. Raises UsageError
    `releases-invalid`, and as `read_feed`.
    """
    return with_host_settings(files, lambda: _of_feed(files, now))


def with_host_settings(files: Files, followed: Callable[[], ReleaseCatalogue]) -> ReleaseCatalogue:
    """Return the host's own releases, or else those of the feed, `followed`, with the host's settings.

    Raises UsageError `releases-invalid`, and as `followed`.
    """
    content = files.read(CATALOGUE) or b""
    return parse_host(content.decode(errors="replace"), CATALOGUE, followed)


def _of_feed(files: Files, now: datetime) -> ReleaseCatalogue:
    known = _last_seen(files, now)
    if known is None or known.seen is None:
        return ReleaseCatalogue(())
    catalogue, seen = parse(known.catalogue, FEED_RECORD), known.seen
    # A version without soak times wrote no time, and a ring that was changed reaches more releases.
    times = {item.digests: known.first_offered.get(str(item.digests), seen) for item in catalogue.releases}
    return replace(catalogue, first_offered=times)


def offered_program(files: Files, now: datetime) -> OfferedProgram | None:
    """Return the newest program last seen in the feed; None without one, and as for `offered`.

    Raises UsageError as `read_feed`.
    """
    known = _last_seen(files, now)
    return None if known is None else known.program


def _last_seen(files: Files, now: datetime) -> FeedRecord | None:
    """Return the last seen state of the feed that this server follows; None if expired or of another feed."""
    known = read_feed_record(files)
    if known is None or known.seen is None or known.expired(now):
        return None
    followed = read_feed(files)
    return known if followed is not None and followed.anchor == known.anchor else None
