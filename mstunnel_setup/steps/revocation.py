"""What the authorities say about a certificate: asked through our HTTP session, kept for later commands."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from mstunnel_setup import paths
from mstunnel_setup.engine.file_actions import json_bytes
from mstunnel_setup.engine.values import JsonObject
from mstunnel_setup.errors import NetworkError
from mstunnel_setup.host.files import Files
from mstunnel_setup.host.http import HttpSession
from mstunnel_setup.steps.context import Context
from mstunnel_setup.steps.tenancy import http_session
from mstunnel_setup.tls.load import fingerprint
from mstunnel_setup.tls.model import Finding, Identity
from mstunnel_setup.tls.paths import best_path
from mstunnel_setup.tls.revocation import Fetch, Verdict, revocation_findings
from mstunnel_setup.tls.revocation import ask as ask_authorities
from mstunnel_setup.tls.revocation_answers import RevocationState

LAST = f"{paths.STATE}/revocation.json"
_TIMEOUT = 5.0
_DEADLINE = 5.0
# The largest public lists have a few megabytes.
_LARGEST = 32 * 1024 * 1024


@dataclass(frozen=True)
class Revocation:
    """What was learnt about a chain, the leaf first."""

    verdicts: tuple[Verdict, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Errors and warnings."""
        return tuple(revocation_findings(self.verdicts))

    @property
    def state(self) -> RevocationState:
        """The state of the leaf."""
        return self.verdicts[0].state if self.verdicts else RevocationState.NOT_OFFERED


def ask(context: Context, identity: Identity) -> Revocation:
    """Ask responders and lists about every certificate of the path to its root. Raises nothing of its own."""
    roots = context.world.trusted_roots
    now = context.world.clock.now()
    path = best_path(identity.leaf, identity.given or identity.chain, roots, now)
    http = http_session(context, timeout=_TIMEOUT, deadline=_DEADLINE)
    try:
        return Revocation(ask_authorities(path.certificates, fetching(http), now))
    finally:
        http.close()


def keep(context: Context, identity: Identity, found: Revocation) -> None:
    """Keep the answer for commands that must not wait for the network."""
    record: JsonObject = {
        "fingerprint": fingerprint(identity),
        "asked": context.world.clock.now().isoformat(timespec="seconds"),
        "state": found.state.value,
        "certificates": list(as_data(found.verdicts)),
    }
    context.world.files.write(LAST, json_bytes(record), 0o600)


def last(files: Files, name: str) -> JsonObject | None:
    """The answer kept for the generation `name`, if that was the last one asked about."""
    content = files.read(LAST)
    try:
        record: Any = json.loads(content) if content else None
    except ValueError:
        return None
    return record if isinstance(record, dict) and record.get("fingerprint") == name else None


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
