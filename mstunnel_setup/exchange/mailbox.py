"""The mailbox between agent and monitor: the agent requests a release, the monitor reports the result.

It is a privilege boundary: messages are validated strictly, with known keys and digests only.
"""

import json
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.exchange.releases import Digests
from mstunnel_setup.io import messages
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.messages import UtcTime

INBOX: Final = paths.INBOX
OUTBOX: Final = paths.OUTBOX
REQUEST: Final = f"{INBOX}/images_configured.upgrade"
ANSWER: Final = f"{OUTBOX}/upgrade.json"
OFFER: Final = f"{OUTBOX}/release.json"
"""The release that the agent may request."""
SUMMARY: Final = f"{OUTBOX}/summary.json"
"""Other data of the administrator's release list for the agent."""
LONGEST: Final = 4096
"""Bytes; a longer request is refused without parsing."""

_Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]

State: TypeAlias = Literal["upgrading", "done", "failed", "refused"]


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    server: _Digest = Field(alias="serverImageDigest")
    agent: _Digest = Field(alias="agentImageDigest")
    custom: Literal[0, 1] = Field(default=0, alias="mst_use_custom_image")


class Answer(BaseModel):
    """The result of the last upgrade; `reason` is empty unless it failed. `at` is UTC."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    version: Literal[1] = 1
    state: State
    server: _Digest
    agent: _Digest
    reason: str = ""
    at: UtcTime

    @property
    def digests(self) -> Digests:
        """The release."""
        return Digests(self.server, self.agent)


class Summary(BaseModel):
    """The site's time zone (IANA), if the list names it; how many releases are newer than the running one.

    `behind` is None when the running images are not in the list; `held`: an administrator chose another
    release than the newest. A newer monitor may add fields.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    version: Literal[1] = 1
    time_zone: str | None = None
    behind: Annotated[int, Field(ge=0)] | None = None
    held: bool = False


def render(digests: Digests) -> bytes:
    """A request for a release."""
    request = {"serverImageDigest": digests.server, "agentImageDigest": digests.agent}
    return json.dumps({**request, "mst_use_custom_image": 0}, indent=2).encode() + b"\n"


def parse(content: bytes) -> Digests:
    """The requested release. Raises StepError `upgrade-request-invalid`."""
    try:
        if len(content) <= LONGEST:
            request = messages.parse(content, _Request, REQUEST)
            return Digests(request.server, request.agent)
    except FileError:
        pass
    raise StepError(
        "upgrade-request-invalid",
        "{path} is not a valid upgrade request",
        hint="Remove it, and request an upgrade with `mst-cli upgrade apply`.",
        path=REQUEST,
    )


def write_answer(files: Files, answer: Answer) -> None:
    """Replace the answer; nothing happens without a mailbox."""
    if files.state(OUTBOX) is not None:
        files.write(ANSWER, answer.model_dump_json(indent=2).encode() + b"\n")


def read_answer(content: bytes | None) -> Answer | None:
    """The answer; None when there is no valid one."""
    try:
        return Answer.model_validate_json(content or b"")
    except ValidationError:
        return None


def read_summary(content: bytes | None) -> Summary:
    """The summary; an empty one when there is no valid one."""
    try:
        return Summary.model_validate_json(content or b"")
    except ValidationError:
        return Summary()
