"""The upgrade history of this server: one record per upgrade, the unfinished one last."""

from datetime import datetime
from enum import StrEnum
from typing import Final, Literal

from pydantic import BaseModel, ValidationError

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import EngineError, StepError
from mstunnel_setup.base.text import text
from mstunnel_setup.exchange.release_catalogue import Digests
from mstunnel_setup.io.files import Files

HISTORY: Final = f"{paths.STATE}/upgrades.json"
_KEPT: Final = 50


class UpgradePhase(StrEnum):
    """The phase of an upgrade. Each one can be restarted after a crash."""

    FETCH = "fetch"
    DRAIN = "drain"
    SWITCH = "switch"
    BACK = "back"
    ENDED = "ended"


class UpgradeOutcome(StrEnum):
    """The outcome: the new release runs, the earlier one was restored, or nothing was changed."""

    DONE = "done"
    WENT_BACK = "went-back"
    NOT_BEGUN = "not-begun"


class ImagePair(BaseModel, frozen=True, extra="forbid", defer_build=True):
    """References (`name@sha256:…`) of the two images."""

    server: str
    agent: str

    @property
    def digests(self) -> Digests:
        """The digests of both references."""
        return Digests(self.server.rpartition("@")[2], self.agent.rpartition("@")[2])

    def moved_to(self, digests: Digests) -> "ImagePair":
        """Return the same names with other digests."""
        server, agent = (reference.rpartition("@")[0] for reference in (self.server, self.agent))
        return ImagePair(server=f"{server}@{digests.server}", agent=f"{agent}@{digests.agent}")


class Upgrade(BaseModel, frozen=True, extra="forbid", defer_build=True):
    """One upgrade, from one pair of images to another. Times are UTC; `reason` is why it failed.

    `rejects_source` marks a rollback by an administrator: the source release is not installed automatically
    again. Nor is `passes_over`, the newest release if an administrator chose an earlier one. `drain_minutes`
    is the drain time before the switch; `probe_url` the internal address that the gateway reached before and
    must reach again. `devices` are the addresses connected before the switch, deleted at the end;
    `sessions_before` and `sessions_after` are session counts, None if unknown or not switched.
    """

    release: str
    source: ImagePair
    target: ImagePair
    asked_by: Literal["administrator", "agent"]
    rejects_source: bool = False
    passes_over: Digests | None = None
    drain_minutes: int = 0
    probe_url: str = ""
    devices: tuple[str, ...] = ()
    sessions_before: int | None = None
    sessions_after: int | None = None
    begun: datetime
    phase: UpgradePhase = UpgradePhase.FETCH
    ended: datetime | None = None
    outcome: UpgradeOutcome | None = None
    reason: str = ""

    @property
    def held_back(self) -> Digests | None:
        """The release that is not installed automatically after this upgrade."""
        return self.source.digests if self.rejects_source else self.passes_over

    @property
    def replaces_server(self) -> bool:
        """True if the gateway gets another image; otherwise its container stays."""
        return self.source.server != self.target.server

    @property
    def unproved(self) -> bool:
        """True if it succeeded, but no device has reconnected so far."""
        return self.outcome is UpgradeOutcome.DONE and bool(self.sessions_before) and self.sessions_after == 0

    def error(self) -> EngineError:
        """Return the error for a failed upgrade; it names the release that is in use now."""
        begun = self.outcome is not UpgradeOutcome.NOT_BEGUN
        return EngineError(
            "upgrade-failed",
            "the upgrade to {release} failed: {reason}; {kept}",
            hint="Fix the cause, then run `mst-cli upgrade apply` again. See `mst-cli upgrade history`.",
            release=self.release,
            reason=self.reason,
            kept=text("the earlier release is in use again") if begun else text("nothing was changed"),
        )


class History(BaseModel, frozen=True, extra="forbid", defer_build=True):
    """All upgrades of this server, the oldest first, with the version of the file format."""

    version: Literal[1] = 1
    upgrades: tuple[Upgrade, ...] = ()

    @property
    def unfinished(self) -> Upgrade | None:
        """The interrupted upgrade, if any."""
        last = self.upgrades[-1] if self.upgrades else None
        return last if last is not None and last.phase is not UpgradePhase.ENDED else None

    @property
    def to_roll_back(self) -> Upgrade | None:
        """The upgrade that installed the running release, unless that was itself a rollback."""
        last = next((item for item in reversed(self.upgrades) if item.outcome is UpgradeOutcome.DONE), None)
        return None if last is None or last.rejects_source else last

    @property
    def failed(self) -> frozenset[Digests]:
        """Releases whose last attempt here did not succeed."""
        last = {item.target.digests: item.outcome for item in self.upgrades if item.outcome is not None}
        return frozenset(digests for digests, outcome in last.items() if outcome is not UpgradeOutcome.DONE)

    @property
    def held(self) -> frozenset[Digests]:
        """Releases that an administrator rolled back from or passed over, until they are installed."""
        held: set[Digests] = set()
        for item in self.upgrades:
            if item.outcome is UpgradeOutcome.DONE:
                held.discard(item.target.digests)
                held.update([item.held_back] if item.held_back else [])
        return frozenset(held)

    def with_last(self, upgrade: Upgrade) -> "History":
        """Return the history with the unfinished upgrade replaced, or with a new one."""
        earlier = self.upgrades[:-1] if self.unfinished else self.upgrades
        return History(upgrades=(*earlier, upgrade)[-_KEPT:])


def read_history(files: Files) -> History:
    """Return all upgrades so far. Raises StepError `upgrades-unreadable`."""
    content = files.read(HISTORY)
    if content is None:
        return History()
    try:
        return History.model_validate_json(content)
    except ValidationError as error:
        raise StepError(
            "upgrades-unreadable",
            "cannot read {path}: it is damaged, or was written by a newer version",
            hint="Use the version that wrote it, or move the file away, which loses only the history.",
            path=HISTORY,
        ) from error


def write_history(files: Files, history: History) -> None:
    """Replace the file; it is on disk when this returns."""
    files.write(HISTORY, render_history(history), 0o600)


def render_history(history: History) -> bytes:
    """Return the content of the file."""
    return history.model_dump_json(indent=2).encode() + b"\n"
