"""Whether this server upgrades now: decided from the site's data in Graph, alike on all servers.

One server of a site at a time, without a lease: the servers are ordered, and each waits for those before it.
If Graph does not show the releases of the others, each server has fixed time slots instead.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final, Literal, TypeAlias

from mstunnel_setup.base.text import text
from mstunnel_setup.exchange.maintenance_window import Window
from mstunnel_setup.exchange.releases import Digests, Release

Status: TypeAlias = Literal["healthy", "warning", "unhealthy", "offline", "upgrading", "failed", "unknown"]

# The service reports a server as offline after five minutes; a reboot must not cost its turn.
_PRESENT: Final = timedelta(minutes=15)
_SLOT: Final = timedelta(minutes=30)
_ALWAYS: Final = Window(time(), time())


@dataclass(frozen=True)
class Member:
    """A server of the site according to the tenant; `seen` is its last check-in."""

    id: str
    name: str
    status: Status
    digests: Digests | None
    seen: datetime | None

    def present(self, now: datetime) -> bool:
        """Whether it checked in recently; other servers do not wait for an absent one."""
        return self.seen is not None and abs(now - self.seen) < _PRESENT


@dataclass(frozen=True)
class Site:
    """Upgrade settings of the site. `approved` is the last approval by an administrator.

    Without `approval_shown` the tenant has no place for it.
    """

    automatic: bool
    approved: datetime | None = None
    window: Window | None = None
    approval_shown: bool = True


@dataclass(frozen=True)
class Verdict:
    """Whether to begin now; `code` and `reason` explain it."""

    begin: bool
    code: str
    reason: str


def decide(
    site: Site,
    own: Member,
    others: Sequence[Member],
    target: Release | None,
    *,
    failed: Collection[Digests],
    held: bool = False,
    now: datetime,
) -> Verdict:
    """Whether the server `own` begins its upgrade to `target` at `now`; `failed` are those that failed here.

    `held`: an administrator chose another release.
    """
    if target is None:
        return _wait("no-release", "no release is known")
    if own.digests == target.digests:
        return _wait("up-to-date", f"release {target.name} is running")
    if target.digests in failed:
        again = "run `mst-cli upgrade apply` to try again"
        return _wait("failed-before", f"release {target.name} has failed on this server; {again}")
    if held:
        take = "run `mst-cli upgrade apply` to install it"
        return _wait("held", f"an administrator chose another release than {target.name}; {take}")
    return (
        _permitted(site, target, now, begun=_begun(others, target))
        or _in_turn(own, [other for other in others if other.present(now)], target)
        or _in_slot(site.window or _ALWAYS, own, others, now)
        or Verdict(begin=True, code="begin", reason=text("release {name} is next", name=target.name))
    )


def _begun(others: Sequence[Member], target: Release) -> bool:
    """Whether the site's upgrade cycle has begun: it then continues after the end of the window."""
    return any(other.status == "upgrading" or other.digests == target.digests for other in others)


def _permitted(site: Site, target: Release, now: datetime, *, begun: bool) -> Verdict | None:
    """The reason when the site's settings forbid it."""
    published = datetime.combine(target.published, time(), UTC)
    approved = site.approved is not None and site.approved >= published
    if not site.automatic and not approved:
        return _wait("approval-missing", _unapproved(site, target))
    if site.window is not None and not begun and not site.window.contains(now):
        return _wait(
            "window-closed", f"the maintenance window opens at {site.window.opens(now):%Y-%m-%d %H:%M} UTC"
        )
    return None


def _unapproved(site: Site, target: Release) -> str:
    if site.approval_shown:
        return text("release {name} waits for approval of the site's upgrade", name=target.name)
    by_hand = "run `mst-cli upgrade apply`, or have the site upgrade its servers automatically"
    return text(
        "release {name} is not installed automatically at this site; {by_hand}",
        name=target.name,
        by_hand=by_hand,
    )


def _in_turn(own: Member, others: Sequence[Member], target: Release) -> Verdict | None:
    """The reason when another server of the site comes first."""
    for other in others:
        if other.status == "upgrading":
            return _wait("other-upgrading", f"{other.name} is being upgraded")
        if other.status == "failed":
            return _wait("other-failed", f"the upgrade of {other.name} failed; check it first")
        if other.digests == target.digests and other.status not in ("healthy", "warning"):
            return _wait("other-settling", f"{other.name} was upgraded and is not healthy yet")
    before = [other for other in others if other.digests not in (None, target.digests) and other.id < own.id]
    if before:
        return _wait("turn", f"{min(before, key=lambda other: other.id).name} comes first")
    return None


def _in_slot(window: Window, own: Member, others: Sequence[Member], now: datetime) -> Verdict | None:
    """The reason when it is not this server's slot and the tenant does not show the releases of all others.

    Digests are read-only in Graph: waiting for one to change could last forever.
    """
    unknown = [other.name for other in others if other.digests is None]
    if not unknown:
        return None
    order = sorted(member.id for member in (own, *others))
    slot = window.slot(now, _SLOT)
    # An upgrade begun in the first half ends before the slot of the next server.
    early = slot == window.slot(now + _SLOT / 2, _SLOT)
    if slot is not None and early and slot % len(order) == order.index(own.id):
        return None
    return _wait("slot", f"the tenant does not show the release of {min(unknown)}; waiting for a time slot")


def _wait(code: str, reason: str) -> Verdict:
    return Verdict(begin=False, code=code, reason=reason)
