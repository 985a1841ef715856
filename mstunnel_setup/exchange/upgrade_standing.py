"""The agent's last decision about an upgrade, in a file that the host reads."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field

from mstunnel_setup.base import paths
from mstunnel_setup.io import messages
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.messages import UtcTime

STANDING: Final = f"{paths.AGENT_STATE}/upgrade.json"
_LARGEST: Final = 4096
_AT_REST: Final = frozenset({"no-release", "up-to-date", "begin"})


class LastDecision(BaseModel, frozen=True, extra="ignore", defer_build=True):
    """The last decision, made at `at` (UTC). An agent of another version may add fields.

    `window` is the site's maintenance window as text, if any. If `fixed`, the window ignores daylight saving
    time.
    """

    version: Literal[1] = 1
    at: UtcTime
    code: Annotated[str, Field(pattern=r"^[a-z]+(-[a-z]+)*$", max_length=40)]
    reason: str
    window: str = ""
    fixed: bool = False

    @property
    def waits(self) -> bool:
        """True if there is a release that this server does not install yet."""
        return self.code not in _AT_REST


def write_standing(files: Files, found: LastDecision) -> None:
    """Replace the file. Raises FileError."""
    messages.write(files, STANDING, found)


def read_standing(files: Files) -> LastDecision | None:
    """Return the last decision; None without a valid one."""
    return messages.read_valid(files, STANDING, LastDecision, _LARGEST)
