"""Every flow of the administrator's guide in the admin center, clicked through in each language.

What is pressed and filled in has the names that the page shows in that language; at 800 pixels nothing is cut
off.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from selenium.webdriver.common.keys import Keys

from mstunnel_lab.admin_center.render import LANGUAGES, PageLanguage
from tests.browser.chromium import Browser
from tests.browser.served_site import ADMINISTRATOR, SERVER, Site, password_of
from tests.parameters import sample

pytestmark = pytest.mark.e2e
NARROW = (800, 760)
GROUP = "11111111-2222-4333-8444-555555555555"
ANDROID = (
    "Android Enterprise: corporate-owned work profile (VPN)",
    "Android Enterprise: personally-owned work profile (VPN)",
)


@dataclass(frozen=True)
class Administrator:
    """Who clicks, and in which language; texts are given in English and looked up."""

    browser: Browser
    say: PageLanguage
    site: Site

    def name(self, what: str) -> str:
        """A name that differs from that of the other language's run."""
        return f"{what} ({self.say.language})"

    def press(self, label: str) -> None:
        """Press a button or follow a link; what it leads to fits the window."""
        self.browser.press(self.say(label))
        assert not self.browser.overflows(), self.browser.heading()

    def open(self, tab: str) -> None:
        """Go to a tab."""
        self.press(tab)
        assert self.browser.heading() == self.say(tab)

    def fill(self, typed: dict[str, str]) -> None:
        """Fill in fields."""
        for label, text in typed.items():
            self.browser.type(self.say(label), text)

    def choose(self, label: str, text: str) -> None:
        """Choose one of our words."""
        self.browser.choose(self.say(label), self.say(text))

    def create(self, name: str) -> None:
        """Review what was filled in, create it, and find it in the list."""
        self.press("Review + create")
        assert self.say("The values are valid; nothing is stored yet.") in self.browser.text()
        self.press("Create")
        assert self.browser.heading() == name
        assert self.say("Saved.").rstrip(".") in self.browser.text()


@pytest.fixture(params=sample(LANGUAGES, kept=["en"]))
def administrator(site: Site, request: pytest.FixtureRequest) -> Iterator[Administrator]:
    site.browser.size(NARROW)
    site.browser.colours("light")
    site.open("/admin/servers").press(LANGUAGES[request.param])
    yield Administrator(site.browser, PageLanguage(request.param), site)
    site.open("/admin/servers").press(LANGUAGES["en"])
    # What is refused has status 400, which the browser notes.
    assert [line for line in site.browser.console() if "status of 400" not in line] == []


def test_a_server_configuration(administrator: Administrator) -> None:
    name = administrator.name("Tunnel")
    administrator.open("Server configurations")
    administrator.press("Create new")
    administrator.fill(
        {
            "Name": name,
            "Description (optional)": "All offices",
            "IP address range": "255.255.0.0",
            "DNS servers": "10.1.0.53",
            "DNS suffix search (optional)": "corp.contoso.com",
            "IP ranges to include": "10.1.0.0/16",
            "IP ranges to exclude": "10.1.9.0/24",
        }
    )
    administrator.browser.tick(administrator.say("Disable UDP connections"))
    administrator.press("Review + create")
    assert administrator.say("it is a mask, not a network") in administrator.browser.text()
    assert administrator.browser.violations() == []
    administrator.fill({"IP address range": "169.254.0.0/16"})
    administrator.press("Review + create")
    assert administrator.browser.violations() == []
    administrator.press("Previous")
    administrator.create(name)


def test_a_site(administrator: Administrator) -> None:
    name = administrator.name("Tokyo")
    administrator.open("Sites")
    administrator.press("Create")
    administrator.fill(
        {
            "Name": name,
            "Public IP address or FQDN": "tokyo.contoso.example",
            "URL for internal network access check": "http://10.1.0.10/",
            "Time zone": "Asia/Tokyo",
            "Start time": "10:00PM",
            "End time": "11:30PM",
        }
    )
    administrator.browser.choose(administrator.say("Server configuration"), "Default configuration")
    administrator.browser.tick(administrator.say("Automatically upgrade servers at this site"))
    administrator.browser.tick(administrator.say("Limit server upgrades to maintenance window"))
    administrator.press("Create")
    assert administrator.browser.heading() == name
    assert administrator.say("Site ID") in administrator.browser.text()
    assert "22:00" in administrator.browser.text()


