"""A tenant over real TLS that misbehaves on purpose, with the sign-in and Graph paths of the agent."""

import json
import random
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

from tests.serving import Answer, Request, answering
from tests.unit.agent.fakes import SERVER, SITE

# The faults of each hour, repeated over the day. The last ten minutes of an hour are always good.
FAULTS = (
    "none",
    "timeout",
    "500",
    "401",
    "wrong-json",
    "rotated-keys",
    "503",
    "reset",
    "403",
    "half",
    "html",
)


@dataclass
class Tenant:
    """A tenant with faults, which knows the agent's clock."""

    minutes: float = 0.0
    key: int = 0
    changes: int = 0
    requests: int = 0
    failed: int = 0
    check_ins: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(20260101))

    @property
    def fault(self) -> str:
        """Return the present fault."""
        hour, minute = divmod(self.minutes, 60)
        return FAULTS[int(hour) % len(FAULTS)] if minute < 50 and self.chance.random() < 0.7 else "none"

    def at(self, minutes: float) -> None:
        """Set the time: every hour an administrator changes the server configuration."""
        # The change comes at half past, in the middle of the faults.
        self.changes = int((minutes + 30) // 60)
        self.minutes = minutes

    def site(self) -> dict[str, Any]:
        configuration = {"id": "c1", "displayName": "Default", "network": f"10.{self.changes}.0.0/16"}
        return {
            "id": SITE,
            "displayName": "Osaka",
            "internalNetworkProbeUrl": "http://intranet.example/",
            "upgradeAvailable": False,
            "upgradeAutomatically": True,
            "microsoftTunnelConfiguration": configuration,
        }

    def __call__(self, request: Request) -> Answer | None:
        self.requests += 1
        fault = self.fault
        if fault == "rotated-keys":
            # All tokens issued so far become invalid.
            self.key += 1
        elif fault != "none":
            self.failed += 1
            return self._misbehave(fault)
        return self._behave(request)

    def _misbehave(self, fault: str) -> Answer | None:
        match fault:
            case "timeout":
                time.sleep(0.08)
                return None
            case "reset":
                return None
            case "half":
                half = {"Content-Length": "4000", "Connection": "close"}
                return _answer(200, b'{"id": "c1", "value": [', **half)
            case "wrong-json":
                wrong = (b"[]", b"7", b'{"value": 3}', b'{"displayName": []}', b"{")
                return _answer(200, self.chance.choice(wrong))
            case "html":
                page = b"<html><body>Please sign in to the guest network</body></html>"
                return _answer(200, page, **{"Content-Type": "text/html"})
        wait = {"Retry-After": "7"} if fault == "503" else {}
        return _answer(int(fault), b'{"error": {"code": "x", "message": "out of order"}}', **wait)

    def _behave(self, request: Request) -> Answer:
        path = request.path.partition("?")[0]
        if "/.well-known/" in path:
            base = f"https://{request.headers['Host']}/tenant"
            names = ("issuer", "authorization_endpoint", "token_endpoint", "device_authorization_endpoint")
            return _json({name: f"{base}/{name}" for name in names})
        if path.endswith("/token_endpoint"):
            return _json({"access_token": f"key-{self.key}", "token_type": "Bearer", "expires_in": 3600})
        if path == "/v2/":
            return _json({})
        if request.headers.get("Authorization") != f"Bearer key-{self.key}":
            return _answer(401, b'{"error": {"code": "InvalidAuthenticationToken", "message": "no"}}')
        return self._graph(request.method, path)

    def _graph(self, method: str, path: str) -> Answer:
        if path.endswith("Thresholds"):
            return _json({"value": [{"id": "latency", "healthyThreshold": 9, "unhealthyThreshold": 30}]})
        if path.endswith("microsoftTunnelServers"):
            return _json({"value": [{"id": SERVER, "displayName": "gw1"}]})
        if path.endswith(SERVER):
            self.check_ins += method == "PATCH"
            return _json({"id": SERVER, "displayName": "gw1"})
        return _json(self.site())


def _json(document: dict[str, Any]) -> Answer:
    return _answer(200, json.dumps(document).encode())


def _answer(status: int, body: bytes, **headers: str) -> Answer:
    return Answer(status, body, {"Content-Type": "application/json", **headers})


@contextmanager
def misbehaving(tenant: Tenant, roots: Path) -> Iterator[int]:
    """Serve the tenant, write its root certificate to `roots`, and yield the port."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(roots)
    with answering(tenant, tls=context) as port:
        yield port
