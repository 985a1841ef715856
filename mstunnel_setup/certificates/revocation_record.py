"""The last revocation answers, as a file for commands that must not wait for the network.

A damaged file, or one of a newer release, is ignored: the authorities are asked again.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from mstunnel_setup.base import paths
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.base.values import json_bytes
from mstunnel_setup.certificates.revocation import Verdict
from mstunnel_setup.certificates.revocation_answers import RevocationState
from mstunnel_setup.io import messages
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.messages import UtcTime

ASKED_BY_COMMANDS: Final = f"{paths.STATE}/revocation.json"
ASKED_BY_AGENT: Final = f"{paths.AGENT_STATE}/revocation.json"
_LARGEST_RECORD: Final = 256 * 1024
_LONGEST_PROBLEM: Final = 420


class AskedAddress(BaseModel):
    """One address that was asked, and why it gave no answer."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    method: str
    address: str
    answer: RevocationState | None
    problem: str


class AskedCertificate(BaseModel):
    """One certificate of the chain."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    subject: str
    state: RevocationState
    attempts: tuple[AskedAddress, ...]


class Record(BaseModel):
    """What the file holds: what was said about the generation `fingerprint`, leaf first, and when."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    # The first release to write one gave it no version.
    version: Literal[1] = 1
    fingerprint: str
    asked: UtcTime
    state: RevocationState
    certificates: tuple[AskedCertificate, ...]

    @property
    def problems(self) -> list[str]:
        """Of each address that gave no answer why, fit for a terminal."""
        attempts = (attempt for certificate in self.certificates for attempt in certificate.attempts)
        return [
            plain(
                text("{address}: {problem}", address=attempt.address, problem=attempt.problem),
                _LONGEST_PROBLEM,
            )
            for attempt in attempts
            if attempt.problem
        ]


def state_of(verdicts: Sequence[Verdict]) -> RevocationState:
    """The state of a chain: that of its leaf, unless an authority above it is revoked."""
    if any(verdict.state is RevocationState.REVOKED for verdict in verdicts):
        return RevocationState.REVOKED
    return verdicts[0].state if verdicts else RevocationState.NOT_OFFERED


def keep(files: Files, path: str, name: str, verdicts: Sequence[Verdict], now: datetime) -> None:
    """Keep at `path` what was said about the generation `name`."""
    record = Record(
        fingerprint=name,
        asked=now.replace(microsecond=0),
        state=state_of(verdicts),
        certificates=tuple(_about(verdict) for verdict in verdicts),
    )
    files.write(path, json_bytes(record.model_dump(mode="json")), 0o600)


def last(files: Files, name: str, now: datetime) -> Record | None:
    """The newest answer kept about the generation `name`, by either program; none from the future."""
    records = (_read(files, path) for path in (ASKED_BY_COMMANDS, ASKED_BY_AGENT))
    about = [found for found in records if found and found.fingerprint == name and found.asked <= now]
    return max(about, key=lambda record: record.asked, default=None)


def _read(files: Files, path: str) -> Record | None:
    """One of the files is written by a less privileged container."""
    try:
        return messages.read(files, path, Record, _LARGEST_RECORD)
    except FileError:
        return None


def _about(verdict: Verdict) -> AskedCertificate:
    attempts = (
        AskedAddress(
            method=attempt.method,
            address=attempt.address,
            answer=None if attempt.answer is None else attempt.answer.state,
            problem=attempt.problem,
        )
        for attempt in verdict.attempts
    )
    return AskedCertificate(subject=verdict.subject, state=verdict.state, attempts=tuple(attempts))
