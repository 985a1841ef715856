"""Apps and app configuration policies in the admin center: form, review, and what is refused."""

from typing import Any

import pytest

from tests.unit.mstunnel_lab.pages import Pages

GROUP = "11111111-2222-4333-8444-555555555555"
APPS = "/deviceAppManagement/mobileApps"
DEVICES = "/deviceAppManagement/mobileAppConfigurations"
MANAGED = "/deviceAppManagement/targetedManagedAppConfigurations"


def create(pages: Pages, tab: str, kind: str, typed: dict[str, str]) -> str:
    """Create an object by its form and review; returns its id."""
    pages.open(f"/admin/{tab}/new?kind={kind}")
    reviewed = pages.send(decision="review", **typed)
    assert "nothing is stored yet" in reviewed.text, reviewed.text
    created = pages.send(decision="save")
    assert "Saved." in created.text, created.text
    return created.address.split("/")[-1].removesuffix("?saved")


@pytest.fixture
def defender(administrator: Pages, lab: Any) -> Any:
    """The client app in both stores; removed afterwards."""
    made = {kind: create(administrator, "apps", kind, {}) for kind in ("android", "ios")}
    yield made
    for identifier in made.values():
        lab.graph("admin", "DELETE", f"{APPS}/{identifier}")


def test_the_client_app_is_what_the_form_begins_with(defender: Any, lab: Any) -> None:
    found = {kind: lab.graph("admin", "GET", f"{APPS}/{name}").json() for kind, name in defender.items()}
    assert found["android"]["packageId"] == found["ios"]["bundleId"] == "com.microsoft.scmx"
    assert found["ios"]["@odata.type"] == "#microsoft.graph.iosStoreApp"


def test_an_app_is_assigned_with_a_per_app_profile(administrator: Pages, lab: Any, defender: Any) -> None:
    administrator.open("/admin/profiles/new/ios")
    profile = administrator.send(
        site=lab.site_id(), name="Per-app", connection_name="Contoso", per_app="yes", decision="save"
    )
    identifier = profile.address.split("/")[-1].removesuffix("?saved")
    administrator.open(f"/admin/apps/{defender['ios']}/edit")
    administrator.send(decision="review", required_groups=GROUP, required_vpn_profile="Per-app")
    administrator.send(decision="save")
    (assigned,) = lab.graph("admin", "GET", f"{APPS}/{defender['ios']}/assignments").json()["value"]
    assert (assigned["intent"], assigned["target"]["groupId"]) == ("required", GROUP)
    assert assigned["settings"]["vpnConfigurationId"] == identifier
    page = administrator.open(f"/admin/apps/{defender['ios']}/edit")
    assert page.fields["required_vpn_profile"] == "Per-app"
    lab.graph("admin", "DELETE", f"/deviceManagement/deviceConfigurations/{identifier}")


def test_a_group_in_two_intents_is_refused_at_the_first(administrator: Pages, defender: Any) -> None:
    administrator.open(f"/admin/apps/{defender['android']}/edit")
    typed = {"required_groups": GROUP, "available_groups": GROUP}
    page = administrator.send(decision="review", required_excluded_groups=GROUP, **typed)
    assert page.status == 400
    assert 'id="required_groups-problem"' in page.source


def test_an_edit_keeps_when_an_app_is_updated(administrator: Pages, lab: Any, defender: Any) -> None:
    path = f"{APPS}/{defender['android']}"
    target = {"@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": GROUP}
    store = "#microsoft.graph.androidManagedStoreAppAssignmentSettings"
    settings = {"@odata.type": store, "autoUpdateMode": "priority"}
    body = {"mobileAppAssignments": [{"intent": "required", "target": target, "settings": settings}]}
    assert lab.graph("admin", "POST", f"{path}/assign", body).status_code == 200
    administrator.open(f"/admin/apps/{defender['android']}/edit")
    administrator.send(decision="save", required_all_devices="yes")
    found = lab.graph("admin", "GET", f"{path}/assignments").json()["value"]
    assert [item["settings"]["autoUpdateMode"] for item in found] == ["priority", "priority"]


