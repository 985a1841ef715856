"""A tenant over real TLS that misbehaves on purpose: the sign-in and the Graph paths that the agent uses."""

import json
import random
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme

from tests.serving import serving
from tests.unit.agent.fakes import SERVER, SITE

# What each hour of the day is like, over and over. The last ten minutes of an hour are always good.
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
    """The state of the tenant. It knows the agent's clock, so that faults follow that time."""

    minutes: float = 0.0
    key: int = 0
    changes: int = 0
    requests: int = 0
    failed: int = 0
    check_ins: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(20260101))

    @property
    def fault(self) -> str:
        """What goes wrong now."""
        hour, minute = divmod(self.minutes, 60)
        return FAULTS[int(hour) % len(FAULTS)] if minute < 50 and self.chance.random() < 0.7 else "none"

    def at(self, minutes: float) -> None:
        """It is so many minutes later: every hour an administrator changes the server configuration."""
        # At half past, in the middle of the trouble.
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


class Handler(BaseHTTPRequestHandler):
    """Answers, or does not."""

    protocol_version = "HTTP/1.1"
    tenant: Tenant

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name in the base class)
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PATCH(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.tenant.requests += 1
        fault = self.tenant.fault
        if fault == "rotated-keys":
            # The tokens handed out so far are worth nothing from now on.
            self.tenant.key += 1
        elif fault != "none":
            self.tenant.failed += 1
            return self._misbehave(fault)
        return self._behave()

    def _misbehave(self, fault: str) -> None:
        if fault == "timeout":
            time.sleep(0.08)
            self.close_connection = True
        elif fault == "reset":
            self.close_connection = True
        elif fault == "half":
            self._send(200, b'{"id": "c1", "value": [', length=4000)
            self.close_connection = True
        elif fault == "wrong-json":
            self._send(
                200, self.tenant.chance.choice((b"[]", b"7", b'{"value": 3}', b'{"displayName": []}', b"{"))
            )
        elif fault == "html":
            self._send(200, b"<html><body>Please sign in to the guest network</body></html>", "text/html")
        else:
            self._send(int(fault), b'{"error": {"code": "x", "message": "out of order"}}')

    def _behave(self) -> None:
        path = self.path.partition("?")[0]
        if "/.well-known/" in path:
            base = f"https://{self.headers['Host']}/tenant"
            names = ("issuer", "authorization_endpoint", "token_endpoint", "device_authorization_endpoint")
            return self._json({name: f"{base}/{name}" for name in names})
        if path.endswith("/token_endpoint"):
            return self._json(
                {"access_token": f"key-{self.tenant.key}", "token_type": "Bearer", "expires_in": 3600}
            )
        if path == "/v2/":
            return self._json({})
        if self.headers.get("Authorization") != f"Bearer key-{self.tenant.key}":
            return self._send(401, b'{"error": {"code": "InvalidAuthenticationToken", "message": "no"}}')
        return self._graph(path)

    def _graph(self, path: str) -> None:
        if path.endswith("Thresholds"):
            self._json({"value": [{"id": "latency", "healthyThreshold": 9, "unhealthyThreshold": 30}]})
        elif path.endswith("microsoftTunnelServers"):
            self._json({"value": [{"id": SERVER, "displayName": "gw1"}]})
        elif path.endswith(SERVER):
            self.tenant.check_ins += self.command == "PATCH"
            self._json({"id": SERVER, "displayName": "gw1"})
        else:
            self._json(self.tenant.site())

    def _json(self, document: dict[str, Any]) -> None:
        self._send(200, json.dumps(document).encode())

    def _send(
        self, status: int, body: bytes, kind: str = "application/json", length: int | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        if status == 503:
            self.send_header("Retry-After", "7")
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def misbehaving(tenant: Tenant, roots: Path) -> Iterator[int]:
    """Serve the tenant; its root is written to `roots`. Yields the port."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(roots)
    handler = type("Bound", (Handler,), {"tenant": tenant})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving(server):
        yield server.server_port
