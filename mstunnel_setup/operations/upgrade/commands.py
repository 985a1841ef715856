"""`mst-cli upgrade check|apply|rollback|history`."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.exchange.release_feed import offered, read_feed_record
from mstunnel_setup.exchange.releases import CATALOGUE, Digests, Release, ReleaseCatalogue
from mstunnel_setup.exchange.upgrade_decision import LastDecision, read_standing
from mstunnel_setup.exchange.upgrade_history import (
    ImagePair,
    Upgrade,
    UpgradeOutcome,
    UpgradePhase,
    read_history,
)
from mstunnel_setup.install.session import Run, open_run
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.operations.errors import NO_RELEASES, UPGRADE_FAILED
from mstunnel_setup.operations.upgrade.notices import kept
from mstunnel_setup.operations.upgrade.releases import release_names
from mstunnel_setup.operations.upgrade.run import UpgradeRequest, finish, running, upgrade_to

# Supported are the newest release and the one before it (docs/reference/releases.md).
_SUPPORTED_BEHIND = 1
_INSTEAD = {
    "approval": text(
        "does not show an approval; approve with `mst-cli upgrade apply` on each server, or have the "
        "site upgrade its servers automatically"
    ),
    "releases": text("does not show the releases of other servers; they take turns, half an hour each"),
    "state": text(
        "does not show an upgrade under way or failed; `mst-cli upgrade history` does, on each server"
    ),
}


class UpgradeDecision(Report):
    """What the agent last decided about an upgrade of this server; null before its first check-in."""

    at: datetime
    code: Annotated[str, Field(description="docs/how-to/upgrade.md lists them.")]
    reason: str
    window: Annotated[
        str,
        Field(
            description="The site's maintenance window; empty when there is none.",
            examples=["22:00-23:00 Europe/Berlin", "22:00-23:00 UTC+02:00"],
        ),
    ]
    fixed: Annotated[
        bool,
        Field(description="The window does not follow the clocks of the site when they are changed."),
    ]
    unseen: Annotated[
        tuple[Literal["approval", "releases", "state"], ...],
        Field(
            description="What the tenant does not show of an upgrade: Microsoft Graph has no place for it."
        ),
    ]


class UpgradeCheck(Report):
    """Which release runs, and which one is newest."""

    running: tuple[str, ...]
    server: str
    agent: str
    newest: str | None
    behind: Annotated[int | None, Field(json_schema_extra={"minimum": 0})]
    upgrade_available: bool
    decision: UpgradeDecision | None


class UpgradeReport(Report):
    """One upgrade."""

    release: str
    source: ImagePair
    target: ImagePair
    asked_by: Literal["administrator", "agent"]
    drain_minutes: Annotated[int, Field(json_schema_extra={"minimum": 0})]
    probe_url: Annotated[
        str,
        Field(
            description="The internal address that was reached before and has to be reached again; "
            "may be empty."
        ),
    ]
    sessions_before: Annotated[
        int | None,
        Field(
            description="Devices connected before the switch; null when nobody could be asked, or nothing "
            "was switched.",
            json_schema_extra={"minimum": 0},
        ),
    ]
    sessions_after: Annotated[
        int | None,
        Field(
            description="Devices connected again when the release was proved; null when there was nobody "
            "to wait for.",
            json_schema_extra={"minimum": 0},
        ),
    ]
    begun: datetime
    phase: UpgradePhase
    ended: datetime | None
    outcome: UpgradeOutcome | None
    reason: str
    held: Annotated[
        bool,
        Field(description="An administrator chose this release over another, which is not taken by itself."),
    ]


class UpgradeHistory(Report):
    """The upgrades of this server, the newest first."""

    upgrades: tuple[UpgradeReport, ...]


def check(operator: Operator) -> Result:
    """Which release runs, which one is newest, and how far apart they are; nothing is fetched or changed."""
    now = operator.clock.now()
    with open_run(operator, {}, exclusively=False) as run:
        images, catalogue, found = running(run), offered(run.files, now), read_standing(run.files)
        known = read_feed_record(run.files)
    behind = catalogue.behind(images.digests)
    newest = catalogue.newest
    names = release_names(catalogue, images.digests)
    report = UpgradeCheck(
        running=tuple(names),
        server=images.server,
        agent=images.agent,
        newest=newest.name if newest else None,
        behind=behind,
        upgrade_available=newest is not None and newest.digests != images.digests,
        decision=UpgradeDecision(**found.model_dump(exclude={"version"})) if found else None,
    )
    notices = tuple(_notices(catalogue, behind))
    if known is not None and known.expires is not None and known.expired(now):
        notices = (
            warning(
                "feed-expired",
                "the release feed expired on {date}: no release of it is offered",
                hint=(
                    "Run `mst-cli upgrade refresh`, or `mst-cli upgrade import FILE` with a newer archive."
                ),
                date=f"{known.expires:%Y-%m-%d}",
            ),
            *notices,
        )
    offer = f"{newest.name}, published {newest.published}" if newest else "none is offered"
    lines = [
        text("Running: {release}", release=", ".join(names) or text("images of no known release")),
        text("Newest:  {offer}", offer=offer),
    ]
    lines += [*_window(found), *_hidden(found)]
    if report.upgrade_available:
        lines += _waits(found)
        lines.append("Upgrade with `mst-cli upgrade apply`.")
    return Result("warning" if notices else "ok", report.data, notices, text=lines)


def apply(operator: Operator, name: str | None, drain_minutes: int | None = None) -> Result:
    """Upgrade to the release `name`, or to the newest one offered; sessions may go on for `drain_minutes`."""
    with open_run(operator, {}) as run:
        running(run)
        catalogue = offered(run.files, operator.clock.now())
        release = _chosen(catalogue, name)
        finished = finish(run)
        if running(run).digests == release.digests:
            return _runs_already(release, finished)
        minutes = catalogue.drain_minutes if drain_minutes is None else drain_minutes
        newest = catalogue.newest.digests if catalogue.newest else release.digests
        passes_over = newest if newest != release.digests else None
        request = UpgradeRequest(
            release.name, release.digests, "administrator", passes_over=passes_over, drain_minutes=minutes
        )
        return _ended(upgrade_to(run, request))


def rollback(operator: Operator) -> Result:
    """Go back to the release before the last upgrade; the abandoned one is not used again automatically."""
    with open_run(operator, {}) as run:
        running(run)
        finished = finish(run)
        if finished is not None and finished.rejects_source:
            return _ended(finished)
        if finished is not None and finished.outcome is not UpgradeOutcome.DONE:
            return _given_up(finished)
        last = read_history(run.files).to_roll_back
        if last is None or running(run).digests != last.target.digests:
            raise UsageError(
                "nothing-to-roll-back",
                "there is no upgrade to roll back",
                hint="See `mst-cli upgrade history`, or name a release: `mst-cli upgrade apply NAME`.",
            )
        earlier = last.source.digests
        name = _name(run, operator.clock.now(), earlier)
        return _ended(upgrade_to(run, UpgradeRequest(name, earlier, "administrator", rejects_source=True)))


def history(operator: Operator) -> Result:
    """All upgrades of this server, the newest first."""
    with open_run(operator, {}, exclusively=False) as run:
        found = read_history(run.files)
    upgrades = found.upgrades[::-1]
    lines = [line for upgrade in upgrades for line in _lines(upgrade, found.held)]
    report = UpgradeHistory(upgrades=tuple(map(_report, upgrades)))
    return Result("ok", report.data, text=lines or [text("No upgrade was made.")])


def _chosen(catalogue: ReleaseCatalogue, name: str | None) -> Release:
    found = catalogue.newest if name is None else catalogue.with_name(name)
    if found is not None:
        return found
    if not catalogue.releases:
        raise NO_RELEASES(catalogue=CATALOGUE)
    known = ", ".join(release.name for release in catalogue.releases)
    raise UsageError(
        "release-unknown",
        "there is no release {release}",
        hint="Use one that {catalogue} lists: {known}.",
        release=name,
        catalogue=CATALOGUE,
        known=known,
    )


def _name(run: Run, now: datetime, digests: Digests) -> str:
    """The newest name of these images; a list that cannot be read is no reason to keep a bad release."""
    try:
        catalogue = offered(run.files, now)
    except UsageError:
        catalogue = ReleaseCatalogue(())
    return next(iter(release_names(catalogue, digests)), "earlier")


def _runs_already(release: Release, finished: Upgrade | None) -> Result:
    """The wanted release runs: since before this command, or because it finished an interrupted upgrade."""
    if finished is None:
        content = text("Release {name} runs already; nothing was changed.", name=release.name)
        return Result("unchanged", {"release": release.name}, text=[content])
    return _ended(finished) if finished.outcome is UpgradeOutcome.DONE else _given_up(finished)


def _given_up(upgrade: Upgrade) -> Result:
    content = text(
        "The interrupted upgrade to {release} was given up; the earlier release is in use.",
        release=upgrade.release,
    )
    return Result("changed", _report(upgrade).data, text=[content])


def _ended(upgrade: Upgrade) -> Result:
    if upgrade.outcome is UpgradeOutcome.DONE:
        seconds = (upgrade.ended - upgrade.begun).total_seconds() if upgrade.ended else 0.0
        content = text(
            "Release {release} is in use. The upgrade took {seconds:.0f} s.",
            release=upgrade.release,
            seconds=seconds,
        )
        text_lines = [content, *_sessions(upgrade), *_held(upgrade)]
        return Result(
            "changed",
            _report(upgrade).data,
            (
                warning(
                    "devices-away",
                    (
                        "no device that was connected before has reconnected yet, so the new release is not "
                        "proved by a session"
                    ),
                    hint="Run `mst-cli server show users` later; the devices may be asleep.",
                ),
            )
            if upgrade.unproved
            else (),
            text=text_lines,
        )
    raise UPGRADE_FAILED(release=upgrade.release, reason=upgrade.reason, kept=kept(upgrade))


def _sessions(upgrade: Upgrade) -> Sequence[str]:
    """How many devices were connected before, and came back, where that is known."""
    if upgrade.sessions_before is None:
        return []
    back = (
        ""
        if upgrade.sessions_after is None
        else text(", {sessions_after} back when it was proved", sessions_after=upgrade.sessions_after)
    )
    return [
        text("Sessions: {sessions_before} before{back}.", sessions_before=upgrade.sessions_before, back=back)
    ]


def _held(upgrade: Upgrade) -> Sequence[str]:
    """That the release which an administrator chose stays, and how long."""
    if upgrade.held_back is None:
        return []
    ends = text("until a newer release is published, or until `mst-cli upgrade apply`")
    return [text("Held at {release}: {ends}.", release=upgrade.release, ends=ends)]


def _notices(catalogue: ReleaseCatalogue, behind: int | None) -> Sequence[Problem]:
    if not catalogue.releases:
        return [NO_RELEASES(catalogue=CATALOGUE).problem]
    if behind is not None and behind > _SUPPORTED_BEHIND:
        return [
            warning(
                "release-out-of-support",
                "{count} newer releases exist; only the newest and the one before it are supported",
                hint="Run `mst-cli upgrade apply`.",
                count=behind,
            )
        ]
    return []


def _window(found: LastDecision | None) -> Sequence[str]:
    """The site's maintenance window, if it has one, and how to have it follow the clocks of the site."""
    if found is None or not found.window:
        return []
    follows = text(
        ", in summer and winter alike; for another, write `time_zone` in {catalogue}", catalogue=CATALOGUE
    )
    return [text("Window:  {window}{more}", window=plain(found.window), more=follows if found.fixed else "")]


