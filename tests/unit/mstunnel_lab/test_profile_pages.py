"""VPN profiles in the admin center: form, review, what is refused, and the proxy exclusion list."""

from typing import Any

import pytest

from tests.unit.mstunnel_lab.pages import Pages

ANDROID = {
    "name": "Tunnel for Android",
    "connection_name": "Contoso",
    "apps": "com.microsoft.emmx=Edge",
    "always_on": "yes",
    "lockdown": "yes",
    "lockdown_exclusions": "com.contoso.clock",
    "proxy_address": "proxy.contoso.com",
    "proxy_port": "8080",
    "proxy_exclusions": "*.contoso.com\n10.0.0.1",
    "custom_settings": "defendertoggle=0",
    "groups": "11111111-2222-4333-8444-555555555555",
}
IOS = {
    "name": "Tunnel for iOS",
    "connection_name": "Contoso",
    "block_override": "yes",
    "proxy_pac_url": "https://pac.contoso.com/proxy.pac",
    "custom_settings": "WebProtection=True\nAutoOnboard=True",
    "all_users": "yes",
    "rules": "1",
    "rule1_action": "connect",
    "rule1_probe_url": "https://probe.contoso.com/",
}
PROFILES = "/deviceManagement/deviceConfigurations"


def create(pages: Pages, lab: Any, kind: str, typed: dict[str, str]) -> Any:
    """Create a profile by the form and its review; returns what Graph has of it."""
    pages.open(f"/admin/profiles/new?kind={kind}")
    reviewed = pages.send(site=lab.site_id(), decision="review", **typed)
    assert "nothing is stored yet" in reviewed.text, reviewed.text
    created = pages.send(decision="save")
    assert "Saved." in created.text
    return lab.graph(
        "admin", "GET", f"{PROFILES}/{created.address.split('/')[-1].removesuffix('?saved')}"
    ).json()


def assignments(lab: Any, identifier: str) -> Any:
    found = lab.graph("admin", "GET", f"{PROFILES}/{identifier}/assignments").json()["value"]
    return [item["target"] for item in found]


@pytest.mark.parametrize("kind", ["android-work-profile", "android-device-owner"])
def test_every_section_of_an_android_profile_reaches_the_tenant(
    administrator: Pages, lab: Any, kind: str
) -> None:
    stored = create(administrator, lab, kind, ANDROID)
    kinds = {"android-work-profile": "WorkProfile", "android-device-owner": "DeviceOwner"}
    assert stored["@odata.type"] == f"#microsoft.graph.android{kinds[kind]}VpnConfiguration"
    assert stored["connectionType"] == "microsoftProtect"
    assert stored["microsoftTunnelSiteId"] == lab.site_id()
    assert stored["targetedPackageIds"] == ["com.microsoft.emmx"]
    assert stored["targetedMobileApps"][0]["name"] == "Edge"
    assert (stored["alwaysOn"], stored["alwaysOnLockdown"]) == (True, True)
    assert stored["lockdownExclusionList"] == ["com.contoso.clock"]
    proxy = stored["proxyServer"]
    assert (proxy["address"], proxy["port"]) == ("proxy.contoso.com", 8080)
    assert stored["proxyExclusionList"] == ["*.contoso.com", "10.0.0.1"]
    assert {"key": "defendertoggle", "value": "0"}.items() <= stored["customData"][1].items()
    assert assignments(lab, stored["id"])[0]["groupId"] == ANDROID["groups"]


def test_every_section_of_an_ios_profile_reaches_the_tenant(administrator: Pages, lab: Any) -> None:
    stored = create(administrator, lab, "ios", IOS)
    assert (stored["@odata.type"], stored["connectionType"]) == (
        "#microsoft.graph.iosVpnConfiguration",
        "microsoftTunnel",
    )
    (rule,) = stored["onDemandRules"]
    assert (rule["action"], rule["probeUrl"]) == ("connect", "https://probe.contoso.com/")
    assert stored["disableOnDemandUserOverride"] is True
    assert stored["proxyServer"]["automaticConfigurationScriptUrl"] == "https://pac.contoso.com/proxy.pac"
    assert [item["key"] for item in stored["customData"]][1:] == ["WebProtection", "AutoOnboard"]
    (target,) = assignments(lab, stored["id"])
    assert target["@odata.type"] == "#microsoft.graph.allLicensedUsersAssignmentTarget"


