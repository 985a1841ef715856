"""`mst-cli upgrade refresh|import`: the release feed, from its address or from a file.

The feed is a repository of The Update Framework (https://theupdateframework.github.io/specification/latest/).
Its reference client rejects metadata that is signed by other keys, expired, older than the known metadata,
truncated, or mixed from several versions. The verified metadata is one local file, replaced atomically.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import Field, ValidationError
from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    UnsignedMetadataError,
)
from tuf.ngclient.fetcher import FetcherInterface
from tuf.ngclient.updater import Updater
from typing_extensions import override

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import NetworkError, SetupError, StepError, UsageError
from mstunnel_setup.base.parsing import aware, json_value, problem_of
from mstunnel_setup.base.result import Moment, Report, Result
from mstunnel_setup.base.text import text
from mstunnel_setup.certificates.ca_trust import added_roots_pem
from mstunnel_setup.exchange.release_catalogue import ReleaseCatalogue, parse
from mstunnel_setup.exchange.release_feed import (
    FEED_ARCHIVE_INVALID,
    FEED_RECORD,
    PROGRAM_TARGETS,
    SETTINGS,
    TARGET,
    WORK,
    Feed,
    FeedRecord,
    OfferedProgram,
    read_feed,
    read_feed_record,
    with_host_settings,
)
from mstunnel_setup.exchange.release_offer import first_offers
from mstunnel_setup.install.installed import own_scope, run_lock
from mstunnel_setup.io.bounded_tar import ArchiveError, Limits, read_tar
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.http import HttpSession
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.io.safe_paths import explain

_TIMEOUT, _DEADLINE = 30, 60
_ROLES: Final = ("root", "timestamp", "snapshot", "targets")
_OK, _NOT_FOUND = 200, 404
_LARGEST_ARCHIVE: Final = 4 << 20
# A feed holds a few files per version, with some kilobytes each, so this bounds an archive generously.
_LIMITS: Final = Limits(entries=4096, file_size=_LARGEST_ARCHIVE, total=_LARGEST_ARCHIVE)
_REASONS: Final[Mapping[type[Exception], str]] = {
    UnsignedMetadataError: text("it is not signed by the keys that the trusted root names"),
    ExpiredMetadataError: text("it has expired"),
    BadVersionNumberError: text("it is older than the version that this server has already seen"),
    LengthOrHashMismatchError: text(
        "a file is not the signed one: it is truncated, changed or from another version"
    ),
    DownloadLengthMismatchError: text("a file is longer than the signed one"),
}


class OfferedReleases(Report):
    """The releases that the feed offers."""

    releases: tuple[str, ...] = Field(description="Names, the newest first.")
    newest: str | None
    expires: Moment | None = Field(description="The list is not offered after this time.")


def fetch_now(operator: Operator, archive: Path | None = None) -> Result[OfferedReleases]:
    """Refresh the feed from its address, or from a tar file of its publisher; return the offered releases.

    Raises as `own_scope` and `refreshed`.
    """
    # A rootless gateway is upgraded by its account, which keeps a separate record.
    own_scope(operator)
    _feed, fetched = refreshed(operator, archive)
    catalogue = _with_ring(operator.files, fetched)
    known = read_feed_record(operator.files)
    expires = known.expires if known else None
    newest = catalogue.newest.name if catalogue.newest else None
    until = f"{expires:%Y-%m-%d %H:%M} UTC" if expires else "now"
    shown = text(
        "Newest release: {release}. The feed is valid until {until}.", release=newest or "none", until=until
    )
    report = OfferedReleases(
        releases=tuple(release.name for release in catalogue.releases),
        newest=newest,
        expires=expires.isoformat() if expires else None,
    )
    return Result("ok", report, text=[shown])


def refreshed(operator: Operator, archive: Path | None = None) -> tuple[Feed, ReleaseCatalogue]:
    """Refresh the feed of this server; return it with its releases. Raises UsageError `feed-missing`."""
    feed = read_feed(operator.files)
    if feed is None:
        raise UsageError(
            "feed-missing",
            "no release feed is set up on this server",
            hint='Write url = "https://…" and root = "FILE" into {settings}, then run the command again.',
            settings=SETTINGS,
        )
    # The locks exclude the monitor's refresh, and an uninstallation, which removes the files.
    with run_lock(operator, paths.FEED_LOCK), run_lock(operator):
        return feed, fetch(operator, feed, archive)


def fetch(operator: Operator, feed: Feed, archive: Path | None = None) -> ReleaseCatalogue:
    """Refresh the feed; the caller holds its lock. Raises as `refresh`."""
    now = operator.clock.now()
    if archive is not None:
        return refresh(operator.files, feed, Archive(archive), now)
    # Root must not trust a file in a directory that the agent can write.
    roots = added_roots_pem(operator.files)
    http = HttpSession(operator.clock, roots=roots, timeout=_TIMEOUT, deadline=_DEADLINE)
    return refresh(operator.files, feed, Remote(feed, http), now)


@dataclass
class Remote(FetcherInterface):
    """The feed at its address, read with the product's HTTP session (proxies, roots, limits)."""

    feed: Feed
    http: HttpSession

    @override
    def _fetch(self, url: str) -> Iterator[bytes]:
        response = self.http.get(f"{self.feed.url}/{url}")
        if response.status_code != _OK:
            raise DownloadHTTPError(f"HTTP status {response.status_code} for {url}", response.status_code)
        return iter([response.content])


