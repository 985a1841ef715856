"""What an administrator does in the browser, as a program: it runs where the lab's network is.

    journey.py FACTS PROFILE SCREENSHOTS prepare SITE | approve CODE | look SERVER

FACTS is a lab.json with `server_certificate` (PEM), `resolve` (host to address), `upn` and `password`.
Prints what was read, as JSON.
"""

import json
import sys
from pathlib import Path
from typing import Any

from tests.browser.chromium import WIDE, Browser, chromium

CONFIGURATION = "Made in the browser"


def prepare(browser: Browser, facts: dict[str, Any], shots: Path, site: str) -> dict[str, str]:
    """Create a server configuration and a site; returns the id of the site."""
    sign_in(browser, facts)
    browser.press("Server configurations")
    browser.wait_for_heading("Server configurations")
    browser.press("Create new")
    browser.wait_for_heading("Create server configuration")
    for label, text in {**facts["configuration"], "Name": CONFIGURATION}.items():
        browser.type(label, text)
    browser.screenshot(shots / "lab-configuration.png")
    browser.press("Review + create")
    browser.press("Create")
    browser.wait_for_heading(CONFIGURATION)
    browser.press("Sites")
    browser.wait_for_heading("Sites")
    browser.press("Create")
    browser.wait_for_heading("Create site")
    for label, text in {**facts["site"], "Name": site}.items():
        browser.type(label, text)
    browser.choose("Server configuration", CONFIGURATION)
    browser.press("Create")
    browser.wait_for_heading(site)
    browser.screenshot(shots / "lab-site.png")
    return {"site": browser.driver.current_url.split("/")[-1].split("?")[0]}


def sign_in(browser: Browser, facts: dict[str, Any]) -> None:
    """Sign in to the admin center."""
    browser.open(facts["admin_center"])
    browser.type("Account", facts["upn"])
    browser.type("Password", facts["password"])
    browser.press("Sign in")
    browser.wait_for_heading("Servers")


def approve(browser: Browser, facts: dict[str, Any], _shots: Path, code: str) -> dict[str, str]:
    """Complete the sign-in of a device."""
    browser.open(facts["device_login"])
    browser.type("Code shown", code)
    browser.press("Next")
    browser.wait_for_heading("Sign in")
    browser.type("Account", facts["upn"])
    browser.type("Password", facts["password"])
    browser.press("Sign in")
    browser.wait_for_heading("Signed in")
    return {"heading": browser.heading()}


def look(browser: Browser, facts: dict[str, Any], shots: Path, server: str) -> dict[str, str]:
    """Look at a server that has joined."""
    sign_in(browser, facts)
    browser.screenshot(shots / "lab-servers.png")
    listed = browser.text()
    browser.press(server)
    browser.wait_for_heading(server)
    return {"servers": listed, "server": browser.text()}


def main() -> None:
    """Do one of them."""
    facts_file, profile, shots, what, argument = sys.argv[1:]
    facts = json.loads(Path(facts_file).read_text())
    rules = ", ".join(f"MAP {host} {address}" for host, address in facts["resolve"].items())
    certificate = facts["server_certificate"].encode()
    journeys = {"prepare": prepare, "approve": approve, "look": look}
    with chromium(Path(profile), certificate, f"--host-resolver-rules={rules}") as browser:
        browser.size(WIDE)
        print(json.dumps(journeys[what](browser, facts, Path(shots), argument)))


if __name__ == "__main__":
    main()
