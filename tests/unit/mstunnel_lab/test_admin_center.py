"""The admin center as used by an administrator: sessions, lists, forms, and refused access."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.mstunnel_lab.conftest import CONFIGURATIONS, SITES
from tests.unit.mstunnel_lab.pages import Pages, require_accessible

LISTS = ("servers", "sites", "configurations", "health", "profiles")
FORMS = ("/admin/sites/new", "/admin/configurations/new", "/admin/health/thresholds", "/admin/sign-in")
LOGS = "/deviceManagement/microsoftTunnelServerLogCollectionResponses"
ROW = re.compile(r'<th scope="row"><a href="[^"]*">([^<]*)</a>')


@pytest.mark.parametrize("tab", LISTS)
def test_admin_center_requires_a_sign_in(browser: Pages, tab: str) -> None:
    page = browser.open(f"/admin/{tab}")
    assert page.address.endswith(f"/admin/sign-in?next=%2Fadmin%2F{tab}")
    assert "Berlin" not in page.source


def test_sign_in_returns_to_the_requested_page(browser: Pages, lab: Any) -> None:
    page = browser.fill("/admin/configurations", upn="admin@lab.example", password=lab.password("admin"))
    assert page.address.endswith("/admin/configurations")
    assert "169.254.0.0/16" in page.text


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example/", "/\\evil.example", "admin"]
)
def test_sign_in_does_not_redirect_to_other_hosts(browser: Pages, lab: Any, elsewhere: str) -> None:
    account = {"upn": "admin@lab.example", "password": lab.password("admin")}
    page = browser.fill("/admin/sign-in", **account, next=elsewhere)
    assert page.address == f"{browser.base}/admin/servers"


def test_wrong_account_and_missing_role_are_refused(browser: Pages) -> None:
    """Check three refusals: a wrong password looks like an unknown account; a reader has no access."""
    browser.open("/admin/sign-in")
    for upn in ("admin@lab.example", "nobody@lab.example"):
        page = browser.send(upn=upn, password="guess")
        assert (page.status, "Your account or password is incorrect." in page.text) == (401, True)
    page = browser.sign_in("reader@lab.example")
    assert (page.status, "Intune Administrator" in page.text) == (403, True)


def test_sign_out_ends_the_session(administrator: Pages) -> None:
    cookies = dict(administrator.session.cookies)
    administrator.open("/admin/sites")
    administrator.send("/admin/sign-out")
    administrator.session.cookies.update(cookies)
    assert "/admin/sign-in" in administrator.open("/admin/sites").address


def test_form_token_differs_between_sessions(administrator: Pages) -> None:
    before = administrator.open("/admin/sites").fields["form_token"]
    administrator.send("/admin/sign-out")
    administrator.sign_in("admin@lab.example")
    assert administrator.page.fields["form_token"] != before


def test_session_cookie_is_for_this_host_and_tls_only(browser: Pages, lab: Any) -> None:
    fields = browser.open("/admin/sign-in").fields
    fields |= {"upn": "admin@lab.example", "password": lab.password("admin")}
    address = f"{browser.base}/admin/sign-in"
    answer = browser.session.post(address, data=fields, timeout=20, allow_redirects=False)
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith("__host-lab-session=")
    assert {"secure", "httponly", "samesite=strict", "path=/"} <= {p.strip() for p in cookie.split(";")}


@pytest.mark.parametrize("path", FORMS)
def test_every_form_has_labels_and_no_scripts(administrator: Pages, path: str) -> None:
    require_accessible(administrator.open(path))


@pytest.mark.parametrize("path", ["/admin/sites/new", "/admin/configurations/new"])
def test_cross_site_form_changes_nothing(administrator: Pages, path: str) -> None:
    page = administrator.fill(path, form_token="0" * 64, name="Smuggled", network="10.0.0.0/8")
    assert page.status == 403
    assert "Smuggled" not in administrator.open(path.removesuffix("/new")).text


@pytest.fixture
def numbered(lab: Any) -> Iterator[None]:
    """Create sixty server configurations, which are shown with the newest first."""
    bodies = (
        {"displayName": f"Range {number}", "network": f"10.{number}.0.0/16", "listenPort": 443}
        for number in range(60, 0, -1)
    )
    made = [lab.create(CONFIGURATIONS, body)["id"] for body in bodies]
    yield
    for identifier in made:
        lab.graph("admin", "DELETE", f"{CONFIGURATIONS}/{identifier}")


def rows(pages: Pages, query: str) -> list[str]:
    return ROW.findall(pages.open(f"/admin/configurations{query}").source)


@pytest.mark.usefixtures("numbered")
def test_list_can_be_searched_sorted_and_paged(administrator: Pages) -> None:
    """Check that a search covers every column, numbers sort as numbers, and pages keep search and order."""
    assert rows(administrator, "?q=range+7") == ["Range 7"]
    assert rows(administrator, "?q=10.9.0") == ["Range 9"]
    assert rows(administrator, "?q=no+such") == []
    assert "Nothing was found." in administrator.page.text
    assert administrator.page.fields["q"] == "no such"

    assert rows(administrator, "?q=range&sort=name")[:3] == ["Range 1", "Range 2", "Range 3"]
    assert 'aria-sort="ascending"' in administrator.page.source
    assert rows(administrator, "?q=range&sort=network&order=down")[:2] == ["Range 60", "Range 59"]
    assert 'aria-sort="descending"' in administrator.page.source

    rows(administrator, "?q=range&sort=name&order=down")
    following = re.search(r'href="(\?[^"]*page=2[^"]*)"', administrator.page.source)
    assert following
    assert rows(administrator, following[1].replace("&amp;", "&"))[-1] == "Range 1"
    assert rows(administrator, "?q=range&page=99") == rows(administrator, "?q=range&page=2")
    assert rows(administrator, "?sort=secret") == rows(administrator, "")


@pytest.mark.parametrize("tab", LISTS)
def test_every_list_has_a_search_and_breadcrumbs(administrator: Pages, tab: str) -> None:
    page = administrator.open(f"/admin/{tab}?q=<b>")
    assert 'role="search"' in page.source
    assert 'class="crumbs"' in page.source
    assert "q" in page.labelled
    assert "<b>" not in page.source


def test_breadcrumbs_lead_back_to_the_list(administrator: Pages, lab: Any) -> None:
    page = administrator.open(f"/admin/sites/{lab.site_id()}")
    crumbs = " ".join(page.source.partition('class="crumbs"')[2].partition("</ol>")[0].split())
    shown = [text for text in re.findall(r">([^<>]+)<", crumbs) if text.strip()]
    assert shown == ["Tenant administration", "Microsoft Tunnel Gateway", "Sites", "Berlin"]
    assert 'href="/admin/sites"' in crumbs


def test_configuration_and_site_are_created_changed_and_deleted(administrator: Pages, lab: Any) -> None:
    typed = {"name": "Second", "dns_servers": "10.1.0.53\n10.1.0.54", "route_includes": "10.1.0.0/16"}
    administrator.fill("/admin/configurations/new", **typed, session_timeout="7200")
    identifier = administrator.saved
    own, path = f"/admin/configurations/{identifier}", f"{CONFIGURATIONS}/{identifier}"
    stored = lab.read(path)
    assert stored["dnsServers"] == ["10.1.0.53", "10.1.0.54"]
    assert stored["advancedSettings"] == [{"name": "session-timeout", "value": "7200"}]
    administrator.fill(f"{own}/edit", listen_port="8443", disable_udp_connections="yes")
    changed = lab.read(path)
    assert (changed["listenPort"], changed["disableUdpConnections"]) == (8443, True)
    assert changed["routeIncludes"] == changed["routesInclude"] == ["10.1.0.0/16"]

    typed = {"name": "Paris", "public_address": "paris.lab.example", "configuration": identifier}
    administrator.fill("/admin/sites/new", **typed)
    site = f"/admin/sites/{administrator.saved}"
    assert administrator.saved in administrator.page.text
    window = {"window_zone": "UTC+05:30", "window_start": "22:00", "window_end": "23:30"}
    administrator.fill(f"{site}/edit", window_limited="yes", **window)
    stored = lab.read(f"{SITES}/{administrator.saved}")
    assert (stored["upgradeWindowStartTime"], stored["upgradeWindowUtcOffsetInMinutes"]) == ("22:00:00", 330)
    assert "22:00 to 23:30, UTC+05:30" in administrator.open(site).text
    assert "Upgrade requested" in administrator.send(f"{site}/upgrade").text

    assert "used by the site 'Paris'" in administrator.fill(f"{own}/delete").text
    administrator.fill(f"{site}/delete")
    administrator.fill(f"{own}/delete")
    assert lab.status("admin", "GET", path) == 404


WINDOW = {"window_zone": "Europe/Berlim", "window_start": "22:00", "window_end": "23:00"}
REFUSED = [
    ("configurations", {"name": ""}, "name", "must"),
    ("configurations", {"name": "x", "network": "255.255.0.0"}, "network", "mask"),
    ("configurations", {"name": "x", "listen_port": "https"}, "listen_port", "whole number"),
    ("configurations", {"name": "x", "listen_port": "0"}, "listen_port", "1"),
    ("configurations", {"name": "x", "route_includes": "0.0.0.0/0"}, "route_includes", "zero address"),
    ("configurations", {"name": "x", "advanced_settings": "idle-timeout=soon"}, "advanced_settings", "soon"),
    ("configurations", {"name": "x", "session_timeout": "0"}, "session_timeout", "seconds"),
    ("configurations", {"name": '"><script>x</script>', "network": "<b>"}, "network", "<b>"),
    ("sites", {"name": "x", "public_address": "https://gw.lab.example"}, "public_address", "domain name"),
    ("sites", {"name": "x", "public_address": "gw.lab.example", "configuration": ""}, "configuration", ""),
    (
        "sites",
        {"name": "x", "public_address": "gw.lab.example", "window_limited": "yes", **WINDOW},
        "window_start",
        "Europe/Berlin",
    ),
]


@pytest.mark.parametrize(("tab", "typed", "name", "says"), REFUSED)
def test_forms_refuse_what_mst_admin_refuses(
    administrator: Pages, tab: str, typed: dict[str, str], name: str, says: str
) -> None:
    page = administrator.fill(f"/admin/{tab}/new", **typed)
    assert page.status == 400
    assert "Nothing was saved" in page.text
    assert f'id="{name}-problem"' in page.source
    assert says in page.text
    assert all(page.fields.get(key, "") == value for key, value in typed.items())
    # The page shows the submitted values as text.
    assert "<script>" not in page.source
    assert "<b>" not in page.source


def test_two_administrators_do_not_overwrite_each_other(administrator: Pages, lab: Any) -> None:
    site = lab.site_id("Lima")
    administrator.open(f"/admin/sites/{site}/edit")
    lab.graph("admin", "PATCH", f"{SITES}/{site}", {"description": "changed"})
    page = administrator.send(description="mine")
    assert (page.status, "Someone else has changed this" in page.text) == (400, True)
    assert lab.read(f"{SITES}/{site}")["description"] == "changed"


def test_an_edit_keeps_scope_tags(administrator: Pages, lab: Any) -> None:
    site = lab.site_id("Osaka")
    lab.graph("admin", "PATCH", f"{SITES}/{site}", {"roleScopeTagIds": ["0", "7"]})
    administrator.fill(f"/admin/sites/{site}/edit", description="east")
    stored = lab.read(f"{SITES}/{site}")
    assert (stored["description"], stored["roleScopeTagIds"]) == ("east", ["0", "7"])


@pytest.fixture
def server(lab: Any) -> Iterator[str]:
    """Yield the id of a server that its own application has registered; remove the server afterwards."""
    servers = f"{SITES}/{lab.site_id()}/microsoftTunnelServers"
    metrics = {"cpu-usage": 97, "disk-space": 2 * 1024**3, "latency": 3, "throughput": 120_000_000}
    verdict = {"id": "internal-network", "status": "unhealthy", "text": "<b>no</b> answer"}
    health = {"status": "warning", "metrics": metrics, "checks": [verdict]}
    created = lab.create(servers, {"displayName": "gw-health"}, "app:agent")
    lab.control("PATCH", f"servers/{created['id']}", health)
    yield created["id"]
    lab.graph("admin", "DELETE", f"{servers}/{created['id']}")


def test_health_of_a_server_is_shown(administrator: Pages, server: str) -> None:
    assert "gw-health" in administrator.open("/admin/health").text
    page = administrator.open(f"/admin/health/{server}")
    lines = {" ".join(line.split()) for line in page.text.split("\n") if line.strip()}
    assert {
        "CPU usage97 %✕ unhealthy",  # the threshold of this tenant is 75
        "Disk space2 GB✕ unhealthy",
        "Latency3 ms✓ healthy",
        "Throughput120 Mbit/s? unknown",
        "Internal network accessibility<b>no</b> answer✕ unhealthy",
        "Memory usagenot reported? unknown",
    } <= lines


def test_trends_are_drawn_without_scripts(administrator: Pages, server: str) -> None:
    page = administrator.open(f"/admin/health/{server}/trends?span=week")
    assert (page.tags.count("svg"), page.tags.count("details")) == (4, 4)
    assert "Lowest 97 %, highest 97 %, last 97 %." in page.text
    assert "Nothing was reported in this time." in page.text
    assert "script" not in page.tags


def test_logs_are_requested_and_downloaded(administrator: Pages, server: str, lab: Any, process: Any) -> None:
    """Check that uploaded logs can be downloaded until the server is removed."""
    assert "mst-cli diagnose" in administrator.open(f"/admin/health/{server}/logs").text
    assert "pending" in administrator.send().text
    identifier = next(item["id"] for item in lab.read(LOGS)["value"] if item["serverId"] == server)
    assert lab.control("PUT", f"logs/{identifier}", "logs").json() == {"id": identifier, "size": 6}
    assert "completed" in administrator.open(f"/admin/health/{server}/logs").text
    url = lab.graph("admin", "POST", f"{LOGS}/{identifier}/createDownloadUrl").json()["value"]
    assert lab.session.get(url, timeout=20).content == b'"logs"'
    assert lab.session.get(url.replace("signature=", "signature=0"), timeout=20).status_code == 404
    administrator.fill(f"/admin/servers/{server}/delete")
    assert lab.session.get(url, timeout=20).status_code == 404
    assert not (process.directory / "uploads" / identifier).exists()


def test_a_server_is_renamed_and_removed(administrator: Pages, server: str) -> None:
    path = f"/admin/servers/{server}"
    administrator.open(path)
    assert "Saved." in administrator.send(path, name="gw-renamed").text
    administrator.open(path)
    assert administrator.send(path, name="").status == 400
    assert "mst-cli uninstall" in administrator.open(f"{path}/delete").text
    administrator.send()
    assert "gw-renamed" not in administrator.open("/admin/servers").text


def test_thresholds_are_changed_and_reset(administrator: Pages, lab: Any) -> None:
    page, path = "/admin/health/thresholds", "/deviceManagement/microsoftTunnelHealthThresholds"
    refused = administrator.fill(page, decision="save", **{"cpuUsage-healthy": "75", "latency-healthy": "11"})
    assert (refused.status, "they must differ" in refused.text) == (400, True)
    administrator.fill(page, decision="save", **{"cpuUsage-healthy": "95", "cpuUsage-unhealthy": "100"})
    stored = lab.read(f"{path}/cpuUsage")
    assert (stored["healthyThreshold"], stored["unhealthyThreshold"]) == (95, 100)
    assert lab.read(f"{path}/latency")["healthyThreshold"] == 10
    administrator.fill(page, decision="revert")
    assert lab.read(f"{path}/cpuUsage")["healthyThreshold"] == 50


def test_missing_objects_are_reported(administrator: Pages) -> None:
    page = administrator.open("/admin/sites/00000000-0000-4000-8000-000000000000")
    assert (page.status, "was not found" in page.text) == (404, True)


def test_a_profile_is_shown_as_a_file_of_mst_admin(administrator: Pages, lab: Any) -> None:
    body = {
        "@odata.type": "#microsoft.graph.iosVpnConfiguration",
        "displayName": "Phones <b>",
        "connectionName": "Contoso",
        "connectionType": "microsoftTunnel",
        "server": {"address": "berlin.lab.example:443"},
        "authenticationMethod": "usernameAndPassword",
        "microsoftTunnelSiteId": lab.site_id("Berlin"),
    }
    made = lab.graph("admin", "POST", "/deviceManagement/deviceConfigurations", body).json()
    assert "Phones &lt;b&gt;" in administrator.open("/admin/profiles").source
    page = administrator.open(f"/admin/profiles/{made['id']}")
    assert (page.status, "<b>" in page.source) == (200, False)
    assert "connection_name: Contoso" in page.text
    assert "/edit" not in page.source
