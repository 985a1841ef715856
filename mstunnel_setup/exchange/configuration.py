"""Data from the agent to the host, and the host's answer; the host validates and renders it.

The agent is exposed to the internet, so it passes the tenant's data on in one bounded file, and writes no
file that the gateway reads.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import TenantError
from mstunnel_setup.gateway.configuration import ServerConfiguration
from mstunnel_setup.io import messages
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files

LARGEST: Final = 256 * 1024
"""Bytes; 500 rules take less than a tenth of it."""

_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Handed(BaseModel):
    """`configuration` is a microsoftTunnelConfiguration in Graph's format, `probe_url` the site's page."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    version: Literal[1] = 1
    configuration: dict[str, object]
    probe_url: str = ""


class Verdict(BaseModel):
    """The result for the data with the SHA-256 `digest`; `reason` and `hint` are empty on success.

    `applying`: the gateway has not accepted it yet. `waiting`: delayed after too many changes.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Literal[1] = 1
    digest: _Digest
    state: Literal["applying", "accepted", "refused", "waiting"]
    reason: str = ""
    hint: str = ""

    @classmethod
    def refused(cls, digest: str, reason: str, hint: str) -> "Verdict":
        """The verdict on refused data."""
        return cls(digest=digest, state="refused", reason=reason, hint=hint)


@dataclass(frozen=True)
class Handed:
    """The validated data; `digest` is its name."""

    digest: str
    configuration: ServerConfiguration
    probe_url: str


def encode(configuration: Mapping[str, object], probe_url: str) -> bytes:
    """The file content for the data. Raises TenantError `configuration-too-large`."""
    document = {"version": 1, "configuration": configuration, "probe_url": probe_url}
    content = json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"
    if len(content) > LARGEST:
        raise TenantError(
            "configuration-too-large",
            "the server configuration has {size} bytes; the maximum is {limit}",
            hint="Remove rules, domains or advanced settings from it.",
            size=len(content),
            limit=LARGEST,
        )
    return content


def name_of(content: bytes) -> str:
    """SHA-256 in hex, the name of the data in a verdict."""
    return hashlib.sha256(content).hexdigest()


def read_handed(files: Files) -> bytes | None:
    """The data, not validated; None when there is none. Raises FileError for anything but a file."""
    return files.read_untrusted(paths.CONFIGURATION_HANDED, LARGEST)


def judge(content: bytes) -> Handed:
    """The data, validated with the model of the installer.

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
    """The verdict about the data with this name; None when there is no valid one yet."""
    try:
        found = messages.read(files, paths.CONFIGURATION_VERDICT, Verdict)
    except FileError:
        return None
    return found if found is not None and found.digest == digest else None
