"""The agent's part in upgrades: it decides whether this server may upgrade, and asks the monitor."""

from contextlib import suppress
from datetime import datetime, timedelta, timezone, tzinfo
from functools import partial
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mstunnel_setup.base import paths
from mstunnel_setup.base.log_line import Tell
from mstunnel_setup.base.text import text
from mstunnel_setup.exchange import mailbox
from mstunnel_setup.exchange.log_lines import UPGRADE_REQUESTED
from mstunnel_setup.exchange.mailbox import UPGRADE, AgentRequest
from mstunnel_setup.exchange.release_catalogue import Release, running_images
from mstunnel_setup.exchange.upgrade_decision import UpgradeDecision, UpgradePolicy, decide
from mstunnel_setup.exchange.window import Window
from mstunnel_setup.io import messages
from mstunnel_setup.io.files import Files
from mstunnel_setup.tenant.graph import Graph
from mstunnel_setup.tenant.wire import TunnelSite


def ask(
    tenant: Graph,
    site: TunnelSite,
    server_id: str,
    files: Files,
    *,
    now: datetime,
    tell: Tell,
) -> UpgradeDecision:
    """Request the offered release when it is this server's turn; remove a request that is over.

    Raises SetupError as Graph does.
    """
    # Without a valid offer there is nothing to request; without an inbox there is no monitor.
    asks = files.state(paths.INBOX) is not None
    target = messages.read_trusted(files, mailbox.OFFER, Release) if asks else None
    present, reply = running_images(files), mailbox.last_reply(files, UPGRADE)
    if reply is not None and reply.state == "applying":
        decision = UpgradeDecision("upgrading", text("the upgrade is under way"))
    else:
        # A server that already has the offered images need not look at the others.
        settled = target is None or present == target.digests
        servers = [] if settled else tenant.servers(site.id)
        others = [server for server in servers if server.id != server_id]
        policy = UpgradePolicy(bool(site.upgrade_automatically), window(site, files))
        failed = {reply.images} if reply is not None and reply.state in ("failed", "refused") else ()
        summary = mailbox.read_summary(files)
        judge = partial(
            decide,
            *(policy, server_id, present, others, target),
            failed=failed,
            held=summary.held,
            soaking_until=summary.soaking_until,
            now=now,
        )
        decision = judge()
        if decision.begin and summary.ring > 1:
            # Whoever failed took the release earlier. Only a server whose turn it is asks for all of them.
            sites = [other for other in tenant.sites() if other.id != site.id]
            decision = judge(elsewhere={other.display_name: tenant.servers(other.id) for other in sites})
        if decision.begin and summary.objection:
            decision = UpgradeDecision("refused-by-host", summary.objection)
    pending = files.state(UPGRADE.request) is not None
    if decision.begin and pending:
        reason = text("the host's monitor has not picked up the agent's request yet")
        return UpgradeDecision("requested", reason)
    if decision.begin and target is not None:
        mailbox.send(files, AgentRequest.to_upgrade(target.digests))
        tell(UPGRADE_REQUESTED(reason=decision.reason))
    elif pending:
        files.remove(UPGRADE.request)
    return decision


def behind(site: TunnelSite, files: Files) -> int | None:
    """Return the number of releases newer than the running one, from the host's list.

    At least one if the tenant reports a newer one; None if neither knows.
    """
    counted = mailbox.read_summary(files).behind
    known = [int(found) for found in (counted, site.upgrade_available) if found is not None]
    return max(known, default=None)


def window(site: TunnelSite, files: Files) -> Window | None:
    """Return the site's maintenance window, if any, in the time zone of the host's list."""
    start, end = site.upgrade_window_start_time, site.upgrade_window_end_time
    if start is None or end is None:
        return None
    # Without a known zone in the list, the tenant's fixed offset applies.
    zone: tzinfo = timezone(timedelta(minutes=site.upgrade_window_utc_offset_in_minutes or 0))
    name = mailbox.read_summary(files).time_zone
    with suppress(ValueError, OSError, ZoneInfoNotFoundError):
        if name is not None:
            zone = ZoneInfo(name)
    start, end = (moment.replace(second=0, microsecond=0, tzinfo=None) for moment in (start, end))
    return Window(start, end, zone)
