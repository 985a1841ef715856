"""What the agent hands over to the host, and what the host answers: data, judged and rendered by the host.

The agent talks to the internet. So it says what the tenant said, in one bounded file; it writes no file that
the gateway reads.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from mstunnel_setup import paths
from mstunnel_setup.gateway.configuration import ServerConfiguration
from mstunnel_setup.gateway.errors import CONFIGURATION_INVALID
from mstunnel_setup.host import messages
from mstunnel_setup.host.errors import FileError
from mstunnel_setup.host.files import Files

LARGEST: Final = 256 * 1024
"""Bytes; 500 rules take less than a tenth of it."""

_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Handed(BaseModel):
    """`configuration` is a microsoftTunnelConfiguration as Graph writes it, `probe_url` the site's page."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    version: Literal[1] = 1
    configuration: dict[str, object]
    probe_url: str = ""


class Verdict(BaseModel):
    """What became of the data whose SHA-256 is `digest`; `reason` and `hint` are empty when all is well.

    `applying`: the gateway has not said yet whether it takes it. `waiting`: too many changes came before.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Literal[1] = 1
    digest: _Digest
    state: Literal["applying", "accepted", "refused", "waiting"]
    reason: str = ""
    hint: str = ""

    @classmethod
    def refused(cls, digest: str, reason: str, hint: str) -> "Verdict":
        """The verdict on data that is not served."""
        return cls(digest=digest, state="refused", reason=reason, hint=hint)


@dataclass(frozen=True)
class Handed:
    """The data, judged; `digest` is its name."""

    digest: str
    configuration: ServerConfiguration
    probe_url: str


def encode(configuration: Mapping[str, object], probe_url: str) -> bytes:
    """The data as it is handed over. Raises TenantError when it is longer than the host reads."""
    document = {"version": 1, "configuration": configuration, "probe_url": probe_url}
    content = json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"
    if len(content) > LARGEST:
        raise CONFIGURATION_INVALID(count=len(content), largest=LARGEST)
    return content


def name_of(content: bytes) -> str:
    """SHA-256 in hex: what a verdict is about."""
    return hashlib.sha256(content).hexdigest()


def read_handed(files: Files) -> bytes | None:
    """The data that lies there, unjudged; None when there is none. Raises FileError for what is no file."""
    return files.read_untrusted(paths.CONFIGURATION_HANDED, LARGEST)


def judge(content: bytes) -> Handed:
    """The data, judged by the model that the installer uses.

    Raises FileError `message-invalid`, TenantError `configuration-invalid`.
    """
    found = messages.parse(content, _Handed, paths.CONFIGURATION_HANDED)
    return Handed(name_of(content), ServerConfiguration.from_wire(found.configuration), found.probe_url)


def write_verdict(files: Files, verdict: Verdict) -> None:
    """Replace the verdict, unless it is the same."""
    content = verdict.model_dump_json(indent=2).encode() + b"\n"
    if files.read(paths.CONFIGURATION_VERDICT) != content:
        files.write(paths.CONFIGURATION_VERDICT, content)


def read_verdict(files: Files, digest: str) -> Verdict | None:
    """The verdict about the data with this name; None when there is none yet that can be read."""
    try:
        found = messages.read(files, paths.CONFIGURATION_VERDICT, Verdict)
    except FileError:
        return None
    return found if found is not None and found.digest == digest else None
