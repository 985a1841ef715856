"""`mst-cli upgrade check|apply|rollback|history`."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Literal

from pydantic import Field

from mstunnel_setup.base.errors import UsageError, declare
from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.text import plain, sentence, text
from mstunnel_setup.exchange.release_catalogue import CATALOGUE, Digests, ReleaseCatalogue
from mstunnel_setup.exchange.release_feed import FeedRecord, offered, read_feed_record
from mstunnel_setup.exchange.release_offer import offer_here
from mstunnel_setup.exchange.upgrade_history import (
    ImagePair,
    Upgrade,
    UpgradeOutcome,
    UpgradePhase,
    read_history,
)
from mstunnel_setup.exchange.upgrade_rules import read_rules
from mstunnel_setup.exchange.upgrade_standing import LastDecision, read_standing
from mstunnel_setup.install.session import open_run
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.operations.upgrade.run import finish, running, upgrade_to
from mstunnel_setup.operations.version import release_names

NO_RELEASES = declare(
    UsageError,
    "no-releases",
    "no release is offered to this server",
    "List releases in {catalogue}, then run the command again.",
)
# The newest release and the one before it are supported (docs/reference/releases.md).
_SUPPORTED_BEHIND = 1
_NOT_IN_GRAPH = (
    text(
        "does not show an approval; approve with `mst-cli upgrade apply` on each server, or have the "
        "site upgrade its servers automatically"
    ),
    text("does not show the releases of other servers; they take turns, half an hour each"),
    text("does not show an upgrade under way or failed; `mst-cli upgrade history` does, on each server"),
)


class DecisionReport(Report):
    """The agent's last decision about an upgrade of this server; null before its first check-in."""

    at: datetime
    code: str = Field(description="docs/how-to/upgrade.md lists them.")
    reason: str
    window: str = Field(
        description="The site's maintenance window; empty when there is none.",
        examples=["22:00-23:00 Europe/Berlin", "22:00-23:00 UTC+02:00"],
    )
    fixed: bool = Field(
        description="The window does not follow the clocks of the site when they are changed."
    )
    unseen: tuple[Literal["approval", "releases", "state"], ...] = Field(
        default=("approval", "releases", "state"),
        description="What the tenant does not show of an upgrade: Microsoft Graph has no place for it.",
    )


class UpgradeCheck(Report):
    """The running release and the newest one."""

    running: tuple[str, ...]
    server: str
    agent: str
    newest: str | None
    behind: int | None = Field(json_schema_extra={"minimum": 0})
    upgrade_available: bool
    refused_by_host: str = Field(
        description="Why the rules of this host refuse the agent's request for the offered release now; "
        "empty when they do not."
    )
    soaking_until: datetime | None = Field(
        description="Until then the agent does not install the offered release (`soak_days`); null when it "
        "does not wait for that."
    )
    decision: DecisionReport | None


class UpgradeReport(Report):
    """One upgrade."""

    release: str
    source: ImagePair
    target: ImagePair
    asked_by: Literal["administrator", "agent"]
    drain_minutes: int = Field(json_schema_extra={"minimum": 0})
    probe_url: str = Field(
        description="The internal address that was reached before and has to be reached again; may be empty."
    )
    sessions_before: int | None = Field(
        description="Devices connected before the switch; null when the gateway did not say, or nothing "
        "was switched.",
        json_schema_extra={"minimum": 0},
    )
    sessions_after: int | None = Field(
        description="Devices connected again when the release was proved; null when none had to "
        "be waited for.",
        json_schema_extra={"minimum": 0},
    )
    begun: datetime
    phase: UpgradePhase
    ended: datetime | None
    outcome: UpgradeOutcome | None
    reason: str
    held: bool = Field(
        description="An administrator chose this release over another, which is not installed automatically."
    )


class ReleaseInUse(Report):
    """The release that runs already."""

    release: str


class UpgradeHistory(Report):
    """The upgrades of this server, the newest first."""

    upgrades: tuple[UpgradeReport, ...]