class Archive(FetcherInterface):
    """The feed in a tar file, for a server that cannot reach it; verified like a fetched one."""

    def __init__(self, path: Path) -> None:
        """Read the archive. Raises UsageError `feed-archive-invalid` for other files, and FileError."""
        try:
            with path.open("rb") as opened:
                content = opened.read(_LARGEST_ARCHIVE + 1)
        except PermissionError as error:
            raise explain("read", str(path), error) from error
        except OSError as error:
            raise FEED_ARCHIVE_INVALID(path=path, reason=error.strerror or error) from error
        if len(content) > _LARGEST_ARCHIVE:
            raise FEED_ARCHIVE_INVALID(
                path=path, reason=text("it has more than {largest} bytes", largest=_LARGEST_ARCHIVE)
            )
        try:
            self._files = read_tar(content, _LIMITS)
        except ArchiveError as error:
            raise FEED_ARCHIVE_INVALID(path=path, reason=error) from error

    @override
    def _fetch(self, url: str) -> Iterator[bytes]:
        if url not in self._files:
            raise DownloadHTTPError(f"the archive has no {url}", _NOT_FOUND)
        return iter([self._files[url]])


def refresh(files: Files, feed: Feed, source: FetcherInterface, now: datetime) -> ReleaseCatalogue:
    """Fetch, verify and store new metadata of the feed; return the releases that it lists.

    Metadata verified before an error is stored as well, so that older metadata is rejected later. Raises
    UsageError `releases-invalid`, NetworkError, StepError `feed-refused`, FileError such as `disk-full`.
    """
    known = read_feed_record(files)
    if known is None or known.anchor != feed.anchor:
        # A new trust root invalidates the stored metadata.
        known = FeedRecord(anchor=feed.anchor, metadata={"root": feed.root})
    files.remove_tree(WORK)
    files.make_directories(WORK, 0o700)
    try:
        for role, text in known.metadata.items():
            files.write(f"{WORK}/{role}.json", text.encode(), 0o600)
        text, program = _verified_targets(str(files.locate(WORK)), source)
        metadata = _verified(files)
    except (RepositoryError, DownloadError, OSError) as error:
        # The client writes only changed files, so the others are taken from the stored metadata.
        metadata = {**known.metadata, **_verified(files)}
        _keep(files, known.model_copy(update={"metadata": metadata}))
        raise _failure(feed, error) from error
    finally:
        files.remove_tree(WORK)
    catalogue = parse(text, f"{feed.url}/{TARGET}")
    ends = [json_value(role)["signed"]["expires"] for role in metadata.values()]
    expires = min(aware(datetime.fromisoformat(end)) for end in ends)
    record = FeedRecord(
        anchor=known.anchor,
        metadata=metadata,
        catalogue=text,
        program=program,
        seen=now,
        first_offered=first_offers(files, _with_ring(files, catalogue), known.first_offered, now),
        expires=expires,
    )
    _keep(files, record)
    return catalogue


def _verified_targets(directory: str, source: FetcherInterface) -> tuple[str, OfferedProgram | None]:
    """Return the release list, and the feed's entry of the newest program for this machine."""
    updater = Updater(directory, "metadata", directory, "targets", source, bootstrap=None)
    updater.refresh()
    info = updater.get_targetinfo(TARGET)
    if info is None:
        raise RepositoryError(f"it has no {TARGET}")
    catalogue = Path(updater.download_target(info)).read_text(errors="replace")
    name = PROGRAM_TARGETS.get(os.uname().machine)
    offer = updater.get_targetinfo(name) if name else None
    if offer is None:
        return catalogue, None
    described = {"version": (offer.custom or {}).get("version"), "sha256": offer.hashes.get("sha256")}
    try:
        return catalogue, OfferedProgram.model_validate({**described, "size": offer.length})
    except ValidationError as error:
        raise RepositoryError(f"{name}: {problem_of(error.errors()[0])}") from error


def _verified(files: Files) -> dict[str, str]:
    """Return the metadata files, by name, that the client has verified and stored."""
    found = {role: files.read(f"{WORK}/{role}.json") for role in _ROLES}
    return {role: content.decode() for role, content in found.items() if content is not None}


def _with_ring(files: Files, catalogue: ReleaseCatalogue) -> ReleaseCatalogue:
    """Return the feed's releases for the ring of this host, the first one while its file is invalid."""
    with suppress(UsageError):
        return replace(catalogue, ring=with_host_settings(files, lambda: catalogue).ring)
    return catalogue


def _keep(files: Files, known: FeedRecord) -> None:
    files.make_directories(paths.STATE)
    files.write(FEED_RECORD, known.model_dump_json().encode() + b"\n", 0o600)


def _failure(feed: Feed, error: RepositoryError | DownloadError | OSError) -> SetupError:
    if isinstance(error, OSError):
        return explain("write", WORK, error)
    if isinstance(error.__cause__, NetworkError):
        return error.__cause__
    known = (reason for kind, reason in _REASONS.items() if isinstance(error, kind))
    return StepError(
        "feed-refused",
        "the release feed {url} is refused: {reason}",
        hint="Nothing was changed. Check the clock of this server, then ask the publisher of the feed.",
        url=feed.url,
        reason=next(known, error),
    )