def test_the_review_stores_nothing_and_leads_back(administrator: Pages, lab: Any) -> None:
    before = lab.graph("admin", "GET", PROFILES).json()["value"]
    administrator.open("/admin/profiles/new/ios")
    page = administrator.send(site=lab.site_id(), decision="review", **{**IOS, "name": "Only reviewed"})
    assert "Only reviewed" in page.text
    assert "https://probe.contoso.com/" in page.text
    assert lab.graph("admin", "GET", PROFILES).json()["value"] == before
    page = administrator.send(decision="edit")
    assert page.fields["rule1_probe_url"] == "https://probe.contoso.com/"
    assert page.fields["custom_settings"] == IOS["custom_settings"]


def test_the_review_refuses_what_graph_refuses(administrator: Pages, lab: Any) -> None:
    """No rule of mst-admin limits a description; the tenant's own model does."""
    administrator.open("/admin/profiles/new/ios")
    typed = {**IOS, "description": "x" * 1501}
    page = administrator.send(site=lab.site_id(), decision="review", **typed)
    assert (page.status, "description" in page.text) == (400, True)


REFUSED = [
    ("android-work-profile", {"site": ""}, ("site", "Choose one from the list")),
    ("android-work-profile", {"always_on": ""}, ("lockdown", "lockdown")),
    ("android-work-profile", {"proxy_address": "https://p"}, ("proxy_address", "“Address” is")),
    ("android-work-profile", {"proxy_port": "0"}, ("proxy_address", "“Port number” is")),
    ("android-work-profile", {"proxy_port": "http"}, ("proxy_address", "Must be a whole number")),
    ("android-work-profile", {"proxy_exclusions": "con*oso.com"}, ("proxy_exclusions", "wildcard")),
    ("android-work-profile", {"proxy_address": ""}, ("proxy_exclusions", "“Proxy exclusion list”")),
    ("android-work-profile", {"custom_settings": "vpn=2"}, ("custom_settings", "“Custom settings”")),
    ("android-work-profile", {"apps": "Edge"}, ("apps", "Edge")),
    ("android-work-profile", {"groups": "Everyone"}, ("groups", "GUID")),
    ("ios", {"rule1_domains": "contoso.com"}, ("", "“When users try to access these domains”")),
    ("ios", {"rule1_action": "-"}, ("custom_settings", "on-demand rule")),
    ("ios", {"safari_domains": "contoso.com"}, ("per_app", "“Enable per-app VPN”")),
]


@pytest.mark.parametrize(("kind", "typed", "expected"), REFUSED)
def test_what_is_refused_is_said_at_its_field_with_its_label(
    administrator: Pages, lab: Any, kind: str, typed: dict[str, str], expected: tuple[str, str]
) -> None:
    administrator.open(f"/admin/profiles/new/{kind}")
    valid = IOS if kind == "ios" else ANDROID
    page = administrator.send(**{"site": lab.site_id(), "decision": "review", **valid, **typed})
    assert page.status == 400, page.text
    name, says = expected
    assert not name or f'id="{name}-problem"' in page.source, page.text
    assert says in page.text, page.text


