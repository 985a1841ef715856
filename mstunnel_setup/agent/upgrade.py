"""The agent's part in upgrades: it sees that this server's turn has come, and asks the monitor."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, time, timedelta, timezone, tzinfo
from typing import Final, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ValidationError

from mstunnel_setup.agent.log_lines import UPGRADE_REQUESTED
from mstunnel_setup.base import paths
from mstunnel_setup.base.log_line import Tell
from mstunnel_setup.base.parsing import json_value
from mstunnel_setup.base.text import text
from mstunnel_setup.exchange import mailbox
from mstunnel_setup.exchange.maintenance_window import Window
from mstunnel_setup.exchange.releases import Digests, Release
from mstunnel_setup.exchange.upgrade_decision import Member, Site, Status, Verdict, decide
from mstunnel_setup.io.files import Files
from mstunnel_setup.tenant.wire import HealthStatus, TunnelServer, TunnelSite

# The lab tenant's extension: Graph shows nowhere that an upgrade was approved.
_APPROVED: Final = "labUpgradeRequestedDateTime"

_STATUS: Final[Mapping[HealthStatus | None, Status]] = {
    HealthStatus.HEALTHY: "healthy",
    HealthStatus.WARNING: "warning",
    HealthStatus.UNHEALTHY: "unhealthy",
    HealthStatus.OFFLINE: "offline",
    HealthStatus.UPGRADE_IN_PROGRESS: "upgrading",
    HealthStatus.UPGRADE_FAILED: "failed",
}


class Servers(Protocol):
    """What this needs of the tenant."""

    def servers(self, site_id: str) -> Sequence[TunnelServer]:
        """Return all servers of a site."""
        ...


def ask(
    tenant: Servers,
    site: TunnelSite,
    server_id: str,
    files: Files,
    *,
    now: datetime,
    tell: Tell,
    approval_shown: bool = True,
) -> Verdict:
    """Write a request for the offered release when this server's turn has come; remove it when it is over.

    `approval_shown`: the tenant would show that the site's upgrade was approved.

    Raises SetupError as Graph does.
    """
    target, present, under_way = _offered(files), running(files), _under_way(files)
    own = Member(server_id, text("this server"), "unknown", present, now)
    # A server that upgrades, or whose images are the wanted ones, need not look at the others.
    settled = under_way is not None or target is None or present == target.digests
    others = (
        [] if settled else [_member(server) for server in tenant.servers(site.id) if server.id != server_id]
    )
    held = mailbox.read_summary(files.read(mailbox.SUMMARY)).held
    settings = Site(bool(site.upgrade_automatically), _approved(site), window(site, files), approval_shown)
    verdict = under_way or decide(settings, own, others, target, failed=_failed(files), held=held, now=now)
    requested = files.state(mailbox.REQUEST) is not None
    if verdict.begin and requested:
        reason = text("the monitor of the host has not taken the agent's request yet")
        return Verdict(begin=False, code="requested", reason=reason)
    if verdict.begin and target is not None:
        files.write(mailbox.REQUEST, mailbox.render(target.digests))
        tell(UPGRADE_REQUESTED(reason=verdict.reason))
    elif requested:
        files.remove(mailbox.REQUEST)
    return verdict


def _under_way(files: Files) -> Verdict | None:
    """Why to wait while an upgrade of this server is under way; None when none is."""
    answer = mailbox.read_answer(files.read(mailbox.ANSWER))
    if answer is not None and answer.state == "upgrading":
        return Verdict(begin=False, code="upgrading", reason=text("the upgrade is under way"))
    return None


def _failed(files: Files) -> Collection[Digests]:
    """The release that the monitor could not or would not take last."""
    answer = mailbox.read_answer(files.read(mailbox.ANSWER))
    return {answer.digests} if answer is not None and answer.state in ("failed", "refused") else ()


def reported(files: Files) -> HealthStatus | None:
    """What the server's status is because of an upgrade; None when no upgrade affects it."""
    answer = mailbox.read_answer(files.read(mailbox.ANSWER))
    if answer is None:
        return None
    states = {"upgrading": HealthStatus.UPGRADE_IN_PROGRESS, "failed": HealthStatus.UPGRADE_FAILED}
    return states.get(answer.state)


def running(files: Files) -> Digests | None:
    """The images of this server, as `images_configured` names them. Raises FileError when it is no file."""
    try:
        found = json_value(files.read_untrusted(paths.IMAGES_CONFIGURED, mailbox.LONGEST) or b"")
        return Digests(str(found["serverImageDigest"]), str(found["agentImageDigest"]))
    except (ValueError, KeyError, TypeError):
        return None


def behind(site: TunnelSite, files: Files) -> int | None:
    """How many releases are newer than the running one, as the host counts them in its list.

    At least one when the tenant says that there is a newer one; None when neither can tell.
    """
    counted = mailbox.read_summary(files.read(mailbox.SUMMARY)).behind
    known = [int(found) for found in (counted, site.upgrade_available) if found is not None]
    return max(known, default=None)


def _approved(site: TunnelSite) -> datetime | None:
    """When the upgrade was approved; a time that cannot be read, or names no zone, approves nothing."""
    with suppress(ValueError):
        found = datetime.fromisoformat(str((site.model_extra or {}).get(_APPROVED)))
        return found if found.tzinfo else None
    return None


def window(site: TunnelSite, files: Files) -> Window | None:
    """The site's maintenance window, if any, with the time zone that the host's list names."""
    start, end = site.upgrade_window_start_time, site.upgrade_window_end_time
    if start is None or end is None:
        return None
    return Window(_minute(start), _minute(end), _zone(site, files))


def _minute(moment: time) -> time:
    return moment.replace(second=0, microsecond=0, tzinfo=None)


def _zone(site: TunnelSite, files: Files) -> tzinfo:
    """The zone of the list; without one, or one that this system does not know, the tenant's fixed offset."""
    name = mailbox.read_summary(files.read(mailbox.SUMMARY)).time_zone
    with suppress(ValueError, OSError, ZoneInfoNotFoundError):
        if name is not None:
            return ZoneInfo(name)
    return timezone(timedelta(minutes=site.upgrade_window_utc_offset_in_minutes or 0))


def _offered(files: Files) -> Release | None:
    """The release to ask for; None when there is none, or no monitor to ask."""
    if files.state(mailbox.INBOX) is None:
        return None
    try:
        return Release.model_validate_json(files.read(mailbox.OFFER) or b"")
    except ValidationError:
        return None


def _member(server: TunnelServer) -> Member:
    digests = None
    if server.server_image_digest and server.agent_image_digest:
        digests = Digests(server.server_image_digest, server.agent_image_digest)
    status: Status = _STATUS.get(server.tunnel_server_health_status, "unknown")
    return Member(server.id, server.display_name, status, digests, server.last_checkin_date_time)
