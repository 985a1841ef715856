"""What the authorities said, as a file that commands read which must not wait for the network."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

from mstunnel_setup import paths
from mstunnel_setup.engine.file_actions import json_bytes
from mstunnel_setup.engine.values import JsonObject
from mstunnel_setup.errors import NetworkError
from mstunnel_setup.host.files import Files
from mstunnel_setup.host.http import HttpSession
from mstunnel_setup.tls.revocation import Fetch, Verdict
from mstunnel_setup.tls.revocation_answers import RevocationState

ASKED_BY_COMMANDS: Final = f"{paths.STATE}/revocation.json"
ASKED_BY_AGENT: Final = f"{paths.AGENT_STATE}/revocation.json"
# The largest public lists have a few megabytes.
_LARGEST: Final = 32 * 1024 * 1024


def fetching(http: HttpSession) -> Fetch:
    """How `tls.revocation` fetches: any other status than 200 is no answer. Raises NetworkError."""

    def fetch(address: str, body: bytes | None) -> bytes:
        if body is None:
            response = http.get(address)
        else:
            headers = {"Content-Type": "application/ocsp-request", "Accept": "application/ocsp-response"}
            response = http.post(address, data=body, headers=headers)
        if response.status_code != HTTPStatus.OK:
            raise NetworkError("revocation-refused", f"it answered with status {response.status_code}")
        if len(response.content) > _LARGEST:
            raise NetworkError("revocation-too-large", f"the answer has {len(response.content)} bytes")
        return response.content

    return fetch


def state_of(verdicts: Sequence[Verdict]) -> RevocationState:
    """The state of a chain: that of its leaf, unless an authority above it is revoked."""
    if any(verdict.state is RevocationState.REVOKED for verdict in verdicts):
        return RevocationState.REVOKED
    return verdicts[0].state if verdicts else RevocationState.NOT_OFFERED


def keep(files: Files, path: str, name: str, verdicts: Sequence[Verdict], now: datetime) -> None:
    """Keep at `path` what was said about the generation `name`."""
    record: JsonObject = {
        "fingerprint": name,
        "asked": now.isoformat(timespec="seconds"),
        "state": state_of(verdicts).value,
        "certificates": as_data(verdicts),
    }
    files.write(path, json_bytes(record), 0o600)


def last(files: Files, name: str) -> JsonObject | None:
    """The newest answer kept about the generation `name`, by whomever it was asked for."""
    records = (_record(files.read(path)) for path in (ASKED_BY_COMMANDS, ASKED_BY_AGENT))
    return max(_about(records, name), key=lambda record: str(record["asked"]), default=None)


def _about(records: Iterable[JsonObject | None], name: str) -> list[JsonObject]:
    return [record for record in records if record is not None and record["fingerprint"] == name]


def _record(content: bytes | None) -> JsonObject | None:
    try:
        found: Any = json.loads(content) if content else None
    except ValueError:
        return None
    return found if isinstance(found, dict) and {"fingerprint", "asked", "state"} <= found.keys() else None


def as_data(verdicts: Sequence[Verdict]) -> list[Any]:
    """The verdicts as JSON data."""
    return [
        {
            "subject": verdict.subject,
            "state": verdict.state.value,
            "attempts": [
                {
                    "method": attempt.method,
                    "address": attempt.address,
                    "answer": None if attempt.answer is None else attempt.answer.state.value,
                    "problem": attempt.problem,
                }
                for attempt in verdict.attempts
            ],
        }
        for verdict in verdicts
    ]
