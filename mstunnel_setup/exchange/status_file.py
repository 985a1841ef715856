"""The agent's status file, and what it says about the agent's health."""

import platform
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, Field

from mstunnel_setup.base import paths
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.io import messages
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.messages import UtcTime

STATUS: Final = f"{paths.AGENT_STATE}/status.json"

# images/agent/healthcheck has the same limit.
_LATEST_ROUND: Final = timedelta(minutes=5)


PlainText = Annotated[str, AfterValidator(plain)]
"""Text for terminals: the agent wrote it, so it is one line without control characters."""


class SyncFailure(BaseModel, frozen=True, extra="forbid", defer_build=True):
    """What went wrong in the last round, and when. The host passes over `hint`, and has its own."""

    code: PlainText
    message: PlainText
    hint: PlainText
    at: UtcTime


class AgentStatus(BaseModel, frozen=True, extra="forbid", defer_build=True):
    """How the agent is doing. Times are UTC; `configuration_digest` names the files that are in place.

    `container` is the host name inside it, which is new for each container.
    """

    container: str = Field(default_factory=platform.node)
    started: UtcTime
    last_round: UtcTime | None = None
    last_check_in: UtcTime | None = None
    last_error: SyncFailure | None = None
    configuration_id: str | None = None
    configuration_digest: str | None = None


@dataclass(frozen=True)
class AgentCondition:
    """Whether the agent is healthy, and why."""

    healthy: bool
    reason: str


def write_status(files: Files, status: AgentStatus) -> None:
    """Replace the status file; that of another container counts for nothing, so it needs no version."""
    messages.write(files, STATUS, status)


def read_status(files: Files) -> AgentStatus | None:
    """The status of the agent in this container, or None when there is none that can be read."""
    found = messages.read_valid(files, STATUS, AgentStatus)
    return found if found is not None and found.container == platform.node() else None


def agent_condition(status: AgentStatus | None, now: datetime) -> AgentCondition:
    """Healthy: the agent went round less than 5 minutes ago, whether the tenant answered or not.

    A tenant that is away is a row of the health report; restarting this container would not bring it back.
    """
    if status is None:
        return AgentCondition(healthy=False, reason=text("the agent is not running"))
    alive = status.last_round or status.started
    # A clock that was set back must not keep an old round fresh.
    if abs(now - alive) >= _LATEST_ROUND:
        since = alive.isoformat(timespec="seconds")
        reason = text("the agent has been inactive since {alive}", alive=since)
        return AgentCondition(healthy=False, reason=reason)
    seen = text("has not checked in yet")
    if status.last_check_in:
        at = status.last_check_in.isoformat(timespec="seconds")
        seen = text("checked in at {last_check_in}", last_check_in=at)
    cause = text(": {message}", message=status.last_error.message) if status.last_error else ""
    return AgentCondition(healthy=True, reason=f"{seen}{cause}")