def test_the_script_for_a_server(administrator: Administrator, tmp_path: Path) -> None:
    administrator.open("Servers")
    administrator.press("Create")
    script = administrator.browser.download(administrator.say("Download script"), tmp_path)
    option = administrator.site.lab["setup"].partition("--lab ")[2]
    assert option in script.read_text()
    answers = administrator.browser.download(administrator.say("Download answer file"), tmp_path)
    assert administrator.site.lab["authority"] in answers.read_text()


def test_the_health_of_a_server(administrator: Administrator) -> None:
    administrator.open("Health status")
    administrator.press(SERVER)
    text = administrator.browser.text()
    assert administrator.say("Internal network accessibility") in text
    assert administrator.say("warning") in text
    administrator.press("Trends")
    administrator.press("Logs")
    administrator.open("Health status")
    administrator.press("Configure thresholds")


@pytest.mark.parametrize("store", ["Managed Google Play app", "iOS store app"])
def test_the_client_app(administrator: Administrator, store: str) -> None:
    administrator.open("All apps")
    administrator.press("Create")
    administrator.choose("App type", store)
    administrator.press("Create")
    administrator.fill({"Included groups": GROUP})
    administrator.press("Review + create")
    administrator.press("Create")
    assert "com.microsoft.scmx" in administrator.browser.text()
    assert GROUP in administrator.browser.text()
    administrator.press("Delete")
    administrator.press("Delete")
    assert administrator.browser.heading() == administrator.say("All apps")


@pytest.mark.parametrize("kind", sample(ANDROID, kept=ANDROID[:1]))
def test_an_android_profile(administrator: Administrator, tmp_path: Path, kind: str) -> None:
    browser, name = administrator.browser, administrator.name(kind.split()[2])
    begin_profile(administrator, kind, name)
    administrator.fill(
        {
            "Apps": "com.microsoft.emmx=Microsoft Edge",
            "Address": "proxy.contoso.com",
            "Port number": "8080",
            "Custom settings": "defendertoggle=0",
            "Included groups": GROUP,
        }
    )
    browser.tick(administrator.say("Always-on VPN"))
    exclusions(administrator, tmp_path)
    administrator.create(name)
    assert "*.contoso.com" in browser.text()


def begin_profile(administrator: Administrator, kind: str, name: str) -> None:
    """Choose platform and profile type, and fill in the sections that all have."""
    administrator.open("Configuration profiles")
    administrator.press("Create")
    administrator.choose("Platform and profile", kind)
    administrator.press("Create")
    administrator.fill({"Name": name, "Description (optional)": "All", "Connection name": "Contoso"})
    administrator.browser.choose(administrator.say("Microsoft Tunnel site"), "Berlin")


def exclusions(administrator: Administrator, directory: Path) -> None:
    """Import a list, be refused another one, and export what there is."""
    browser, say = administrator.browser, administrator.say
    good, bad = directory / "good.csv", directory / "bad.csv"
    good.write_text("*.contoso.com\n10.0.0.1\n")
    bad.write_text("con*oso.com\n")
    browser.field(say("File with proxy exclusions")).send_keys(str(bad))
    administrator.press("Import")
    assert say("a wildcard may only stand for the first label, as in *.contoso.com") in browser.text()
    browser.field(say("File with proxy exclusions")).send_keys(str(good))
    administrator.press("Import")
    assert say("{count} entries imported.", count=2) in browser.text()
    assert browser.field(say("Proxy exclusion list")).get_attribute("value") == "*.contoso.com\n10.0.0.1"
    exported = browser.download(say("Export"), directory)
    assert exported.read_text() == good.read_text()


def test_an_ios_profile_with_an_on_demand_rule(administrator: Administrator, screenshots: Path) -> None:
    """Tunnel and web protection together, with the rule that the vendor asks for."""
    name = administrator.name("iOS")
    begin_profile(administrator, "iOS/iPadOS (VPN)", name)
    administrator.fill(
        {
            "Automatic configuration script": "https://pac.contoso.com/proxy.pac",
            "Custom settings": "WebProtection=True\nAutoOnboard=True",
        }
    )
    administrator.press("Review + create")
    assert administrator.say("Nothing was saved") in administrator.browser.text()
    if administrator.say.language == "en":
        administrator.browser.screenshot(screenshots / "lab-profile.png")
    administrator.press("Add on-demand rule")
    administrator.choose("I want to do the following", "Connect VPN")
    administrator.fill({"But only if this URL probe succeeds": "https://probe.contoso.com/"})
    administrator.create(name)
    assert administrator.say("Connect VPN") in administrator.browser.text()


