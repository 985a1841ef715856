"""Upgrades that the agent requests: the release it is offered, and whether its request is allowed."""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import SetupError, StepError
from mstunnel_setup.base.text import text
from mstunnel_setup.exchange import mailbox
from mstunnel_setup.exchange.agent_settings import read_agent_settings
from mstunnel_setup.exchange.mailbox import UPGRADE, AgentRequest, Reply, Summary
from mstunnel_setup.exchange.release_feed import offered
from mstunnel_setup.exchange.releases import Release, ReleaseCatalogue, running_images
from mstunnel_setup.exchange.upgrade_history import read_history
from mstunnel_setup.exchange.upgrade_rules import read_rules
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.monitor.limits import RateLimiter

# What is removed at once of a directory that lies in the place of a request: a second of work.
_MOST_ENTRIES: Final = 10_000
# It was this server's turn when the agent wrote the request; that is over when the window closes.
_LIFE: Final = timedelta(minutes=15)


def show_offer(files: Files, now: datetime) -> None:
    """Write the release that the agent may request, and what else it needs of the list, into the outbox."""
    catalogue = offered(files, now)
    if files.state(paths.OUTBOX) is None:
        return
    offer = offer_here(files, catalogue)
    _show(files, mailbox.OFFER, offer)
    present = running_images(files)
    summary = Summary(
        time_zone=catalogue.time_zone,
        behind=catalogue.behind(present) if present else None,
        held=offer is not None and offer.digests in read_history(files).held,
        objection=objection(files, catalogue, offer, now) if offer is not None else "",
    )
    # Without a list there is nothing to say, and nothing appears that no run has made.
    _show(files, mailbox.SUMMARY, summary if summary != Summary() else None)


def _show(files: Files, path: str, message: BaseModel | None) -> None:
    """Replace a message unless it is the same; None removes it."""
    content = message.model_dump_json(indent=2).encode() + b"\n" if message else None
    if content is None:
        files.remove(path)
    elif files.read(path) != content:
        files.write(path, content)


def offer_here(files: Files, catalogue: ReleaseCatalogue) -> Release | None:
    """The release that the agent may request at this site; an unknown site gets what every site gets."""
    site, present = "", None
    with suppress(SetupError):
        site = read_agent_settings(files).site_id
    with suppress(SetupError):
        present = running_images(files)
    return catalogue.newest_for(site, present)


def objection(files: Files, catalogue: ReleaseCatalogue, release: Release, now: datetime) -> str:
    """Why the rules of this host let the agent not begin this release now; empty when they do.

    Raises UsageError `upgrades-invalid`.
    """
    return read_rules(files).objection(catalogue.named(release.digests), now)


def take(files: Files) -> AgentRequest | None:
    """The agent's request, which is removed; None when it was withdrawn meanwhile.

    Raises StepError or FileError: it is no request.
    """
    try:
        request = mailbox.receive(files, UPGRADE)
        if request is not None:
            request.images()
        return request
    finally:
        files.discard(UPGRADE.request, _MOST_ENTRIES)


def admit(files: Files, catalogue: ReleaseCatalogue, request: AgentRequest, now: datetime) -> None:
    """Record one more upgrade that the agent requested.

    Raises StepError: the request is old, comes after too many others, or is for what is not offered or not
    allowed now; then the agent may request it again later. What is refused for good the agent gets as the
    reply. Raises UsageError `upgrades-invalid`.
    """
    # A time after `now` is from before the clock was set back.
    if abs(now.timestamp() - request.at) > _LIFE.total_seconds():
        raise StepError(
            "upgrade-request-old",
            "the agent's upgrade request is not from the last {minutes} minutes; it was dropped",
            hint="The agent requests it again when it is this server's turn; to upgrade now, run "
            "`mst-cli upgrade apply`.",
            minutes=_LIFE // timedelta(minutes=1),
        )
    images, limiter = request.images(), RateLimiter(files)
    offer, reason = offer_here(files, catalogue), ""
    if not catalogue.named(images):
        reason = text("no release that is offered to this server has these images")
    elif offer is None or images != offer.digests:
        # That may be another one tomorrow, or this one again.
        reason = text("it is not the newest release that is offered to this site")
    elif objected := objection(files, catalogue, offer, now):
        reason = objected
    else:
        # Only once: a compromised agent cannot end sessions with it repeatedly.
        history = read_history(files)
        if images in history.failed:
            reason = text("it failed on this host before")
        elif images in history.held:
            reason = text("an administrator chose another release")
        if reason:
            mailbox.write_reply(files, Reply.about(images, "refused", reason, now))
    if reason:
        raise StepError(
            "upgrade-refused",
            "the agent's request for {image} is refused: {reason}",
            image=images.server,
            reason=reason,
        )
    if wait := limiter.wait("upgrade", now):
        raise StepError(
            "upgrade-limited",
            "the agent requested too many upgrades; the next one is allowed after {next:%H:%M} UTC",
            hint="To upgrade now, run `mst-cli upgrade apply`.",
            next=now + wait,
        )
    limiter.record("upgrade", now)
