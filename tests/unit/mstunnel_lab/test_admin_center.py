"""The admin center as an administrator uses it, form by form, and who is kept out."""

from typing import Any

import pytest

from tests.unit.mstunnel_lab.pages import Pages

TABS = ("servers", "sites", "configurations", "health")
FORMS = ("/admin/sites/new", "/admin/configurations/new", "/admin/health/thresholds", "/admin/sign-in")


@pytest.mark.parametrize("tab", TABS)
def test_access_requires_a_sign_in(browser: Pages, tab: str) -> None:
    page = browser.open(f"/admin/{tab}")
    assert page.address.endswith(f"/admin/sign-in?next=%2Fadmin%2F{tab}")
    assert "Berlin" not in page.source


def test_sign_in_leads_back_to_the_page_that_was_wanted(browser: Pages, lab: Any) -> None:
    browser.open("/admin/configurations")
    page = browser.send(upn="admin@lab.example", password=lab.password("admin"))
    assert page.address.endswith("/admin/configurations")
    assert "169.254.0.0/16" in page.text


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example/", "/\\evil.example", "admin"]
)
def test_sign_in_leads_nowhere_else(browser: Pages, lab: Any, elsewhere: str) -> None:
    browser.open("/admin/sign-in")
    page = browser.send(upn="admin@lab.example", password=lab.password("admin"), next=elsewhere)
    assert page.address == f"{browser.base}/admin/servers"


def test_a_wrong_password_and_an_unknown_account_look_the_same(browser: Pages) -> None:
    browser.open("/admin/sign-in")
    wrong = browser.send(upn="admin@lab.example", password="guess")
    unknown = browser.send(upn="nobody@lab.example", password="guess")
    assert (wrong.status, unknown.status) == (401, 401)
    assert "Your account or password is incorrect." in wrong.text
    assert "Your account or password is incorrect." in unknown.text


def test_a_reader_has_no_access(browser: Pages) -> None:
    page = browser.sign_in("reader@lab.example")
    assert (page.status, "Intune Administrator" in page.text) == (403, True)


def test_sign_out_ends_the_session(administrator: Pages) -> None:
    cookies = dict(administrator.session.cookies)
    administrator.open("/admin/sites")
    administrator.send("/admin/sign-out")
    administrator.session.cookies.update(cookies)
    assert "/admin/sign-in" in administrator.open("/admin/sites").address


def test_the_session_cookie_is_for_this_host_and_tls_only(browser: Pages, lab: Any) -> None:
    browser.open("/admin/sign-in")
    fields = browser.page.fields | {"upn": "admin@lab.example", "password": lab.password("admin")}
    answer = browser.session.post(
        browser.base + "/admin/sign-in", data=fields, timeout=20, allow_redirects=False
    )
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith("__host-lab-session=")
    assert {"secure", "httponly", "samesite=strict", "path=/"} <= {p.strip() for p in cookie.split(";")}


@pytest.mark.parametrize("path", FORMS)
def test_every_field_has_a_label_and_no_script_runs(administrator: Pages, path: str) -> None:
    page = administrator.open(path)
    assert page.status == 200
    assert page.visible <= page.labelled
    assert "script" not in page.tags
    assert "style=" not in page.source
    assert "default-src 'none'" in page.policy
    assert "unsafe" not in page.policy


@pytest.mark.parametrize("path", ["/admin/sites/new", "/admin/configurations/new"])
def test_a_form_of_another_site_changes_nothing(administrator: Pages, lab: Any, path: str) -> None:
    administrator.open(path)
    page = administrator.send(form_token="0" * 64, name="Smuggled", network="10.0.0.0/8")
    assert page.status == 403
    assert "Smuggled" not in administrator.open(path.removesuffix("/new")).text


def test_the_token_of_one_session_is_worth_nothing_in_another(administrator: Pages, lab: Any) -> None:
    administrator.open("/admin/sites")
    before = administrator.page.fields["form_token"]
    administrator.send("/admin/sign-out")
    administrator.sign_in("admin@lab.example")
    assert administrator.page.fields["form_token"] != before


