"""Upgrade decisions of one server, from the site's data in Graph, the same on all servers.

One server of a site upgrades at a time, without a lease: the servers are ordered, and each waits for those
before it. If Graph does not show the releases of the others, each server has fixed time slots instead.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from types import MappingProxyType
from typing import Final

from mstunnel_setup.base.text import text
from mstunnel_setup.exchange.release_catalogue import Digests, Release
from mstunnel_setup.exchange.upgrade_standing import LastDecision
from mstunnel_setup.exchange.window import Window
from mstunnel_setup.tenant.wire import HealthStatus, TunnelServer

# The service reports a server as offline after five minutes. This is longer, so that a reboot does not cost a
# server its turn.
_PRESENT: Final = timedelta(minutes=15)
_SLOT: Final = timedelta(minutes=30)
_ALWAYS: Final = Window(time(), time())


@dataclass(frozen=True)
class UpgradePolicy:
    """Upgrade settings of the site. Graph does not show that an administrator approved an upgrade."""

    automatic: bool
    window: Window | None = None


@dataclass(frozen=True)
class UpgradeDecision:
    """The decision to begin now or not, and the reason."""

    code: str
    reason: str

    @property
    def begin(self) -> bool:
        """True if this server upgrades now."""
        return self.code == "begin"


def decide(
    site: UpgradePolicy,
    own_id: str,
    running: Digests | None,
    others: Sequence[TunnelServer],
    target: Release | None,
    *,
    failed: Collection[Digests],
    held: bool = False,
    soaking_until: datetime | None = None,
    elsewhere: Mapping[str, Sequence[TunnelServer]] = MappingProxyType({}),
    now: datetime,
) -> UpgradeDecision:
    """Decide whether the server `own_id` with the images `running` upgrades to `target` at `now`.

    `failed` are the releases that failed here; `held`: an administrator chose another release;
    `soaking_until`: `target` has not soaked on this host yet. `elsewhere` are the servers of other sites, by
    the site's name, whose failures stop this one: they are in earlier rings. Other servers do not wait for
    one that has not checked in recently.
    """
    if target is None:
        return UpgradeDecision("no-release", "no release is known")
    if running == target.digests:
        return UpgradeDecision("up-to-date", f"release {target.name} is running")
    if target.digests in failed:
        again = "run `mst-cli upgrade apply` to try again"
        return UpgradeDecision("failed-before", f"release {target.name} has failed on this server; {again}")
    if held:
        take = "run `mst-cli upgrade apply` to install it"
        return UpgradeDecision("held", f"an administrator chose a release other than {target.name}; {take}")
    return (
        _permitted(site, others, target, soaking_until, now)
        or _in_turn(own_id, _present(others, now), target)
        or _failed_elsewhere(elsewhere, now)
        or _in_slot(site.window or _ALWAYS, own_id, others, now)
        or UpgradeDecision("begin", text("release {name} is next", name=target.name))
    )


def _digests(server: TunnelServer) -> Digests | None:
    """Return the release of a server; None if the tenant does not show it."""
    if server.server_image_digest and server.agent_image_digest:
        return Digests(server.server_image_digest, server.agent_image_digest)
    return None


def _present(servers: Sequence[TunnelServer], now: datetime) -> Sequence[TunnelServer]:
    """Return the servers that have checked in recently."""
    return [
        server
        for server in servers
        if server.last_checkin_date_time is not None and abs(now - server.last_checkin_date_time) < _PRESENT
    ]


def _permitted(
    site: UpgradePolicy,
    others: Sequence[TunnelServer],
    target: Release,
    soaking_until: datetime | None,
    now: datetime,
) -> UpgradeDecision | None:
    """Return the decision to wait if the settings of site or host forbid the upgrade, else None."""
    if not site.automatic:
        reason = text(
            "release {name} is not installed automatically at this site; run `mst-cli upgrade apply`, or "
            "have the site upgrade its servers automatically",
            name=target.name,
        )
        return UpgradeDecision("approval-missing", reason)
    if soaking_until is not None and soaking_until > now:
        reason = text(
            "release {name} soaks until {until:%Y-%m-%d %H:%M} UTC; to install it now, run "
            "`mst-cli upgrade apply`",
            name=target.name,
            until=soaking_until,
        )
        return UpgradeDecision("soaking", reason)
    # An upgrade cycle that has begun continues after the end of the window.
    begun = any(
        other.tunnel_server_health_status is HealthStatus.UPGRADE_IN_PROGRESS
        or _digests(other) == target.digests
        for other in others
    )
    if site.window is not None and not begun and not site.window.contains(now):
        return UpgradeDecision(
            "window-closed", f"the maintenance window opens at {site.window.opens(now):%Y-%m-%d %H:%M} UTC"
        )
    return None


def _in_turn(own_id: str, others: Sequence[TunnelServer], target: Release) -> UpgradeDecision | None:
    """Return the decision to wait if another server of the site comes first."""
    for other in others:
        name, status = other.display_name, other.tunnel_server_health_status
        if status is HealthStatus.UPGRADE_IN_PROGRESS:
            return UpgradeDecision("other-upgrading", f"{name} is being upgraded")
        if status is HealthStatus.UPGRADE_FAILED:
            return UpgradeDecision("other-failed", f"the upgrade of {name} failed; check it first")
        if _digests(other) == target.digests and status not in (HealthStatus.HEALTHY, HealthStatus.WARNING):
            return UpgradeDecision("other-settling", f"{name} was upgraded and is not healthy yet")
    before = [
        other for other in others if _digests(other) not in (None, target.digests) and other.id < own_id
    ]
    if before:
        return UpgradeDecision("turn", f"{min(before, key=lambda other: other.id).display_name} comes first")
    return None


def _failed_elsewhere(
    elsewhere: Mapping[str, Sequence[TunnelServer]], now: datetime
) -> UpgradeDecision | None:
    """Return the decision to wait if the upgrade of a server at another site failed."""
    for site, servers in elsewhere.items():
        for other in _present(servers, now):
            if other.tunnel_server_health_status is HealthStatus.UPGRADE_FAILED:
                reason = text(
                    "the upgrade of {name} at the site {site} failed; check it first",
                    name=other.display_name,
                    site=site,
                )
                return UpgradeDecision("other-failed", reason)
    return None


def _in_slot(
    window: Window, own_id: str, others: Sequence[TunnelServer], now: datetime
) -> UpgradeDecision | None:
    """Return the decision to wait outside this server's slot if another server's release is unknown.

    Digests are read-only in Graph: waiting for one to change could last forever.
    """
    unknown = [other.display_name for other in others if _digests(other) is None]
    if not unknown:
        return None
    order = sorted([own_id, *(other.id for other in others)])
    slot = window.slot(now, _SLOT)
    # An upgrade that begins in the first half ends before the next server's slot.
    early = slot == window.slot(now + _SLOT / 2, _SLOT)
    if slot is not None and early and slot % len(order) == order.index(own_id):
        return None
    return UpgradeDecision(
        "slot", f"the tenant does not show the release of {min(unknown)}; waiting for a time slot"
    )


def standing(verdict: UpgradeDecision, now: datetime, window: Window | None) -> LastDecision:
    """Return the record of a decision."""
    found = LastDecision(at=now, code=verdict.code, reason=verdict.reason)
    return found.model_copy(update={"window": str(window), "fixed": window.fixed}) if window else found
