"""Errors of `exchange` that several places raise."""

from mstunnel_setup.base.errors import UsageError, declare

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
