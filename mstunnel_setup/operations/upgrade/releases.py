"""Releases by name, and `mst-cli upgrade refresh|import`: the feed, fetched or brought as a file."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mstunnel_setup import __version__
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import text
from mstunnel_setup.certificates.ca_trust import added_roots_pem
from mstunnel_setup.containers.release_images import release_images
from mstunnel_setup.exchange.release_feed import SETTINGS, Feed, read_feed, read_feed_record
from mstunnel_setup.exchange.releases import Digests, ReleaseCatalogue, published
from mstunnel_setup.install.installed import run_lock
from mstunnel_setup.io.http import HttpSession
from mstunnel_setup.io.operator import Operator

_TIMEOUT, _DEADLINE = 30, 60


def fetch_now(operator: Operator, archive: Path | None = None) -> Result:
    """Refresh the feed from its address, or from a tar file of its publisher; the releases that it offers."""
    feed = require_feed(operator)
    with alone(operator):
        catalogue = fetch(operator, feed, archive)
    known = read_feed_record(operator.files)
    expires = known.expires if known else None
    newest = catalogue.newest.name if catalogue.newest else None
    until = f"{expires:%Y-%m-%d %H:%M} UTC" if expires else "now"
    shown = text(
        "Newest release: {none}. The feed is valid until {until}.", none=newest or "none", until=until
    )
    data = {
        "releases": [release.name for release in catalogue.releases],
        "newest": newest,
        "expires": expires.isoformat() if expires else None,
    }
    return Result("ok", data, text=[shown])


def require_feed(operator: Operator) -> Feed:
    """The feed of this server. Raises UsageError `feed-missing`."""
    feed = read_feed(operator.files)
    if feed is None:
        raise UsageError(
            "feed-missing",
            "no release feed is set up on this server",
            hint='Write url = "https://…" and root = "FILE" into {settings}, then run the command again.',
            settings=SETTINGS,
        )
    return feed


@contextmanager
def alone(operator: Operator) -> Iterator[None]:
    """Neither beside the monitor's refresh nor beside an uninstallation, which removes the files."""
    with run_lock(operator, paths.FEED_LOCK), run_lock(operator):
        yield


def fetch(operator: Operator, feed: Feed, archive: Path | None = None) -> ReleaseCatalogue:
    """Refresh the feed; the caller holds its lock. Raises as `feed_client.refresh`."""
    # The client of the feed costs more to load than all else of a command.
    from mstunnel_setup.operations.upgrade.feed_client import Archive, Remote, refresh  # noqa: PLC0415

    now = operator.clock.now()
    if archive is not None:
        return refresh(operator.files, feed, Archive(archive), now)
    # What lies in a directory of the agent is nothing that root may trust.
    roots = added_roots_pem(operator.files)
    http = HttpSession(operator.clock, roots=roots, timeout=_TIMEOUT, deadline=_DEADLINE)
    return refresh(operator.files, feed, Remote(feed, http), now)


def release_names(catalogue: ReleaseCatalogue, digests: Digests) -> Sequence[str]:
    """What these images may be called, the newest name first: the same images can be several releases."""
    if known := catalogue.named(digests) or published().named(digests):
        return [release.name for release in known]
    own = release_images()
    return [__version__] if own and Digests(own.gateway, own.agent) == digests else []
