"""VPN profiles, apps and app configuration policies in the admin center: form, review, what is refused."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.mstunnel_lab.pages import Pages

GROUP = "11111111-2222-4333-8444-555555555555"
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
    "groups": GROUP,
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
APPS = "/deviceAppManagement/mobileApps"
DEVICES = "/deviceAppManagement/mobileAppConfigurations"
MANAGED = "/deviceAppManagement/targetedManagedAppConfigurations"
PLAY_SETTINGS = {"@odata.type": "#microsoft.graph.androidManagedStoreAppAssignmentSettings"}


def create(pages: Pages, tab: str, kind: str, typed: dict[str, str]) -> str:
    """Create an object by its form and review; returns its id."""
    reviewed = pages.fill(f"/admin/{tab}/new?kind={kind}", decision="review", **typed)
    assert "nothing is stored yet" in reviewed.text, reviewed.text
    pages.send(decision="save")
    return pages.saved


def targets(lab: Any, identifier: str) -> Any:
    return [item["target"] for item in lab.read(f"{PROFILES}/{identifier}/assignments")["value"]]


@pytest.mark.parametrize(("kind", "name"), [("work-profile", "WorkProfile"), ("device-owner", "DeviceOwner")])
def test_every_section_of_an_android_profile_reaches_the_tenant(
    administrator: Pages, lab: Any, kind: str, name: str
) -> None:
    typed = {"site": lab.site_id(), **ANDROID}
    stored = lab.read(f"{PROFILES}/{create(administrator, 'profiles', f'android-{kind}', typed)}")
    assert stored["@odata.type"] == f"#microsoft.graph.android{name}VpnConfiguration"
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
    assert targets(lab, stored["id"])[0]["groupId"] == GROUP


def test_every_section_of_an_ios_profile_reaches_the_tenant(administrator: Pages, lab: Any) -> None:
    stored = lab.read(
        f"{PROFILES}/{create(administrator, 'profiles', 'ios', {'site': lab.site_id(), **IOS})}"
    )
    assert stored["@odata.type"] == "#microsoft.graph.iosVpnConfiguration"
    assert stored["connectionType"] == "microsoftTunnel"
    (rule,) = stored["onDemandRules"]
    assert (rule["action"], rule["probeUrl"]) == ("connect", "https://probe.contoso.com/")
    assert stored["disableOnDemandUserOverride"] is True
    assert stored["proxyServer"]["automaticConfigurationScriptUrl"] == "https://pac.contoso.com/proxy.pac"
    assert [item["key"] for item in stored["customData"]][1:] == ["WebProtection", "AutoOnboard"]
    (target,) = targets(lab, stored["id"])
    assert target["@odata.type"] == "#microsoft.graph.allLicensedUsersAssignmentTarget"


def test_the_review_stores_nothing_and_leads_back(administrator: Pages, lab: Any) -> None:
    before = lab.read(PROFILES)["value"]
    typed = {**IOS, "site": lab.site_id(), "name": "Only reviewed"}
    page = administrator.fill("/admin/profiles/new/ios", decision="review", **typed)
    assert "Only reviewed" in page.text
    assert "https://probe.contoso.com/" in page.text
    assert lab.read(PROFILES)["value"] == before
    page = administrator.send(decision="edit")
    assert page.fields["rule1_probe_url"] == "https://probe.contoso.com/"
    assert page.fields["custom_settings"] == IOS["custom_settings"]


WORK = "profiles/new/android-work-profile"
POLICY = "app-configurations/new"
REFUSED = [
    (WORK, {"site": ""}, ("site", "Choose one from the list")),
    (WORK, {"always_on": ""}, ("lockdown", "lockdown")),
    (WORK, {"proxy_address": "https://p"}, ("proxy_address", "“Address” is")),
    (WORK, {"proxy_port": "0"}, ("proxy_address", "“Port number” is")),
    (WORK, {"proxy_port": "http"}, ("proxy_address", "Must be a whole number")),
    (WORK, {"proxy_exclusions": "con*oso.com"}, ("proxy_exclusions", "wildcard")),
    (WORK, {"proxy_address": ""}, ("proxy_exclusions", "“Proxy exclusion list”")),
    (WORK, {"custom_settings": "vpn=2"}, ("custom_settings", "“Custom settings”")),
    (WORK, {"apps": "Edge"}, ("apps", "Edge")),
    (WORK, {"groups": "Everyone"}, ("groups", "GUID")),
    ("profiles/new/ios", {"rule1_domains": "a.com"}, ("", "“When users try to access these domains”")),
    ("profiles/new/ios", {"rule1_action": "-"}, ("custom_settings", "on-demand rule")),
    ("profiles/new/ios", {"safari_domains": "a.com"}, ("per_app", "“Enable per-app VPN”")),
    # No rule of mst-admin limits a description; the tenant's own model does.
    ("profiles/new/ios", {"description": "x" * 1501}, ("", "description")),
    (f"{POLICY}/devices-ios", {"apps": "com.contoso.absent"}, ("apps", "Add it among all apps first")),
    (f"{POLICY}/devices-ios", {"settings": "tunnelonly=True"}, ("settings", "TunnelOnly")),
    (f"{POLICY}/devices-android", {"settings": "antiphishing=1\nvpn=0"}, ("settings", "same value")),
    (
        f"{POLICY}/devices-android",
        {"permissions": "android.permission.CAMERA=maybe"},
        ("permissions", "prompt"),
    ),
    (f"{POLICY}/apps-android", {"settings": "vpn=1"}, ("settings", "DefenderMAMConfigs")),
    (f"{POLICY}/apps-ios", {"all_devices": "yes"}, ("all_devices", "“All devices”")),
    (f"{POLICY}/apps-ios", {"apps": ""}, ("apps", "no app")),
]


@pytest.mark.usefixtures("defender")
@pytest.mark.parametrize(("form", "typed", "expected"), REFUSED)
def test_what_is_refused_is_said_at_its_field_with_its_label(
    administrator: Pages, lab: Any, form: str, typed: dict[str, str], expected: tuple[str, str]
) -> None:
    valid = (
        {"name": "Refused"}
        if POLICY in form
        else {"site": lab.site_id(), **(ANDROID if form == WORK else IOS)}
    )
    page = administrator.fill(f"/admin/{form}", **{"decision": "review", **valid, **typed})
    assert page.status == 400, page.text
    name, says = expected
    assert not name or f'id="{name}-problem"' in page.source, page.text
    assert says in page.text, page.text


def test_a_profile_is_edited_and_deleted(administrator: Pages, lab: Any) -> None:
    typed = {**ANDROID, "site": lab.site_id(), "name": "Changing"}
    identifier = create(administrator, "profiles", "android-work-profile", typed)
    path = f"{PROFILES}/{identifier}"
    stored = lab.read(path)
    app = {**stored["targetedMobileApps"][0], "publisher": "Microsoft"}
    body = {"@odata.type": stored["@odata.type"], "targetedMobileApps": [app], "roleScopeTagIds": ["0", "7"]}
    lab.graph("admin", "PATCH", path, body)
    administrator.open(f"/admin/profiles/{identifier}/edit")
    assert administrator.page.fields["proxy_exclusions"] == ANDROID["proxy_exclusions"]
    administrator.send(decision="review", connection_name="Fabrikam", groups="", all_devices="yes")
    administrator.send(decision="save")
    changed = lab.read(path)
    assert changed["connectionName"] == "Fabrikam"
    assert changed["targetedMobileApps"][0]["publisher"] == "Microsoft"
    assert changed["roleScopeTagIds"] == ["0", "7"]
    (target,) = targets(lab, identifier)
    assert target["@odata.type"] == "#microsoft.graph.allDevicesAssignmentTarget"
    administrator.fill(f"/admin/profiles/{identifier}/delete")
    assert lab.status("admin", "GET", path) == 404


def upload(pages: Pages, content: bytes) -> str:
    """Import a file into the list of a new profile; returns the page."""
    pages.open(f"/admin/{WORK}")
    fields = {**pages.page.fields, "proxy_exclusions": "*.contoso.com", "decision": "import"}
    fields.pop("proxy_exclusions_file")
    files = {"proxy_exclusions_file": ("list.csv", content, "text/csv")}
    return pages.session.post(pages.base + pages.page.action, data=fields, files=files, timeout=20).text


def test_exclusions_are_imported_into_the_list(administrator: Pages) -> None:
    page = upload(administrator, b"\xef\xbb\xbfurl\r\nsub.contoso.com;2001:db8::1\r\n*.contoso.com\r\n")
    assert "3 entries imported." in page
    assert ">*.contoso.com\nsub.contoso.com\n2001:db8::1<" in page


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"contos*.com", "wildcard"), (b"\xff\xfe", "not a CSV file"), (b"", "not a CSV file")],
)
def test_a_file_that_cannot_be_used_changes_nothing(administrator: Pages, content: bytes, says: str) -> None:
    page = upload(administrator, content)
    assert says in page
    assert ">*.contoso.com<" in page


def test_exclusions_are_exported_as_they_are_typed(administrator: Pages) -> None:
    typed = {"decision": "export", "proxy_exclusions": "*.contoso.com\n10.0.0.1"}
    assert administrator.fill(f"/admin/{WORK}", **typed).source == "*.contoso.com\n10.0.0.1\n"


def test_rules_are_added_one_by_one(administrator: Pages) -> None:
    administrator.fill("/admin/profiles/new/ios", decision="add-rule", name="Kept")
    page = administrator.send(decision="add-rule", rule1_action="ignore")
    shown = (page.fields["name"], page.fields["rules"], page.fields["rule1_action"])
    assert shown == ("Kept", "2", "ignore")
    assert "On-demand rule 2" in page.text
    assert administrator.send(decision="add-rule", rules="9" * 40).status == 200


def test_other_profiles_are_not_of_the_tunnel(administrator: Pages, lab: Any) -> None:
    body = {
        "@odata.type": "#microsoft.graph.iosVpnConfiguration",
        "displayName": "Other vendor",
        "connectionName": "Other",
        "connectionType": "ciscoAnyConnect",
        "authenticationMethod": "certificate",
        "server": {"address": "vpn.contoso.com"},
    }
    other = lab.create(PROFILES, body)["id"]
    assert "Other vendor" not in administrator.open("/admin/profiles").text
    assert administrator.open(f"/admin/profiles/{other}").status == 404
    lab.graph("admin", "DELETE", f"{PROFILES}/{other}")


@pytest.fixture
def defender(administrator: Pages, lab: Any) -> Iterator[dict[str, str]]:
    """The client app in both stores; removed afterwards."""
    made = {kind: create(administrator, "apps", kind, {}) for kind in ("android", "ios")}
    yield made
    for identifier in made.values():
        lab.graph("admin", "DELETE", f"{APPS}/{identifier}")


def test_the_client_app_is_what_the_form_begins_with(defender: Any, lab: Any) -> None:
    found = {kind: lab.read(f"{APPS}/{name}") for kind, name in defender.items()}
    assert found["android"]["packageId"] == found["ios"]["bundleId"] == "com.microsoft.scmx"
    assert found["ios"]["@odata.type"] == "#microsoft.graph.iosStoreApp"


def test_an_app_is_assigned_with_a_per_app_profile(administrator: Pages, lab: Any, defender: Any) -> None:
    typed = {"site": lab.site_id(), "name": "Per-app", "connection_name": "Contoso", "per_app": "yes"}
    administrator.fill("/admin/profiles/new/ios", decision="save", **typed)
    identifier, form = administrator.saved, f"/admin/apps/{defender['ios']}/edit"
    administrator.fill(form, decision="review", required_groups=GROUP, required_vpn_profile="Per-app")
    administrator.send(decision="save")
    (assigned,) = lab.read(f"{APPS}/{defender['ios']}/assignments")["value"]
    assert (assigned["intent"], assigned["target"]["groupId"]) == ("required", GROUP)
    assert assigned["settings"]["vpnConfigurationId"] == identifier
    assert administrator.open(form).fields["required_vpn_profile"] == "Per-app"
    lab.graph("admin", "DELETE", f"{PROFILES}/{identifier}")


def test_a_group_in_two_intents_is_refused_at_the_first(administrator: Pages, defender: Any) -> None:
    typed = {"required_groups": GROUP, "available_groups": GROUP, "required_excluded_groups": GROUP}
    page = administrator.fill(f"/admin/apps/{defender['android']}/edit", decision="review", **typed)
    assert page.status == 400
    assert 'id="required_groups-problem"' in page.source


def test_an_edit_keeps_when_an_app_is_updated(administrator: Pages, lab: Any, defender: Any) -> None:
    path = f"{APPS}/{defender['android']}"
    target = {"@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": GROUP}
    settings = PLAY_SETTINGS | {"autoUpdateMode": "priority"}
    body = {"mobileAppAssignments": [{"intent": "required", "target": target, "settings": settings}]}
    assert lab.status("admin", "POST", f"{path}/assign", body) == 200
    form = f"/admin/apps/{defender['android']}/edit"
    administrator.fill(form, decision="save", required_all_devices="yes")
    found = lab.read(f"{path}/assignments")["value"]
    assert [item["settings"]["autoUpdateMode"] for item in found] == ["priority", "priority"]


def test_an_app_whose_assignments_the_form_cannot_show_is_not_edited(
    administrator: Pages, lab: Any, defender: Any
) -> None:
    assignments = [
        {
            "intent": "required",
            "target": {"@odata.type": f"#microsoft.graph.all{who}AssignmentTarget"},
            "settings": PLAY_SETTINGS | {"autoUpdateMode": mode},
        }
        for who, mode in (("Devices", "priority"), ("LicensedUsers", "postponed"))
    ]
    path = f"{APPS}/{defender['android']}/assign"
    lab.graph("admin", "POST", path, {"mobileAppAssignments": assignments})
    page = administrator.open(f"/admin/apps/{defender['android']}/edit")
    assert (page.status, "Use mst-admin." in page.text) == (409, True)


def test_tunnel_only_by_an_app_configuration(administrator: Pages, lab: Any, defender: Any) -> None:
    """The European Union's data boundary, as the seed document describes it."""
    typed = {"name": "EU", "settings": "TunnelOnly=True", "eu_data_boundary": "yes", "groups": GROUP}
    identifier = create(administrator, "app-configurations", "devices-ios", typed)
    found = lab.read(f"{DEVICES}/{identifier}")
    (setting,) = found["settings"]
    assert (setting["appConfigKey"], setting["appConfigKeyValue"]) == ("TunnelOnly", "True")
    assert found["targetedMobileApps"] == [defender["ios"]]
    own = f"/admin/app-configurations/{identifier}"
    typed = {"settings": "WebProtection=True", "eu_data_boundary": "yes"}
    page = administrator.fill(f"{own}/edit", decision="review", **typed)
    assert (page.status, "TunnelOnly" in page.text) == (400, True)
    administrator.fill(f"{own}/delete")
    assert lab.status("admin", "GET", f"{DEVICES}/{identifier}") == 404