def check(operator: Operator) -> Result[UpgradeCheck]:
    """Compare the running release with the newest one, without fetching or changing anything."""
    now = operator.clock.now()
    with open_run(operator, exclusively=False, despite_damage=True) as run:
        images, catalogue, found = running(run), offered(run.files, now), read_standing(run.files)
        feed, rules = read_feed_record(run.files), read_rules(run.files)
    behind, newest = catalogue.behind(images.digests), catalogue.newest_from(images.digests)
    names = release_names(catalogue, images.digests)
    upgrade_available = newest is not None and newest.digests != images.digests
    # An earlier release than the newest one may be offered, while that soaks.
    offer = offer_here(run.files, catalogue, now)
    wanted = offer if offer is not None and offer.digests != images.digests else newest
    refused = rules.objection(catalogue, wanted, now) if wanted and upgrade_available else ""
    until = catalogue.soaking_until(wanted, now) if wanted and upgrade_available else None
    report = UpgradeCheck(
        running=tuple(names),
        server=images.server,
        agent=images.agent,
        newest=newest.name if newest else None,
        behind=behind,
        upgrade_available=upgrade_available,
        refused_by_host=refused,
        soaking_until=until,
        decision=DecisionReport(**found.model_dump(exclude={"version"})) if found else None,
    )
    notices = tuple(_notices(catalogue, behind, feed, now))
    shown = f"{newest.name}, published {newest.published}" if newest else "none is offered"
    lines = [
        text("Running: {release}", release=", ".join(names) or text("images of no known release")),
        text("Newest:  {offer}", offer=shown),
        *(_decision_lines(found, upgrades=report.upgrade_available) if found else ()),
    ]
    if refused and not (until and found and found.code == "soaking"):
        lines.append(text("Host:    the agent may not upgrade now: {reason}", reason=refused))
    if report.upgrade_available:
        lines.append(text("Upgrade with `mst-cli upgrade apply`."))
    return Result("warning" if notices else "ok", report, notices, text=lines)


def _notices(
    catalogue: ReleaseCatalogue, behind: int | None, feed: FeedRecord | None, now: datetime
) -> Iterator[Problem]:
    if feed is not None and feed.expires is not None and feed.expired(now):
        yield warning(
            "feed-expired",
            "the release feed expired on {date}: no release of it is offered",
            hint="Run `mst-cli upgrade refresh`, or `mst-cli upgrade import FILE` with a newer archive.",
            date=f"{feed.expires:%Y-%m-%d}",
        )
    if not catalogue.releases:
        yield NO_RELEASES(catalogue=CATALOGUE).problem
    elif behind is not None and behind > _SUPPORTED_BEHIND:
        yield warning(
            "release-out-of-support",
            "{count} newer releases exist; only the newest and the one before it are supported",
            hint="Run `mst-cli upgrade apply`.",
            count=behind,
        )


def _decision_lines(found: LastDecision, *, upgrades: bool) -> Iterator[str]:
    """Yield lines on the maintenance window, the data that the tenant lacks, and why the agent waits."""
    if found.window:
        follows = text(
            ", regardless of daylight saving time; to follow it, write `time_zone` in {catalogue}",
            catalogue=CATALOGUE,
        )
        more = follows if found.fixed else ""
        yield text("Window:  {window}{more}", window=plain(found.window), more=more)
    for number, unseen in enumerate(_NOT_IN_GRAPH):
        line = "         {unseen}" if number else "Graph:   {unseen}"
        yield sentence(line, {"unseen": unseen})
    if upgrades and found.waits:
        yield text(
            "Waits:   {reason} ({code}, as of {at:%Y-%m-%d %H:%M} UTC)",
            reason=plain(found.reason),
            code=found.code,
            at=found.at,
        )


def apply(
    operator: Operator, name: str | None, drain_minutes: int | None = None
) -> Result[UpgradeReport | ReleaseInUse]:
    """Upgrade to the release `name`, or the newest one offered; wait up to `drain_minutes` for sessions."""
    with open_run(operator) as run:
        running(run)
        finished = finish(run)
        catalogue = offered(run.files, operator.clock.now())
        if finished is not None and name is None and not catalogue.releases:
            return _ended(finished)
        newest = catalogue.newest_from(running(run).digests)
        if not catalogue.releases or (name is None and newest is None):
            raise NO_RELEASES(catalogue=CATALOGUE)
        release = newest if name is None else catalogue.with_name(name)
        if release is None:
            raise UsageError(
                "release-unknown",
                "there is no release {release}",
                hint="Use one that {catalogue} lists: {known}.",
                release=name,
                catalogue=CATALOGUE,
                known=", ".join(release.name for release in catalogue.releases),
            )
        if running(run).digests == release.digests:
            # Nothing is left to do: it ran already, or an interrupted upgrade to it was completed just now.
            if finished is not None:
                return _ended(finished)
            content = text("Release {name} is already running; nothing was changed.", name=release.name)
            return Result("unchanged", ReleaseInUse(release=release.name), text=[content])
        passed_over = newest.digests if newest and newest.digests != release.digests else None
        ended = upgrade_to(
            run,
            release.name,
            release.digests,
            "administrator",
            passes_over=passed_over,
            drain_minutes=catalogue.drain_minutes if drain_minutes is None else drain_minutes,
        )
        return _ended(ended, asked=True)


