"""A lab as a browser meets it: with a server that has reported for a day, and an administrator signed in."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mstunnel_lab.health import ReportedHealth
from mstunnel_lab.records import ServerRecord, SiteRecord
from mstunnel_lab.store import Store
from mstunnel_setup.tenant.wire import HealthStatus
from tests.browser.chromium import WIDE, Browser, chromium, lab_certificate
from tests.unit.running_lab import running_lab

ADMINISTRATOR = "admin@contoso.example"
HOURS = 24
SERVER = "gw1"
FIGURES = {
    "connections": 1240,
    "throughput": 310_000_000,
    "cpu-usage": 62,
    "cpu-cores": 4,
    "memory-usage": 41,
    "disk-space": 37 * 1024**3,
    "latency": 4,
}
VERDICTS = {
    "connections": ("healthy", "1240"),
    "throughput": ("healthy", "310.0 Mbit/s"),
    "cpu-usage": ("healthy", "62 %"),
    "cpu-cores": ("healthy", "4"),
    "memory-usage": ("healthy", "41 %"),
    "disk-space": ("healthy", "37.0 GB free"),
    "latency": ("healthy", "4 ms"),
    "agent-certificate": ("healthy", "61 days left"),
    "tls-certificate": ("warning", "24 days left"),
    "tls-revocation": ("healthy", "not revoked"),
    "internal-network": ("healthy", "http://10.99.0.10/ returned HTTP 200"),
    "upgradeability": ("healthy", "the registry answered 2 minutes ago"),
    "server-version": ("healthy", "the newest"),
    "server-container": ("healthy", "serving"),
    "server-configuration": ("healthy", "applied"),
}


def add_server(directory: Path) -> str:
    """A server that has reported for a day: busy by day, quiet by night."""
    store = Store(directory / "lab.sqlite")
    try:
        site = store.each(SiteRecord)[0]
        checks = [{"id": name, "status": state, "text": text} for name, (state, text) in VERDICTS.items()]
        report = {"status": "warning", "metrics": FIGURES, "checks": checks}
        health = ReportedHealth.model_validate(report)
        identifier = "00000000-0000-4000-8000-0000000000a1"
        status, seen = HealthStatus.WARNING, datetime.now(UTC)
        server = ServerRecord(
            id=identifier,
            display_name=SERVER,
            site_id=site.id,
            health=health,
            tunnel_server_health_status=status,
            last_checkin_date_time=seen,
        )
        store.add(server, parent=site.id)
        now = time.time()
        for hour in range(HOURS):
            busy = 0.5 - 0.5 * math.cos(2 * math.pi * hour / HOURS)
            figures = {name: round(value * (0.3 + 0.7 * busy)) for name, value in FIGURES.items()}
            store.add_trend(server.id, figures, now - (HOURS - hour) * 3600, 3 * 3600)
        return server.id
    finally:
        store.close()


@dataclass(frozen=True)
class Site:
    """A browser in which an administrator has signed in, and the lab behind it."""

    browser: Browser
    lab: dict[str, Any]
    server: str

    def path(self, path: str) -> str:
        return path.replace("{server}", self.server).replace("{site}", self.site_id)

    @property
    def site_id(self) -> str:
        return str(self.lab["site_id"])

    def open(self, path: str) -> Browser:
        self.browser.open(self.lab["graph"] + self.path(path))
        return self.browser


@contextmanager
def served_site(directory: Path, profile: Path) -> Iterator[Site]:
    """A lab in the directory, and a browser with its profile there."""
    with running_lab(directory):
        pass  # It makes its database.
    server = add_server(directory)
    with running_lab(directory) as facts:
        store = Store(directory / "lab.sqlite")
        facts["site_id"] = store.each(SiteRecord)[0].id
        store.close()
        with chromium(profile, lab_certificate(directory)) as browser:
            browser.size(WIDE)
            sign_in(browser, facts)
            yield Site(browser, facts, server)


def password_of(facts: dict[str, Any]) -> str:
    """The password of the administrator."""
    return str(next(user["password"] for user in facts["users"] if user["upn"] == ADMINISTRATOR))


def sign_in(browser: Browser, facts: dict[str, Any]) -> None:
    browser.open(facts["admin_center"])
    browser.type("Account", ADMINISTRATOR)
    browser.type("Password", password_of(facts))
    browser.press("Sign in")
    assert browser.heading() == "Servers"
