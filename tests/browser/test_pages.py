"""The lab's pages in a real browser: on a phone, by keyboard, for a screen reader (axe-core), in the dark."""

import json
from pathlib import Path

import pytest
import requests
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser.chromium import PHONE, WIDE, Browser
from tests.browser.served_site import ADMINISTRATOR, SERVER, Site, password_of

pytestmark = pytest.mark.e2e
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
    "/admin/profiles": "Configuration profiles",
    "/admin/profiles/new": "Create VPN profile",
    "/admin/profiles/new/ios": "Create VPN profile",
    "/admin/profiles/new/android-work-profile": "Create VPN profile",
    "/admin/apps": "All apps",
    "/admin/apps/new/ios": "Create app",
    "/admin/app-configurations": "App configuration policies",
    "/admin/app-configurations/new/devices-android": "Create app configuration policy",
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
    _tab_to(browser, "Review + create")
    _press(browser, Keys.ENTER)
    browser.wait_for_heading("Review + create")
    _tab_to(browser, "Create")
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
    browser.press("Review + create")
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