def rollback(operator: Operator) -> Result[UpgradeReport]:
    """Return to the release before the last upgrade; the agent does not install the abandoned one again."""
    with open_run(operator) as run:
        running(run)
        finished = finish(run)
        if finished is not None and (finished.rejects_source or finished.outcome is not UpgradeOutcome.DONE):
            return _ended(finished, asked=finished.rejects_source)
        last = read_history(run.files).to_roll_back
        if last is None or running(run).digests != last.target.digests:
            raise UsageError(
                "nothing-to-roll-back",
                "there is no upgrade to roll back",
                hint="See `mst-cli upgrade history`, or name a release: `mst-cli upgrade apply NAME`.",
            )
        earlier = last.source.digests
        try:
            catalogue = offered(run.files, operator.clock.now())
        except UsageError:
            # A rollback must work even if the release list is unreadable.
            catalogue = ReleaseCatalogue(())
        name = next(iter(release_names(catalogue, earlier)), "earlier")
        return _ended(upgrade_to(run, name, earlier, "administrator", rejects_source=True), asked=True)


def history(operator: Operator) -> Result[UpgradeHistory]:
    """Return all upgrades of this server, the newest first."""
    with open_run(operator, exclusively=False, despite_damage=True) as run:
        found = read_history(run.files)
    upgrades = found.upgrades[::-1]
    lines = [line for upgrade in upgrades for line in _lines(upgrade, found.held)]
    report = UpgradeHistory(upgrades=tuple(map(_report, upgrades)))
    return Result("ok", report, text=lines or [text("No upgrade was made.")])


def _ended(upgrade: Upgrade, *, asked: bool = False) -> Result[UpgradeReport]:
    """Return the result of an upgrade. Raises EngineError for a failed one if it was `asked` for."""
    report = _report(upgrade)
    if upgrade.outcome is UpgradeOutcome.DONE:
        content = text(
            "Release {release} is in use. The upgrade took {seconds:.0f} s.",
            release=upgrade.release,
            seconds=(upgrade.ended - upgrade.begun).total_seconds() if upgrade.ended else 0.0,
        )
        away = warning(
            "devices-away",
            "no device that was connected before has reconnected yet, so no session has confirmed the new "
            "release",
            hint="Run `mst-cli server show users` later; the devices may be asleep.",
        )
        warnings = (away,) if upgrade.unproved else ()
        return Result("changed", report, warnings, text=[content, *_sessions(upgrade), *_held(upgrade)])
    if asked:
        raise upgrade.error()
    content = text(
        "The interrupted upgrade to {release} was abandoned; the earlier release is in use.",
        release=upgrade.release,
    )
    return Result("changed", report, text=[content])


def _sessions(upgrade: Upgrade) -> Sequence[str]:
    """Return a line on the devices that were connected before and that reconnected, if known."""
    before, after = upgrade.sessions_before, upgrade.sessions_after
    back = (
        "" if after is None else text(", {sessions_after} back when it was confirmed", sessions_after=after)
    )
    shown = text("Sessions: {sessions_before} before{back}.", sessions_before=before, back=back)
    return [] if before is None else [shown]


def _held(upgrade: Upgrade) -> Sequence[str]:
    """Return a line on how long upgrades are held at the release that an administrator chose, if they are."""
    ends = text("until a newer release is published, or until `mst-cli upgrade apply`")
    shown = text("Held at {release}: {ends}.", release=upgrade.release, ends=ends)
    return [] if upgrade.held_back is None else [shown]


def _report(upgrade: Upgrade) -> UpgradeReport:
    shown = upgrade.model_dump(exclude={"rejects_source", "passes_over", "devices"})
    held = upgrade.outcome is UpgradeOutcome.DONE and upgrade.held_back is not None
    return UpgradeReport(**shown, held=held)


def _lines(upgrade: Upgrade, held: Collection[Digests]) -> Sequence[str]:
    line = text(
        "{begun:%Y-%m-%d %H:%M} UTC  {release}  {outcome}  by {asked_by}",
        begun=upgrade.begun,
        release=upgrade.release,
        outcome=upgrade.outcome or text("unfinished ({phase})", phase=upgrade.phase),
        asked_by=upgrade.asked_by,
    )
    details = [*([upgrade.reason] if upgrade.reason else []), *_sessions(upgrade)]
    details += _held(upgrade) if upgrade.held_back in held else []
    return [line, *(text("  {detail}", detail=detail) for detail in details)]
