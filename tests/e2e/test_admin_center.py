"""From an empty page to a connected device: configuration and site made in a browser, joined by a server.

Chromium signs in to the admin center, creates both, and types the code of the installer into the device page.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.testbed.installation import ADMINISTRATOR, LAB, PUBLIC_ADDRESS, Installation
from tests.testbed.paths import ROOT
from tests.testbed.testbed import DOMAIN

pytestmark = pytest.mark.e2e
SITE = "Tokyo"
Journey = Callable[[str, str], dict[str, str]]


@pytest.fixture
def journey(host: Installation, tmp_path: Path, screenshots: Path) -> Journey:
    """Do something in a browser inside the testbed's network."""
    facts = tmp_path / "facts.json"
    facts.write_text(json.dumps(browser_facts(host)))

    def go(what: str, argument: str) -> dict[str, str]:
        profile = tmp_path / f"profile-{what}"
        command = ["env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "tests.browser.journey"]
        done = host.testbed.namespace.run(
            *command, str(facts), str(profile), str(screenshots), what, argument, timeout=90
        )
        found: dict[str, str] = json.loads(done.stdout)
        return found

    return go


def browser_facts(host: Installation) -> dict[str, Any]:
    password = next(user["password"] for user in host.lab["users"] if user["upn"] == ADMINISTRATOR)
    return {
        **host.lab,
        "server_certificate": host.testbed.lab.read(f"{LAB}/server.pem"),
        "resolve": {f"lab.{DOMAIN}": "10.90.0.30"},
        "upn": ADMINISTRATOR,
        "password": password,
        "configuration": {
            "IP address range": "169.254.0.0/16",
            "DNS servers": "10.99.0.1",
            "DNS suffix search": DOMAIN,
            "IP ranges to include": "10.99.0.0/24",
        },
        "site": {
            "Public IP address or FQDN": PUBLIC_ADDRESS,
            "URL for internal network access check": f"http://intranet.{DOMAIN}/",
        },
    }


def test_a_site_made_in_the_browser_is_joined(
    host: Installation, journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = journey("prepare", SITE)["site"]
    typed: list[str] = []

    def type_code(line: str, _user: str) -> None:
        if code := host.code_in(line):
            typed.append(journey("approve", code)["heading"])

    monkeypatch.setattr(host, "approve", type_code)
    host.write_answers({"site": site})
    host.setup()
    assert typed == ["Signed in"]
    seen = journey("look", "gw1")
    assert "gw1" in seen["servers"]
    assert SITE in seen["server"]
    assert "standaloneRootful" in seen["server"]
    host.connect()
    host.check_page()
