"""The exchange between agent and host: the agent's requests, and the host's reply to each.

It is a privilege boundary. The agent is exposed to the internet: it writes requests into the inbox, and no
file that the gateway reads. The monitor reads them as data, bounded and strictly validated, and replies in
the outbox, where only the host writes. Agent and host may be of different releases, so the content of the
files never changes its meaning (docs/reference/files.md).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import BaseModel, BeforeValidator, Field, model_validator
from pydantic import field_serializer as serializer

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import StepError, TenantError
from mstunnel_setup.exchange.release_catalogue import Digests
from mstunnel_setup.gateway.configuration import ServerConfiguration
from mstunnel_setup.io import messages
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.messages import UtcTime

OFFER: Final = f"{paths.OUTBOX}/release.json"
"""The release that the agent may request."""
SUMMARY: Final = f"{paths.OUTBOX}/summary.json"
"""Other data of the administrator's release list for the agent."""


@dataclass(frozen=True)
class RequestKind:
    """A kind of request: the paths of request and reply, and the largest request in bytes."""

    request: str
    reply: str
    largest: int


# 500 rules take less than a tenth of this limit.
CONFIGURATION: Final = RequestKind(
    f"{paths.INBOX}/server-configuration.json", f"{paths.OUTBOX}/server-configuration.json", 256 * 1024
)
UPGRADE: Final = RequestKind(f"{paths.INBOX}/images_configured.upgrade", f"{paths.OUTBOX}/upgrade.json", 4096)
KINDS: Final = (CONFIGURATION, UPGRADE)

ReplyState: TypeAlias = Literal["applying", "waiting", "accepted", "refused", "failed"]
"""`applying`: in progress. `waiting`: delayed after too many changes. `failed`: undone."""

_STATES_OF_UPGRADE: Final[Mapping[str, str]] = {"applying": "upgrading", "accepted": "done"}
_READ_STATES: Final = {word: state for state, word in _STATES_OF_UPGRADE.items()}
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_ImageDigest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class _ConfigurationPayload(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True):
    """`configuration` is a microsoftTunnelConfiguration in Graph's format, `probe_url` the site's page."""

    version: Literal[1] = 1
    configuration: dict[str, object]
    probe_url: str = ""


class _UpgradePayload(BaseModel, frozen=True, extra="forbid", defer_build=True):
    server: _ImageDigest = Field(alias="serverImageDigest")
    agent: _ImageDigest = Field(alias="agentImageDigest")
    custom: Literal[0, 1] = Field(default=0, alias="mst_use_custom_image")


@dataclass(frozen=True)
class AgentRequest:
    """The unvalidated request in a file. `at` is the file's time, in seconds since 1970."""

    kind: RequestKind
    payload: bytes
    at: float = 0.0

    @classmethod
    def to_configure(cls, configuration: Mapping[str, object], probe_url: str) -> Self:
        """Return a request to serve a configuration. Raises TenantError `configuration-too-large`."""
        document = {"version": 1, "configuration": configuration, "probe_url": probe_url}
        payload = json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"
        if len(payload) > CONFIGURATION.largest:
            raise TenantError(
                "configuration-too-large",
                "the server configuration has {size} bytes; the maximum is {limit}",
                hint="Remove rules, domains or advanced settings from it.",
                size=len(payload),
                limit=CONFIGURATION.largest,
            )
        return cls(CONFIGURATION, payload)

    @classmethod
    def to_upgrade(cls, images: Digests) -> Self:
        """Return a request for a release."""
        document = {"serverImageDigest": images.server, "agentImageDigest": images.agent}
        return cls(UPGRADE, json.dumps({**document, "mst_use_custom_image": 0}, indent=2).encode() + b"\n")

    @property
    def digest(self) -> str:
        """The SHA-256 of the payload in hex, which identifies the request in a reply."""
        return hashlib.sha256(self.payload).hexdigest()

    def configuration(self) -> tuple[ServerConfiguration, str]:
        """Return the configuration, validated with the installer's model, and the address to probe.

        Raises FileError `message-invalid`, TenantError `configuration-invalid`.
        """
        found = messages.parse(self.payload, _ConfigurationPayload, self.kind.request)
        return ServerConfiguration.from_wire(found.configuration), found.probe_url

    def images(self) -> Digests:
        """Return the requested release. Raises StepError `upgrade-request-invalid`."""
        try:
            if len(self.payload) <= self.kind.largest:
                found = messages.parse(self.payload, _UpgradePayload, self.kind.request)
                return Digests(found.server, found.agent)
        except FileError:
            pass
        raise StepError(
            "upgrade-request-invalid",
            "{path} is not a valid upgrade request",
            hint="Remove it, and request an upgrade with `mst-cli upgrade apply`.",
            path=self.kind.request,
        )