def test_a_configuration_and_a_site_live(administrator: Pages, lab: Any) -> None:
    administrator.open("/admin/configurations/new")
    page = administrator.send(
        name="Second",
        dns_servers="10.1.0.53\n10.1.0.54",
        route_includes="10.1.0.0/16",
        session_timeout="7200",
    )
    assert "Saved." in page.text
    identifier = page.address.split("/")[-1].removesuffix("?saved")
    path = f"/deviceManagement/microsoftTunnelConfigurations/{identifier}"
    stored = lab.graph("admin", "GET", path).json()
    assert stored["dnsServers"] == ["10.1.0.53", "10.1.0.54"]
    assert stored["advancedSettings"] == [{"name": "session-timeout", "value": "7200"}]
    administrator.open(f"/admin/configurations/{identifier}/edit")
    administrator.send(listen_port="8443", disable_udp_connections="yes")
    changed = lab.graph("admin", "GET", path).json()
    assert (changed["listenPort"], changed["disableUdpConnections"]) == (8443, True)
    assert changed["routeIncludes"] == changed["routesInclude"] == ["10.1.0.0/16"]

    administrator.open("/admin/sites/new")
    page = administrator.send(name="Paris", public_address="paris.lab.example", configuration=identifier)
    site = page.address.split("/")[-1].removesuffix("?saved")
    assert site in page.text
    administrator.open(f"/admin/sites/{site}/edit")
    administrator.send(
        window_limited="yes", window_zone="UTC+05:30", window_start="22:00", window_end="23:30"
    )
    stored = lab.graph("admin", "GET", f"/deviceManagement/microsoftTunnelSites/{site}").json()
    assert (stored["upgradeWindowStartTime"], stored["upgradeWindowUtcOffsetInMinutes"]) == ("22:00:00", 330)
    assert "22:00 to 23:30, UTC+05:30" in administrator.open(f"/admin/sites/{site}").text
    administrator.send(f"/admin/sites/{site}/upgrade")
    assert "Upgrade requested" in administrator.page.text

    administrator.open(f"/admin/configurations/{identifier}/delete")
    assert "used by the site 'Paris'" in administrator.send().text
    administrator.open(f"/admin/sites/{site}/delete")
    administrator.send()
    administrator.open(f"/admin/configurations/{identifier}/delete")
    administrator.send()
    assert lab.graph("admin", "GET", path).status_code == 404


REFUSED = [
    ("configurations", {"name": ""}, "name", "must"),
    ("configurations", {"name": "x", "network": "255.255.0.0"}, "network", "mask"),
    ("configurations", {"name": "x", "listen_port": "https"}, "listen_port", "whole number"),
    ("configurations", {"name": "x", "listen_port": "0"}, "listen_port", "1"),
    ("configurations", {"name": "x", "route_includes": "0.0.0.0/0"}, "route_includes", "zero address"),
    ("configurations", {"name": "x", "advanced_settings": "idle-timeout=soon"}, "advanced_settings", "soon"),
    ("configurations", {"name": "x", "session_timeout": "0"}, "session_timeout", "seconds"),
    ("sites", {"name": "x", "public_address": "https://gw.lab.example"}, "public_address", "domain name"),
    ("sites", {"name": "x", "public_address": "gw.lab.example", "configuration": ""}, "configuration", ""),
    (
        "sites",
        {
            "name": "x",
            "public_address": "gw.lab.example",
            "window_limited": "yes",
            "window_zone": "Europe/Berlim",
            "window_start": "22:00",
            "window_end": "23:00",
        },
        "window_start",
        "Europe/Berlin",
    ),
]


@pytest.mark.parametrize(("tab", "typed", "name", "says"), REFUSED)
def test_the_rules_of_mst_admin_hold(
    administrator: Pages, tab: str, typed: dict[str, str], name: str, says: str
) -> None:
    administrator.open(f"/admin/{tab}/new")
    page = administrator.send(**typed)
    assert page.status == 400
    assert "Nothing was saved" in page.text
    assert f'id="{name}-problem"' in page.source
    assert says in page.text
    assert all(page.fields.get(key, "") == value for key, value in typed.items())


def test_what_an_administrator_typed_is_shown_as_text(administrator: Pages) -> None:
    administrator.open("/admin/configurations/new")
    page = administrator.send(name='"><script>x</script>', network="<b>")
    assert "<script>" not in page.source
    assert "<b>" not in page.source


def test_two_administrators_do_not_overwrite_each_other(administrator: Pages, lab: Any) -> None:
    site = lab.site_id("Lima")
    administrator.open(f"/admin/sites/{site}/edit")
    lab.graph("admin", "PATCH", f"/deviceManagement/microsoftTunnelSites/{site}", {"description": "changed"})
    page = administrator.send(description="mine")
    assert (page.status, "Someone else has changed this" in page.text) == (400, True)
    stored = lab.graph("admin", "GET", f"/deviceManagement/microsoftTunnelSites/{site}").json()
    assert stored["description"] == "changed"


def test_an_edit_keeps_scope_tags(administrator: Pages, lab: Any) -> None:
    site = lab.site_id("Osaka")
    path = f"/deviceManagement/microsoftTunnelSites/{site}"
    lab.graph("admin", "PATCH", path, {"roleScopeTagIds": ["0", "7"]})
    administrator.open(f"/admin/sites/{site}/edit")
    administrator.send(description="east")
    stored = lab.graph("admin", "GET", path).json()
    assert (stored["description"], stored["roleScopeTagIds"]) == ("east", ["0", "7"])