def test_a_per_app_profile_for_ios(administrator: Administrator) -> None:
    name = administrator.name("Per-app")
    begin_profile(administrator, "iOS/iPadOS (VPN)", name)
    administrator.browser.tick(administrator.say("Enable per-app VPN"))
    administrator.fill({"Safari URLs": "intranet.contoso.com", "Custom settings": "TunnelOnly=True"})
    administrator.create(name)
    administrator.press("Edit")
    administrator.fill({"Connection name": "Fabrikam"})
    administrator.press("Review + save")
    administrator.press("Save")
    assert "Fabrikam" in administrator.browser.text()


@pytest.fixture
def add_app(administrator: Administrator) -> Callable[[], None]:
    """Add the client app for iOS, which an app configuration policy needs."""

    def add() -> None:
        administrator.site.open("/admin/apps/new/ios")
        administrator.press("Review + create")
        administrator.press("Create")

    return add


def test_tunnel_only_for_the_eu_data_boundary(
    administrator: Administrator, add_app: Callable[[], None]
) -> None:
    add_app()
    name = administrator.name("EU")
    administrator.open("App configuration policies")
    administrator.press("Create")
    administrator.choose("Enrollment type and platform", "Managed devices: iOS/iPadOS")
    administrator.press("Create")
    administrator.fill({"Name": name, "Included groups": GROUP})
    administrator.browser.tick(administrator.say("Check against the EU data boundary"))
    administrator.press("Review + create")
    assert administrator.say("Nothing was saved") in administrator.browser.text()
    administrator.fill({"Configuration settings": "TunnelOnly=True"})
    administrator.create(name)
    assert "TunnelOnly=True" in administrator.browser.text()


def test_settings_for_managed_apps(administrator: Administrator) -> None:
    name = administrator.name("MAM")
    administrator.open("App configuration policies")
    administrator.press("Create")
    administrator.choose("Enrollment type and platform", "Managed apps: Android")
    administrator.press("Create")
    administrator.fill({"Name": name, "Configuration settings": "DefenderMAMConfigs=1\nvpn=0"})
    administrator.create(name)
    assert "DefenderMAMConfigs=1" in administrator.browser.text()


def test_a_list_is_searched_and_sorted(administrator: Administrator) -> None:
    administrator.open("Sites")
    administrator.fill({"Search the list": "osaka"})
    administrator.press("Search")
    assert "Osaka" in administrator.browser.text()
    assert "Berlin" not in administrator.browser.text()
    administrator.press("Show all")
    administrator.press("Name")
    listed = administrator.browser.text()
    assert listed.index("Berlin") < listed.index("Osaka")


def test_enter_in_a_field_leads_to_the_review(administrator: Administrator) -> None:
    administrator.site.open("/admin/profiles/new/ios")
    administrator.fill({"Name": "Enter", "Connection name": "Contoso"})
    administrator.browser.choose(administrator.say("Microsoft Tunnel site"), "Berlin")
    administrator.browser.field(administrator.say("Connection name")).send_keys(Keys.ENTER)
    administrator.browser.wait_for_heading(administrator.say("Review + create"))


def test_the_sign_in_of_an_installation(administrator: Administrator) -> None:
    """The code that the installation shows, typed into the page it names."""
    lab = administrator.site.lab
    form = {"client_id": lab["client_id"], "scope": "https://graph.microsoft.com/.default"}
    with requests.Session() as session:
        session.trust_env = False
        session.verify = lab["ca_file"]
        address = f"{lab['authority']}/oauth2/v2.0/devicecode"
        code = session.post(address, data=form, timeout=20).json()["user_code"]
    administrator.site.open("/devicelogin")
    administrator.fill({"Code shown on your device": code})
    administrator.press("Next")
    administrator.fill({"Account": ADMINISTRATOR, "Password": password_of(lab)})
    administrator.press("Sign in")
    assert administrator.browser.heading() == administrator.say("Signed in")
