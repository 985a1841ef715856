"""The lab's health page and its device sign-in in a real browser, on a phone too; axe-core finds nothing."""

import json
from pathlib import Path

import pytest
import requests
from selenium.webdriver.common.by import By

from tests.browser.chromium import PHONE, WIDE
from tests.browser.served_site import ADMINISTRATOR, Site, password_of

pytestmark = pytest.mark.e2e


def test_trends_are_drawn(site: Site, screenshots: Path) -> None:
    site.browser.size(WIDE)
    site.browser.colours("light")
    browser = site.open("/admin/health/{server}/trends")
    charts = browser.driver.find_elements(By.TAG_NAME, "svg")
    assert len(charts) == 6
    assert all(chart.size["height"] > 100 for chart in charts)
    assert all(chart.aria_role in {"img", "image"} for chart in charts)
    assert "CPU usage (%)" in [chart.accessible_name for chart in charts]
    browser.screenshot(screenshots / "lab-trends.png")
    site.open("/admin/health/{server}").screenshot(screenshots / "lab-health-check.png")
    assert browser.violations() == []
    assert browser.console() == []


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
        browser.type("Password", password_of(site.lab))
        browser.press("Sign in")
        browser.wait_for_heading("Signed in")
        grant = {
            "grant_type": "device_code",
            "device_code": code["device_code"],
            "client_id": form["client_id"],
        }
        answer = session.post(f"{base}/token", data=grant, timeout=20).json()
    assert "access_token" in answer, json.dumps(answer)
