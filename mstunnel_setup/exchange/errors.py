"""Errors of `upgrade`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.base.errors import StepError, UsageError, declare
from mstunnel_setup.base.result import declare_notice

RELEASES_INVALID = declare(
    UsageError,
    "releases-invalid",
    "{path}: {reason}",
    'Write one table `[[release]]` per release, with label = "20260407.1", published = 2026-05-01, '
    'server = "sha256:…" and agent = "sha256:…".',
)
UPGRADES_UNREADABLE = declare(
    StepError,
    "upgrades-unreadable",
    "cannot read {path}: it is damaged, or was written by a newer version",
    "Use the version that wrote it, or move the file away, which loses only the history.",
)
UPGRADE_REQUEST_INVALID = declare(
    StepError,
    "upgrade-request-invalid",
    "{path} is not a valid upgrade request",
    "Remove it, and request an upgrade with `mst-cli upgrade apply`.",
)
FEED_SETTINGS_INVALID = declare(
    UsageError,
    "feed-settings-invalid",
    "{path}: {reason}",
    'Write url = "https://…", the address of the release feed, and root = "FILE", its trusted root.',
)
FEED_MISSING = declare(
    UsageError,
    "feed-missing",
    "no release feed is set up on this server",
    'Write url = "https://…" and root = "FILE" into {settings}, then run the command again.',
)
FEED_ROOT_MISSING = declare(
    UsageError,
    "feed-root-missing",
    "there is no file {path}, the trusted root of the release feed",
    "Copy the publisher's root.json there, or name another file in {settings}.",
)
FEED_ARCHIVE_INVALID = declare(
    UsageError,
    "feed-archive-invalid",
    "{path} is not an archive of a release feed: {reason}",
    "Copy the archive again from the publisher, and compare its checksum.",
)
FEED_REFUSED = declare(
    StepError,
    "feed-refused",
    "the release feed {url} is refused: {reason}",
    "Nothing was changed. Check the clock of this server, then ask the publisher of the feed.",
)
FEED_EXPIRED = declare_notice(
    "feed-expired",
    "the release feed expired on {date}: no release of it is offered",
    "Run `mst-cli upgrade refresh`, or `mst-cli upgrade import FILE` with a newer archive.",
)