def _hidden(found: LastDecision | None) -> Sequence[str]:
    """What the tenant does not show of an upgrade, and what takes its place."""
    lines = [_INSTEAD[what] for what in found.unseen] if found else []
    return [
        f"{head} {line}" for head, line in zip(("Graph:  ", *[" " * 8] * len(lines)), lines, strict=False)
    ]


def _waits(found: LastDecision | None) -> Sequence[str]:
    """Why the agent does not upgrade automatically, as it reports it."""
    if found is None or not found.waits:
        return []
    return [
        text(
            "Waits:   {reason} ({code}, as of {at:%Y-%m-%d %H:%M} UTC)",
            reason=plain(found.reason),
            code=found.code,
            at=found.at,
        )
    ]


def _report(upgrade: Upgrade) -> UpgradeReport:
    shown = upgrade.model_dump(exclude={"rejects_source", "passes_over", "devices"})
    return UpgradeReport(
        **shown, held=upgrade.outcome is UpgradeOutcome.DONE and upgrade.held_back is not None
    )


def _lines(upgrade: Upgrade, held: Collection[Digests]) -> Sequence[str]:
    outcome = upgrade.outcome or text("unfinished ({phase})", phase=upgrade.phase)
    line = text(
        "{begun:%Y-%m-%d %H:%M} UTC  {release}  {outcome}  by {asked_by}",
        begun=upgrade.begun,
        release=upgrade.release,
        outcome=outcome,
        asked_by=upgrade.asked_by,
    )
    details = [*([upgrade.reason] if upgrade.reason else []), *_sessions(upgrade)]
    details += _held(upgrade) if upgrade.held_back in held else []
    return [line, *(text("  {detail}", detail=detail) for detail in details)]