@pytest.mark.usefixtures("defender")
def test_settings_of_android_devices(administrator: Pages, lab: Any) -> None:
    settings = "antiphishing=0\nvpn=0"
    typed = {"name": "Android", "settings": settings, "permissions": "android.permission.CAMERA=deny"}
    identifier = create(administrator, "app-configurations", "devices-android-work-profile", typed)
    found = lab.read(f"{DEVICES}/{identifier}")
    assert found["profileApplicability"] == "androidWorkProfile"
    assert found["permissionActions"][0]["action"] == "autoDeny"
    page = administrator.open(f"/admin/app-configurations/{identifier}/edit")
    assert page.fields["settings"] == settings
    lab.graph("admin", "DELETE", f"{DEVICES}/{identifier}")


def test_settings_of_managed_apps(administrator: Pages, lab: Any) -> None:
    typed = {"name": "MAM", "settings": "DefenderMAMConfigs=1\nvpn=0", "groups": GROUP}
    identifier = create(administrator, "app-configurations", "apps-android", typed)
    own, names = f"/admin/app-configurations/{identifier}", ["com.microsoft.emmx", "com.microsoft.scmx"]
    administrator.fill(f"{own}/edit", decision="save", apps="\n".join(reversed(names)))
    apps = lab.read(f"{MANAGED}/{identifier}/apps")["value"]
    assert sorted(item["mobileAppIdentifier"]["packageId"] for item in apps) == names
    administrator.fill(f"{own}/delete")
    assert lab.status("admin", "GET", f"{MANAGED}/{identifier}") == 404