def test_an_app_whose_assignments_the_form_cannot_show_is_not_edited(
    administrator: Pages, lab: Any, defender: Any
) -> None:
    path = f"{APPS}/{defender['android']}"
    settings = {"@odata.type": "#microsoft.graph.androidManagedStoreAppAssignmentSettings"}
    targets = (
        {"@odata.type": f"#microsoft.graph.all{who}AssignmentTarget"} for who in ("Devices", "LicensedUsers")
    )
    modes = ("priority", "postponed")
    assignments = [
        {"intent": "required", "target": target, "settings": settings | {"autoUpdateMode": mode}}
        for target, mode in zip(targets, modes, strict=True)
    ]
    lab.graph("admin", "POST", f"{path}/assign", {"mobileAppAssignments": assignments})
    page = administrator.open(f"/admin/apps/{defender['android']}/edit")
    assert (page.status, "Use mst-admin." in page.text) == (409, True)


def test_tunnel_only_by_an_app_configuration(administrator: Pages, lab: Any, defender: Any) -> None:
    """The European Union's data boundary, as the seed document describes it."""
    typed = {"name": "EU", "settings": "TunnelOnly=True", "eu_data_boundary": "yes", "groups": GROUP}
    identifier = create(administrator, "app-configurations", "devices-ios", typed)
    found = lab.graph("admin", "GET", f"{DEVICES}/{identifier}").json()
    (setting,) = found["settings"]
    assert (setting["appConfigKey"], setting["appConfigKeyValue"]) == ("TunnelOnly", "True")
    assert found["targetedMobileApps"] == [defender["ios"]]
    administrator.open(f"/admin/app-configurations/{identifier}/edit")
    page = administrator.send(decision="review", settings="WebProtection=True", eu_data_boundary="yes")
    assert (page.status, "TunnelOnly" in page.text) == (400, True)
    administrator.open(f"/admin/app-configurations/{identifier}/delete")
    administrator.send()
    assert lab.graph("admin", "GET", f"{DEVICES}/{identifier}").status_code == 404


def test_settings_of_android_devices(administrator: Pages, lab: Any, defender: Any) -> None:
    typed = {
        "name": "Android",
        "settings": "antiphishing=0\nvpn=0",
        "permissions": "android.permission.CAMERA=deny",
    }
    identifier = create(administrator, "app-configurations", "devices-android-work-profile", typed)
    found = lab.graph("admin", "GET", f"{DEVICES}/{identifier}").json()
    assert found["profileApplicability"] == "androidWorkProfile"
    assert found["permissionActions"][0]["action"] == "autoDeny"
    page = administrator.open(f"/admin/app-configurations/{identifier}/edit")
    assert page.fields["settings"] == "antiphishing=0\nvpn=0"
    lab.graph("admin", "DELETE", f"{DEVICES}/{identifier}")


def test_settings_of_managed_apps(administrator: Pages, lab: Any) -> None:
    typed = {"name": "MAM", "settings": "DefenderMAMConfigs=1\nvpn=0", "groups": GROUP}
    identifier = create(administrator, "app-configurations", "apps-android", typed)
    administrator.open(f"/admin/app-configurations/{identifier}/edit")
    administrator.send(decision="save", apps="com.microsoft.scmx\ncom.microsoft.emmx")
    apps = lab.graph("admin", "GET", f"{MANAGED}/{identifier}/apps").json()["value"]
    assert sorted(item["mobileAppIdentifier"]["packageId"] for item in apps) == [
        "com.microsoft.emmx",
        "com.microsoft.scmx",
    ]
    administrator.open(f"/admin/app-configurations/{identifier}/delete")
    administrator.send()
    assert lab.graph("admin", "GET", f"{MANAGED}/{identifier}").status_code == 404


REFUSED = [
    ("devices-ios", {"apps": "com.contoso.absent"}, ("apps", "Add it among all apps first")),
    ("devices-ios", {"settings": "tunnelonly=True"}, ("settings", "TunnelOnly")),
    ("devices-android", {"settings": "antiphishing=1\nvpn=0"}, ("settings", "same value")),
    ("devices-android", {"permissions": "android.permission.CAMERA=maybe"}, ("permissions", "prompt")),
    ("apps-android", {"settings": "vpn=1"}, ("settings", "DefenderMAMConfigs")),
    ("apps-ios", {"all_devices": "yes"}, ("all_devices", "“All devices”")),
    ("apps-ios", {"apps": ""}, ("apps", "no app")),
]


@pytest.mark.parametrize(("kind", "typed", "expected"), REFUSED)
def test_what_is_refused_is_said_at_its_field(
    administrator: Pages, defender: Any, kind: str, typed: dict[str, str], expected: tuple[str, str]
) -> None:
    administrator.open(f"/admin/app-configurations/new/{kind}")
    page = administrator.send(**{"name": "Refused", "decision": "review", **typed})
    assert page.status == 400, page.text
    name, says = expected
    assert f'id="{name}-problem"' in page.source
    assert says in page.text
