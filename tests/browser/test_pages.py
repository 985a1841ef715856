"""The lab's pages in a real browser: on a phone, by keyboard, for a screen reader (axe-core), in the dark."""

import json
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from mstunnel_setup.lab import trends
from mstunnel_setup.lab.records import ServerRecord, SiteRecord
from mstunnel_setup.lab.store import Store
from mstunnel_setup.tenant.wire import HealthStatus, LabHealth
from tests.browser.chromium import PHONE, WIDE, Browser, chromium, description, lab_certificate

LAB = str(Path(sys.executable).with_name("mstunnel-lab"))
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


def serve(directory: Path) -> subprocess.Popen[str]:
    command = [LAB, "serve", "--dir", str(directory), "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not (directory / "lab.json").exists():
        assert process.poll() is None
        time.sleep(0.05)
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    assert process.communicate(timeout=20)[1] == ""
    assert process.returncode == 0


def add_server(directory: Path) -> str:
    """A server that has reported for a day: busy by day, quiet by night."""
    store = Store(directory / "lab.sqlite")
    try:
        site = store.each(SiteRecord)[0]
        checks = [{"id": name, "status": state, "text": text} for name, (state, text) in VERDICTS.items()]
        report = {"status": "warning", "metrics": FIGURES, "checks": checks}
        health = LabHealth.model_validate(report)
        identifier = "00000000-0000-4000-8000-0000000000a1"
        status, seen = HealthStatus.WARNING, datetime.now(UTC)
        server = ServerRecord(
            id=identifier,
            display_name=SERVER,
            site_id=site.id,
            lab_health=health,
            tunnel_server_health_status=status,
            last_checkin_date_time=seen,
        )
        store.add(server, parent=site.id)
        now = time.time()
        for hour in range(HOURS):
            busy = 0.5 - 0.5 * math.cos(2 * math.pi * hour / HOURS)
            figures = {name: round(value * (0.3 + 0.7 * busy)) for name, value in FIGURES.items()}
            trends.add(store, server.id, figures, now - (HOURS - hour) * 3600, 3 * 3600)
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


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("lab")
    end(serve(directory))
    server = add_server(directory)
    process = serve(directory)
    facts = description(directory)
    store = Store(directory / "lab.sqlite")
    facts["site_id"] = store.each(SiteRecord)[0].id
    store.close()
    with chromium(tmp_path_factory.mktemp("profile"), lab_certificate(directory)) as browser:
        browser.size(WIDE)
        sign_in(browser, facts)
        yield Site(browser, facts, server)
    end(process)


def sign_in(browser: Browser, facts: dict[str, Any]) -> None:
    browser.open(facts["admin_center"])
    browser.type("Account", ADMINISTRATOR)
    browser.type("Password", next(u["password"] for u in facts["users"] if u["upn"] == ADMINISTRATOR))
    browser.press("Sign in")
    assert browser.heading() == "Servers"


PAGES = {
    "/admin/servers": "Servers",
    "/admin/servers/new": "Create a server",
    "/admin/servers/{server}": SERVER,
    "/admin/servers/{server}/delete": f"Delete server {SERVER}?",
    "/admin/sites": "Sites",
    "/admin/sites/new": "Create site",
    "/admin/sites/{site}": "Berlin",
    "/admin/sites/{site}/edit": "Edit Berlin",
    "/admin/configurations": "Server configurations",
    "/admin/configurations/new": "Create server configuration",
    "/admin/health": "Health status",
    "/admin/health/thresholds": "Configure thresholds",
    "/admin/health/{server}": SERVER,
    "/admin/health/{server}/trends": SERVER,
    "/admin/health/{server}/logs": SERVER,
    "/admin/sign-in": "Admin center",
    "/devicelogin": "Enter code",
}


@pytest.mark.parametrize("path", PAGES)
def test_the_page_is_accessible(site: Site, path: str) -> None:
    """Wide in light colours, on a phone in dark ones: axe-core has nothing to say, nothing is cut off."""
    for size, colours in ((WIDE, "light"), (PHONE, "dark")):
        site.browser.size(size)
        site.browser.colours(colours)
        browser = site.open(path)
        assert browser.heading().startswith(PAGES[path])
        assert browser.violations() == []
        assert not browser.overflows()
        assert browser.console() == []


def test_axe_does_see_what_is_wrong(site: Site) -> None:
    site.browser.size(WIDE)
    browser = site.open("/admin/sites/new")
    script = "document.querySelector('label').remove(); document.documentElement.removeAttribute('lang')"
    browser.driver.execute_script(script)
    found = " ".join(browser.violations())
    assert "html-has-lang" in found
    assert "label:" in found


def test_no_script_of_a_page_would_run(site: Site) -> None:
    """The policy of the page forbids it, even if one got into it."""
    browser = site.open("/admin/sites")
    make = "const s = document.createElement('script'); s.textContent = 'window.ran = 1';"
    browser.driver.execute_script(f"{make} document.body.append(s)")
    assert browser.driver.execute_script("return window.ran") is None
    assert "Content Security Policy" in " ".join(browser.console())


def test_a_configuration_by_keyboard_alone(site: Site) -> None:
    site.browser.size(WIDE)
    browser = site.open("/admin/configurations")
    _tab(browser)
    assert _focused(browser) == "Skip to content"
    _press(browser, Keys.ENTER)
    _tab_to(browser, "Create new")
    _press(browser, Keys.ENTER)
    browser.wait_for_heading("Create server configuration")
    _tab_to(browser, "name")
    _press(browser, "By keyboard")
    _tab_to(browser, "disable_udp_connections")
    _press(browser, Keys.SPACE)
    _tab_to(browser, "Save")
    _press(browser, Keys.ENTER)
    browser.wait_for_heading("By keyboard")
    assert "disabled" in browser.text()


def _press(browser: Browser, keys: str) -> None:
    browser.driver.switch_to.active_element.send_keys(keys)


def _tab(browser: Browser) -> None:
    _press(browser, Keys.TAB)


def _focused(browser: Browser) -> str:
    found = browser.driver.switch_to.active_element
    return found.get_attribute("id") or found.text


def _tab_to(browser: Browser, wanted: str) -> None:
    """Move on with the tabulator until something is reached; each focus on the way can be seen."""
    for _ in range(60):
        _tab(browser)
        outline = browser.driver.switch_to.active_element.value_of_css_property("outline-style")
        assert outline != "none", _focused(browser)
        if _focused(browser) == wanted:
            return
    raise AssertionError(f"{wanted} cannot be reached")


def test_an_error_is_shown_at_its_field(site: Site, screenshots: Path) -> None:
    site.browser.size(WIDE)
    site.browser.colours("light")
    browser = site.open("/admin/configurations/new")
    browser.type("Name", "Osaka")
    browser.type("IP address range", "255.255.0.0")
    browser.press("Save")
    browser.wait_for_text("Nothing was saved")
    assert browser.violations() == []
    field = browser.field("IP address range")
    assert field.get_attribute("aria-invalid") == "true"
    described = str(field.get_attribute("aria-describedby")).split()
    assert "mask" in browser.driver.find_element(By.ID, described[0]).text
    browser.screenshot(screenshots / "lab-refused.png")


def test_trends_are_drawn(site: Site, screenshots: Path) -> None:
    site.browser.size(WIDE)
    site.browser.colours("light")
    browser = site.open("/admin/health/{server}/trends")
    charts = browser.driver.find_elements(By.TAG_NAME, "svg")
    assert len(charts) == 6
    assert all(chart.size["height"] > 100 for chart in charts)
    assert charts[1].aria_role in {"img", "image"}
    assert charts[1].accessible_name == "CPU usage (%)"
    browser.screenshot(screenshots / "lab-trends.png")
    site.open("/admin/health/{server}").screenshot(screenshots / "lab-health-check.png")


def test_a_device_is_signed_in(site: Site, screenshots: Path) -> None:
    site.browser.size(PHONE)
    form = {
        "client_id": site.lab["client_id"],
        "scope": "https://graph.microsoft.com/.default offline_access",
    }
    with requests.Session() as session:
        session.trust_env = False
        session.verify = site.lab["ca_file"]
        base = f"{site.lab['authority']}/oauth2/v2.0"
        code = session.post(f"{base}/devicecode", data=form, timeout=20).json()
        browser = site.open("/devicelogin")
        browser.type("Code shown", code["user_code"].lower())
        browser.press("Next")
        browser.wait_for_heading("Sign in")
        assert browser.violations() == []
        browser.screenshot(screenshots / "lab-device-sign-in.png")
        browser.type("Account", ADMINISTRATOR)
        browser.type("Password", next(u["password"] for u in site.lab["users"] if u["upn"] == ADMINISTRATOR))
        browser.press("Sign in")
        browser.wait_for_heading("Signed in")
        grant = {
            "grant_type": "device_code",
            "device_code": code["device_code"],
            "client_id": form["client_id"],
        }
        answer = session.post(f"{base}/token", data=grant, timeout=20).json()
    assert "access_token" in answer, json.dumps(answer)