@pytest.fixture
def server(lab: Any) -> Any:
    """A server that its own application has registered, and that is gone afterwards."""
    servers = f"/deviceManagement/microsoftTunnelSites/{lab.site_id()}/microsoftTunnelServers"
    metrics = {"cpu-usage": 97, "disk-space": 2 * 1024**3, "latency": 3, "throughput": 120_000_000}
    verdict = {"id": "internal-network", "status": "unhealthy", "text": "<b>no</b> answer"}
    health = {"status": "warning", "metrics": metrics, "checks": [verdict]}
    created = lab.graph(
        "app:agent", "POST", servers, {"displayName": "gw-health", "labHealth": health}
    ).json()
    yield created
    lab.graph("admin", "DELETE", f"{servers}/{created['id']}")


def test_health_of_a_server(administrator: Pages, server: Any) -> None:
    overview = administrator.open("/admin/health").text
    assert "gw-health" in overview
    page = administrator.open(f"/admin/health/{server['id']}")
    lines = [" ".join(line.split()) for line in page.text.split("\n") if line.strip()]
    assert "CPU usage97 %✕ unhealthy" in lines  # threshold of this tenant: 75
    assert "Free disk space2 GB✕ unhealthy" in lines
    assert "Latency3 ms✓ healthy" in lines
    assert "Throughput120 Mbit/s? unknown" in lines
    assert "Internal network accessibility<b>no</b> answer✕ unhealthy" in lines
    assert "Memory usagenot reported? unknown" in lines


def test_trends_are_drawn_without_scripts(administrator: Pages, server: Any) -> None:
    page = administrator.open(f"/admin/health/{server['id']}/trends?span=week")
    assert page.tags.count("svg") == 4
    assert page.tags.count("details") == 4
    assert "Lowest 97 %, highest 97 %, last 97 %." in page.text
    assert "Nothing was reported in this time." in page.text
    assert "script" not in page.tags


def test_logs_are_asked_for(administrator: Pages, server: Any, lab: Any) -> None:
    page = administrator.open(f"/admin/health/{server['id']}/logs")
    assert "mst-cli diagnose" in page.text
    page = administrator.send()
    assert "pending" in page.text
    found = lab.graph("admin", "GET", "/deviceManagement/microsoftTunnelServerLogCollectionResponses").json()
    identifier = next(item["id"] for item in found["value"] if item["serverId"] == server["id"])
    path = f"/deviceManagement/microsoftTunnelServerLogCollectionResponses/{identifier}"
    address = f"{lab.description['graph']}/beta{path}/labContent"
    headers = {"Authorization": f"Bearer {lab.token_as('app:agent')}"}
    assert lab.session.put(address, data=b"logs", headers=headers, timeout=20).status_code == 204
    page = administrator.open(f"/admin/health/{server['id']}/logs")
    assert "completed" in page.text
    url = lab.graph("admin", "POST", f"{path}/createDownloadUrl").json()["value"]
    assert lab.session.get(url, timeout=20).content == b"logs"
    assert lab.session.get(url.replace("signature=", "signature=0"), timeout=20).status_code == 404


def test_a_server_is_renamed_and_removed(administrator: Pages, server: Any, lab: Any) -> None:
    path = f"/admin/servers/{server['id']}"
    administrator.open(path)
    assert "Saved." in administrator.send(path, name="gw-renamed").text
    administrator.open(path)
    assert administrator.send(path, name="").status == 400
    administrator.open(f"{path}/delete")
    assert "mst-cli uninstall" in administrator.page.text
    administrator.send()
    assert "gw-renamed" not in administrator.open("/admin/servers").text


def test_thresholds(administrator: Pages, lab: Any) -> None:
    administrator.open("/admin/health/thresholds")
    refused = administrator.send(decision="save", **{"cpuUsage-healthy": "75", "latency-healthy": "11"})
    assert (refused.status, "they must differ" in refused.text) == (400, True)
    administrator.open("/admin/health/thresholds")
    administrator.send(decision="save", **{"cpuUsage-healthy": "95", "cpuUsage-unhealthy": "100"})
    path = "/deviceManagement/microsoftTunnelHealthThresholds/cpuUsage"
    stored = lab.graph("admin", "GET", path).json()
    assert (stored["healthyThreshold"], stored["unhealthyThreshold"]) == (95, 100)
    latency = lab.graph("admin", "GET", path.replace("cpuUsage", "latency")).json()
    assert latency["healthyThreshold"] == 10
    administrator.open("/admin/health/thresholds")
    administrator.send(decision="revert")
    assert lab.graph("admin", "GET", path).json()["healthyThreshold"] == 50


def test_missing_objects_are_reported(administrator: Pages) -> None:
    page = administrator.open("/admin/sites/00000000-0000-4000-8000-000000000000")
    assert (page.status, "was not found" in page.text) == (404, True)