def test_a_profile_is_edited_and_deleted(administrator: Pages, lab: Any) -> None:
    stored = create(administrator, lab, "android-work-profile", {**ANDROID, "name": "Changing"})
    path = f"{PROFILES}/{stored['id']}"
    app = {**stored["targetedMobileApps"][0], "publisher": "Microsoft"}
    body = {"@odata.type": stored["@odata.type"], "targetedMobileApps": [app], "roleScopeTagIds": ["0", "7"]}
    lab.graph("admin", "PATCH", path, body)
    administrator.open(f"/admin/profiles/{stored['id']}/edit")
    assert administrator.page.fields["proxy_exclusions"] == ANDROID["proxy_exclusions"]
    administrator.send(decision="review", connection_name="Fabrikam", groups="", all_devices="yes")
    administrator.send(decision="save")
    changed = lab.graph("admin", "GET", path).json()
    assert changed["connectionName"] == "Fabrikam"
    assert changed["targetedMobileApps"][0]["publisher"] == "Microsoft"
    assert changed["roleScopeTagIds"] == ["0", "7"]
    assert [item["@odata.type"].rpartition(".")[2] for item in assignments(lab, stored["id"])] == [
        "allDevicesAssignmentTarget"
    ]
    administrator.open(f"/admin/profiles/{stored['id']}/delete")
    administrator.send()
    assert lab.graph("admin", "GET", path).status_code == 404


def upload(pages: Pages, lab: Any, content: bytes) -> str:
    """Import a file into the list of a new profile; returns the page."""
    pages.open("/admin/profiles/new/android-work-profile")
    fields = {**pages.page.fields, "proxy_exclusions": "*.contoso.com", "decision": "import"}
    fields.pop("proxy_exclusions_file")
    files = {"proxy_exclusions_file": ("list.csv", content, "text/csv")}
    address = pages.base + pages.page.action
    answer = pages.session.post(address, data=fields, files=files, timeout=20)
    return answer.text


def test_exclusions_are_imported_into_the_list(administrator: Pages, lab: Any) -> None:
    page = upload(administrator, lab, b"\xef\xbb\xbfurl\r\nsub.contoso.com;2001:db8::1\r\n*.contoso.com\r\n")
    assert "3 entries imported." in page
    assert ">*.contoso.com\nsub.contoso.com\n2001:db8::1<" in page


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"contos*.com", "wildcard"), (b"\xff\xfe", "not a CSV file"), (b"", "not a CSV file")],
)
def test_a_file_that_cannot_be_used_changes_nothing(
    administrator: Pages, lab: Any, content: bytes, says: str
) -> None:
    page = upload(administrator, lab, content)
    assert says in page
    assert ">*.contoso.com<" in page


def test_exclusions_are_exported_as_they_are_typed(administrator: Pages) -> None:
    administrator.open("/admin/profiles/new/android-work-profile")
    page = administrator.send(decision="export", proxy_exclusions="*.contoso.com\n10.0.0.1")
    assert page.source == "*.contoso.com\n10.0.0.1\n"


def test_rules_are_added_one_by_one(administrator: Pages) -> None:
    administrator.open("/admin/profiles/new/ios")
    administrator.send(decision="add-rule", name="Kept")
    page = administrator.send(decision="add-rule", rule1_action="ignore")
    assert page.fields["name"] == "Kept"
    assert (page.fields["rules"], page.fields["rule1_action"]) == ("2", "ignore")
    assert "On-demand rule 2" in page.text
    page = administrator.send(decision="add-rule", rules="9" * 40)
    assert page.status == 200


def test_other_profiles_are_not_of_the_tunnel(administrator: Pages, lab: Any) -> None:
    body = {
        "@odata.type": "#microsoft.graph.iosVpnConfiguration",
        "displayName": "Other vendor",
        "connectionName": "Other",
        "connectionType": "ciscoAnyConnect",
        "authenticationMethod": "certificate",
        "server": {"address": "vpn.contoso.com"},
    }
    other = lab.graph("admin", "POST", PROFILES, body).json()["id"]
    assert "Other vendor" not in administrator.open("/admin/profiles").text
    assert administrator.open(f"/admin/profiles/{other}").status == 404
    lab.graph("admin", "DELETE", f"{PROFILES}/{other}")
