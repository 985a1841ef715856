"""Upgrades by the agent: the feed, the release offered to the agent, and the one that it requests."""

from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.base.log_line import LogLine
from mstunnel_setup.base.text import text
from mstunnel_setup.exchange import MOST_DRAIN_MINUTES, log_lines, mailbox
from mstunnel_setup.exchange.mailbox import UPGRADE, AgentRequest, Reply, Summary
from mstunnel_setup.exchange.release_catalogue import ReleaseCatalogue, running_images
from mstunnel_setup.exchange.release_feed import offered, read_feed
from mstunnel_setup.exchange.release_offer import offer_here, soaking
from mstunnel_setup.exchange.upgrade_history import Upgrade, UpgradeOutcome, read_history
from mstunnel_setup.exchange.upgrade_rules import read_rules
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.monitor.limits import RateLimiter
from mstunnel_setup.operations.monitor.monitor_context import MonitorContext
from mstunnel_setup.transaction.lock import exclusive

# If a directory is in place of a request, only this many entries are removed at once (a second of work).
_MOST_ENTRIES: Final = 10_000
# A request expires, since this server's turn ends with the maintenance window.
_LIFE: Final = timedelta(minutes=15)
# An upgrade may take this long, including download and drain.
_UPGRADE_SECONDS: Final = 60.0 * MOST_DRAIN_MINUTES + 21600.0


class AgentUpgrades:
    """The handler of the feed and of the agent's upgrades. `requested` was taken and has not begun."""

    def __init__(self, context: MonitorContext) -> None:
        self._context = context
        self.requested: AgentRequest | None = None

    def has_feed(self) -> bool:
        """Return whether a feed is configured. Raises UsageError if its settings are invalid."""
        return read_feed(self._context.files) is not None

    def refresh_feed(self) -> None:
        """Refresh the release feed."""
        from mstunnel_setup.operations.upgrade import fetch_releases  # noqa: PLC0415 (imported when there is work)

        context = self._context
        if (settings := read_feed(context.files)) is None:
            return
        # Only commands that refresh the feed use these files; no other command waits for a slow feed server.
        with exclusive(context.files, context.clock, paths.FEED_LOCK):
            fetch_releases.fetch(context.operator, settings)

    def show_offer(self) -> None:
        """Write the release that the agent may request."""
        show_offer(self._context.files, self._context.clock.now())

    def has_request(self) -> bool:
        """Return whether there is a request; it waits while the gateway is stopped."""
        context = self._context
        return context.files.state(UPGRADE.request) is not None and not context.gateway_is_stopped()

    def take_request(self) -> None:
        """Move the agent's request out of its directory, without the lock: the agent can put anything there.

        Raises StepError if the file is not a request.
        """
        self.requested = take(self._context.files)

    def carry_out(self) -> None:
        """Complete an upgrade, or begin the one that the agent requests, unless the gateway is stopped.

        Raises StepError if the request is not allowed.
        """
        context = self._context
        if read_history(context.files).unfinished is None and (
            self.requested is None or context.gateway_is_stopped()
        ):
            self.requested = None
            return
        # The installer is imported only for an upgrade, since it doubles the memory of an idle monitor.
        from mstunnel_setup.install import session  # noqa: PLC0415
        from mstunnel_setup.operations.upgrade import run as upgrade_run  # noqa: PLC0415
        from mstunnel_setup.operations.version import release_names  # noqa: PLC0415

        context.service.alive(_UPGRADE_SECONDS)
        with session.open_run(context.operator) as run:
            context.service.status("Upgrading the gateway")
            if (ended := upgrade_run.finish(run)) is not None:
                context.tell(_upgrade_line(ended))
            request, self.requested = self.requested, None
            if request is None or (images := request.images()) == upgrade_run.running(run).digests:
                return
            now = context.clock.now()
            catalogue = offered(run.files, now)
            admit(run.files, catalogue, request, now)
            name = release_names(catalogue, images)[0]
            context.tell(log_lines.UPGRADE_BEGUN(release=name))
            minutes = catalogue.drain_minutes
            ended = upgrade_run.upgrade_to(run, name, images, "agent", drain_minutes=minutes)
            context.tell(_upgrade_line(ended))


def show_offer(files: Files, now: datetime) -> None:
    """Write the release that the agent may request, and related data of the list, to the outbox."""
    catalogue = offered(files, now)
    if files.state(paths.OUTBOX) is None:
        return
    offer = offer_here(files, catalogue, now)
    _show(files, mailbox.OFFER, offer)
    present = running_images(files)
    summary = Summary(
        time_zone=catalogue.time_zone,
        behind=catalogue.behind(present) if present else None,
        held=offer is not None and offer.digests in read_history(files).held,
        objection=read_rules(files).objection(catalogue, offer, now) if offer is not None else "",
        soaking_until=soaks[1] if (soaks := soaking(files, catalogue, now)) else None,
        ring=catalogue.ring,
    )
    # Without a list of releases the summary is empty; writing it could create the outbox, as only a run may.
    _show(files, mailbox.SUMMARY, summary if summary != Summary() else None)


def _show(files: Files, path: str, message: BaseModel | None) -> None:
    """Replace a message unless it is unchanged; None removes it."""
    content = message.model_dump_json(indent=2).encode() + b"\n" if message else None
    if content is None:
        files.remove(path)
    elif files.read(path) != content:
        files.write(path, content)


def take(files: Files) -> AgentRequest | None:
    """Remove and return the agent's request; None if it was withdrawn meanwhile.

    Raises StepError or FileError if the file is not a request.
    """
    try:
        request = mailbox.receive(files, UPGRADE)
        if request is not None:
            request.images()
        return request
    finally:
        files.discard(UPGRADE.request, _MOST_ENTRIES)


def admit(files: Files, catalogue: ReleaseCatalogue, request: AgentRequest, now: datetime) -> None:
    """Record an upgrade that the agent requested.

    Raises StepError if the request is old, exceeds the rate limit, or names a release that is not offered or
    not allowed now; the agent may request it again later. A final refusal is written as the reply. Raises
    UsageError `upgrades-invalid`.
    """
    # A time after `now` was written before the clock was set back.
    if abs(now.timestamp() - request.at) > _LIFE.total_seconds():
        raise StepError(
            "upgrade-request-old",
            "the agent's upgrade request is not from the last {minutes} minutes; it was dropped",
            hint="The agent requests it again when it is this server's turn; to upgrade now, run "
            "`mst-cli upgrade apply`.",
            minutes=_LIFE // timedelta(minutes=1),
        )
    images, limiter = request.images(), RateLimiter(files)
    offer, reason = offer_here(files, catalogue, now), ""
    if not catalogue.named(images):
        reason = text("no release that is offered to this server has these images")
    elif offer is None or images != offer.digests:
        # The offer may change, or return to this release, so this refusal is not final.
        reason = text("it is not the newest release that is offered to this site")
    elif objected := read_rules(files).objection(catalogue, offer, now):
        reason = objected
    else:
        # A failed release is not retried: otherwise a compromised agent could end sessions repeatedly.
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


def _upgrade_line(ended: Upgrade) -> LogLine:
    if ended.outcome is UpgradeOutcome.DONE:
        away = text(", but no device that was connected has come back yet") if ended.unproved else ""
        return log_lines.UPGRADE_DONE(release=ended.release, away=away)
    return log_lines.UPGRADE_ENDED(outcome=ended.outcome, release=ended.release, reason=ended.reason)