class Reply(BaseModel, frozen=True, extra="ignore", defer_build=True):
    """The reply to the request with this `digest`, or to that for the images `server` and `agent`.

    `reason` and `hint` are empty on success. A reply to an upgrade has the time `at`, and two states under
    the names that the vendor's tools use.
    """

    version: Literal[1] = 1
    digest: _Sha256 | None = None
    server: _ImageDigest | None = None
    agent: _ImageDigest | None = None
    state: Annotated[ReplyState, BeforeValidator(lambda word: _READ_STATES.get(str(word), word))]
    reason: str = ""
    hint: str | None = None
    at: UtcTime | None = None

    @classmethod
    def to(cls, request: AgentRequest, state: ReplyState, reason: str = "", hint: str = "") -> Self:
        """Return the reply to a request for a configuration."""
        return cls(digest=request.digest, state=state, reason=reason, hint=hint)

    @classmethod
    def about(cls, images: Digests, state: ReplyState, reason: str, at: UtcTime) -> Self:
        """Return the reply to any request for a release."""
        return cls(server=images.server, agent=images.agent, state=state, reason=reason, at=at)

    @model_validator(mode="after")
    def _names_a_request(self) -> Self:
        if self.digest is None and None in (self.server, self.agent):
            raise ValueError("it names no request")
        return self

    @serializer("state")
    def _word(self, state: str) -> str:
        return state if self.digest else _STATES_OF_UPGRADE.get(state, state)

    @property
    def kind(self) -> RequestKind:
        """The kind of the request."""
        return CONFIGURATION if self.digest else UPGRADE

    @property
    def images(self) -> Digests:
        """The requested release."""
        return Digests(self.server or "", self.agent or "")


def send(files: Files, request: AgentRequest) -> bool:
    """Leave a request for the host in place of the previous one; return whether it differs.

    Nothing happens without a mailbox, which the step `launch` creates.
    """
    if files.state(paths.INBOX) is None or files.read(request.kind.request) == request.payload:
        return False
    files.write(request.kind.request, request.payload)
    return True


def receive(files: Files, kind: RequestKind) -> AgentRequest | None:
    """Return the request in the inbox, if any. Raises FileError for anything but a file of its size."""
    at, payload = files.modified(kind.request), files.read_untrusted(kind.request, kind.largest)
    return None if at is None or payload is None else AgentRequest(kind, payload, at)


def write_reply(files: Files, reply: Reply) -> None:
    """Replace the reply if it differs; nothing happens without a mailbox."""
    content = reply.model_dump_json(indent=2, exclude_none=True).encode() + b"\n"
    if files.state(paths.OUTBOX) is not None and files.read(reply.kind.reply) != content:
        files.write(reply.kind.reply, content)


def last_reply(files: Files, kind: RequestKind) -> Reply | None:
    """Return the last reply; None without a valid one."""
    found = messages.read_valid(files, kind.reply, Reply)
    return found if found is not None and found.kind is kind else None


def reply_to(files: Files, request: AgentRequest) -> Reply | None:
    """Return the reply to this configuration; None if there is none yet."""
    found = last_reply(files, request.kind)
    return found if found is not None and found.digest == request.digest else None


class Summary(BaseModel, frozen=True, extra="ignore", defer_build=True):
    """The site's time zone (IANA), if the list names it, and the number of newer releases.

    `behind` is None if the running images are not in the list. `held` means that an administrator chose a
    release other than the newest. `objection` says why the rules of the host refuse a request for the offered
    release now; it is empty if they do not. The offered release soaks until `soaking_until`; the host
    belongs to `ring`. A newer monitor may add fields.
    """

    version: Literal[1] = 1
    time_zone: str | None = None
    behind: Annotated[int, Field(ge=0)] | None = None
    held: bool = False
    objection: str = ""
    soaking_until: UtcTime | None = None
    ring: Annotated[int, Field(ge=1)] = 1


def read_summary(files: Files) -> Summary:
    """Return the summary; an empty one without a valid file."""
    return messages.read_trusted(files, SUMMARY, Summary) or Summary()
