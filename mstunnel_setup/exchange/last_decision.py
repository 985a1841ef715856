"""The agent's last decision about an upgrade and its reason, as a file for other programs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from mstunnel_setup.base import paths
from mstunnel_setup.exchange.maintenance_window import Window
from mstunnel_setup.exchange.upgrade_decision import Verdict
from mstunnel_setup.io import messages
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.messages import UtcTime

STANDING: Final = f"{paths.AGENT_STATE}/upgrade.json"
_LARGEST: Final = 4096
_Hidden: TypeAlias = Literal["approval", "releases", "state"]
HIDDEN_BY_GRAPH: Final[tuple[_Hidden, ...]] = ("approval", "releases", "state")
"""What Microsoft Graph has no place for: that an upgrade was approved, which release another server runs,
and how its upgrade stands."""

_AT_REST: Final = frozenset({"no-release", "up-to-date", "begin"})


class LastDecision(BaseModel):
    """The last decision, as of `at` (UTC). An agent of another version may add fields.

    `window` is the site's maintenance window as text, if any; `fixed`: it does not follow daylight saving
    time. `unseen` is what the tenant does not show of an upgrade.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    version: Literal[1] = 1
    at: UtcTime
    code: Annotated[str, Field(pattern=r"^[a-z]+(-[a-z]+)*$", max_length=40)]
    reason: str
    window: str = ""
    fixed: bool = False
    unseen: tuple[_Hidden, ...] = ()

    @property
    def waits(self) -> bool:
        """Whether there is a release that this server does not install yet."""
        return self.code not in _AT_REST


def standing(
    verdict: "Verdict", now: datetime, window: "Window | None", unseen: Sequence[_Hidden] = ()
) -> LastDecision:
    """The record of a decision."""
    found = LastDecision(at=now, code=verdict.code, reason=verdict.reason, unseen=tuple(unseen))
    return found.model_copy(update={"window": str(window), "fixed": window.fixed}) if window else found


def write_standing(files: Files, found: LastDecision) -> None:
    """Replace the file. Raises FileError."""
    files.make_directories(paths.AGENT_STATE)
    files.write(STANDING, found.model_dump_json(indent=2).encode() + b"\n")


def read_standing(files: Files) -> LastDecision | None:
    """The last decision; None when there is no valid one (the file belongs to the agent)."""
    try:
        return messages.read(files, STANDING, LastDecision, _LARGEST)
    except FileError:
        return None
