"""`mst-admin app-config`, and app configurations in declarations, against a real lab tenant."""

import base64
import json
from pathlib import Path

import pytest

from mstunnel_setup.base.errors import ExitCode
from mstunnel_setup.tenant.graph_admin import DEVICE_APP_CONFIGURATIONS
from tests.unit.mst_admin.labs import GROUP, OTHER, MstAdmin, Tenant, declare, object_file

IOS = f"""\
version: 1
name: Defender on iPhones
channel: managed-devices
platform: ios
settings: {{TunnelOnly: true}}
eu_data_boundary: true
groups: [{GROUP}]
"""
DECLARED = f"""\
version: 1
app_configurations:
  - name: Defender on iPads
    channel: managed-devices
    platform: ios
    settings: {{TunnelOnly: true}}
    eu_data_boundary: true
    all_users: true
  - name: Defender in work profiles
    channel: managed-devices
    platform: android-work-profile
    settings: {{antiphishing: 0, vpn: 0}}
    permissions: {{android.permission.POST_NOTIFICATIONS: grant}}
    groups: [{GROUP}]
    excluded_groups: [{OTHER}]
  - name: Defender without enrolment
    channel: managed-apps
    platform: android
    settings: {{DefenderMAMConfigs: 1, vpn: 0, antiphishing: 0}}
    groups: [{GROUP}]
"""

NAMES = ["Defender on iPads", "Defender in work profiles", "Defender without enrolment"]

pytestmark = pytest.mark.usefixtures("with_defender")


def test_one_is_created_shown_changed_and_deleted(admin: MstAdmin, tmp_path: Path) -> None:
    file = object_file(tmp_path, IOS)
    assert admin("app-config", "lint", file).status == "ok"
    created = admin("app-config", "create", file)
    assert (created.code, created.status) == (0, "changed"), created.message
    assert admin("app-config", "create", file).codes("errors") == ["name-taken"]
    assert admin("app-config", "update", file).status == "unchanged"
    shown = admin("app-config", "show", "Defender on iPhones").data
    assert shown["object"]["id"] == created.data["id"]
    (setting,) = shown["object"]["settings"]
    assert (setting["appConfigKey"], setting["appConfigKeyType"]) == ("TunnelOnly", "stringType")
    assert shown["declared"]["groups"] == [GROUP]
    text = IOS.replace("{TunnelOnly: true}", "{TunnelOnly: true, WebProtection: false}").replace(GROUP, OTHER)
    updated = admin("app-config", "update", object_file(tmp_path, text))
    (change,) = updated.data["changes"]
    assert set(change["after"]) == {"settings", "assignments"}
    assert admin("app-config", "lint", created.data["id"]).status == "ok"
    listed = admin("app-config", "list").data["objects"]
    assert [item["id"] for item in listed] == [created.data["id"]]
    assert admin("app-config", "delete", "Defender on iPhones").codes("errors") == ["not-confirmed"]
    assert admin("app-config", "delete", "Defender on iPhones", "--yes").status == "changed"
    assert admin("app-config", "show", "Defender on iPhones").codes("errors") == ["name-unknown"]
    assert admin("app-config", "update", file).codes("errors") == ["object-unknown"]


def test_declarations_are_planned_applied_and_found_in_order(admin: MstAdmin, tmp_path: Path) -> None:
    directory = declare(tmp_path, DECLARED)
    planned = admin("diff", directory, "--exit-code")
    assert planned.code == ExitCode.CHANGES_PENDING
    assert planned.changes == [("create", "app configuration", name) for name in NAMES]
    assert admin("apply", directory).status == "changed"
    assert admin("apply", directory).changes == []
    shown = admin("app-config", "show", "Defender in work profiles").data["object"]
    assert shown["packageId"] == "app:com.microsoft.scmx"
    assert shown["permissionActions"][0]["action"] == "autoGrant"
    assert json.loads(base64.b64decode(shown["payloadJson"]))["managedProperty"] == [
        {"key": "antiphishing", "valueInteger": 0},
        {"key": "vpn", "valueInteger": 0},
    ]
    managed = admin("app-config", "show", "Defender without enrolment").data
    assert managed["object"]["id"].startswith("A_")
    assert managed["declared"]["settings"] == {"DefenderMAMConfigs": "1", "antiphishing": "0", "vpn": "0"}
    text = DECLARED.replace("{antiphishing: 0, vpn: 0}", "{antiphishing: 1, vpn: 1}").replace(
        "channel: managed-apps\n",
        "channel: managed-apps\n    apps: [com.microsoft.scmx, com.microsoft.emmx]\n",
    )
    assert admin("apply", declare(tmp_path, text)).written == [
        ("Defender in work profiles", {"managedProperty"}),
        ("Defender without enrolment", {"packageIds"}),
    ]
    assert admin("apply", directory).changes == []
    lines = admin.text("diff", declare(tmp_path, DECLARED)).splitlines()
    assert "~ app configuration Defender in work profiles" in lines
    assert any("key=antiphishing valueInteger=0" in line for line in lines)


def test_prune_deletes_only_what_is_for_the_tunnel(admin: MstAdmin, tmp_path: Path) -> None:
    directory = declare(tmp_path, DECLARED)
    assert admin("apply", directory).code == 0
    other = IOS.replace("Defender on iPhones", "Other").replace("managed-devices", "managed-apps")
    other = other.replace("settings: {TunnelOnly: true}\neu_data_boundary: true", "apps: [com.contoso.app]")
    assert admin("app-config", "create", object_file(tmp_path, other)).code == 0
    none = declare(tmp_path, "version: 1\napp_configurations: []\n")
    pruned = [
        name
        for _, kind, name in admin("diff", none, "--prune", "app-configurations").changes
        if "app" in kind
    ]
    assert sorted(pruned) == sorted(NAMES)
    for name in pruned:
        assert admin("app-config", "delete", name, "--yes").code == 0


def test_other_settings_of_edge_are_ignored(admin: MstAdmin, tmp_path: Path) -> None:
    edge = f"""\
version: 1
name: Bookmarks
channel: managed-apps
platform: android
apps: [com.microsoft.emmx]
settings: {{com.microsoft.intune.mam.managedbrowser.homepage: "https://intranet.contoso.com"}}
groups: [{GROUP}]
"""
    strict = edge.replace("Bookmarks", "Strict").replace("homepage", "StrictTunnelMode")
    for text in (edge, strict):
        assert admin("app-config", "create", object_file(tmp_path, text)).code == 0
    none = declare(tmp_path, "version: 1\napp_configurations: []\n")
    pruned = admin("diff", none, "--prune", "app-configurations").changes
    assert ("delete", "app configuration", "Strict") in pruned
    assert ("delete", "app configuration", "Bookmarks") not in pruned
    listed = [item["displayName"] for item in admin("app-config", "list").data["objects"]]
    assert ("Strict" in listed, "Bookmarks" in listed) == (True, False)
    for name in ("Bookmarks", "Strict"):
        assert admin("app-config", "delete", name, "--yes").code == 0


def test_conflict_with_vpn_profile_is_refused_with_position(admin: MstAdmin, tmp_path: Path) -> None:
    profile = f"""\
profiles:
  - platform: android-work-profile
    name: Tunnel for Android
    connection_name: Contoso
    site: Berlin
    custom_settings: {{vpn: 1, antiphishing: 1}}
    groups: [{GROUP}]
"""
    refused = admin("diff", declare(tmp_path, DECLARED + profile))
    assert refused.codes("errors") == ["declarations-invalid"]
    assert "tenant.yaml:11:15: in a personally-owned work profile it conflicts" in refused.message
    assert admin("apply", declare(tmp_path, f"version: 1\n{profile}"), "--no-resolve").code == 0
    text = IOS.replace("ios", "android-work-profile").replace("TunnelOnly: true", "")
    file = object_file(tmp_path, text.replace("eu_data_boundary: true\n", ""))
    assert admin("app-config", "lint", file).status == "ok"
    refused = admin("app-config", "create", file)
    assert refused.codes("errors") == ["app-config-conflict"]
    assert admin("profile", "delete", "Tunnel for Android", "--yes").code == 0


def test_channel_and_system_are_fixed(admin: MstAdmin, tmp_path: Path) -> None:
    assert admin("app-config", "create", object_file(tmp_path, IOS)).code == 0
    other = IOS.replace("platform: ios", "platform: android").replace("{TunnelOnly: true}", "{}")
    other = other.replace("eu_data_boundary: true\n", "")
    refused = admin("app-config", "update", object_file(tmp_path, other))
    assert refused.codes("errors") == ["app-configuration-fixed"]
    assert admin("app-config", "delete", "Defender on iPhones", "--yes").code == 0


def test_mistakes_have_line_and_column(admin: MstAdmin, tmp_path: Path) -> None:
    refused = admin("app-config", "create", object_file(tmp_path, IOS.replace("settings", "setings")))
    assert refused.codes("errors") == ["object-file-invalid"]
    assert "object.yaml:5:1: unknown key `setings`; did you mean `settings`?" in refused.message
    bad = admin("app-config", "lint", object_file(tmp_path, IOS.replace("TunnelOnly", "tunnelonly")))
    assert bad.code == ExitCode.USAGE
    assert bad.codes("errors") == ["app-setting-spelling", "data-boundary-needs-tunnel-only"]
    assert "object.yaml:5:11: settings.tunnelonly" in bad.message
    listed = object_file(tmp_path, IOS.replace("{TunnelOnly: true}", "{TunnelOnly: [true]}"))
    assert "`settings.TunnelOnly` must be text" in admin("app-config", "lint", listed).message
    missing = admin("app-config", "lint", str(tmp_path / "none.yaml"))
    assert missing.codes("errors") == ["object-file-unreadable"]


def test_what_a_file_cannot_say_is_reported_and_stays(
    admin: MstAdmin, tenant: Tenant, tmp_path: Path
) -> None:
    assert admin("app-config", "create", object_file(tmp_path, IOS)).code == 0
    created = admin("app-config", "show", "Defender on iPhones").data["object"]
    token = {
        "appConfigKey": "user",
        "appConfigKeyType": "tokenType",
        "appConfigKeyValue": "userprincipalname",
    }
    body = {"@odata.type": created["@odata.type"], "settings": [*created["settings"], token]}
    graph = tenant.graph()
    graph.update(DEVICE_APP_CONFIGURATIONS, created["id"], body)
    target = {
        "@odata.type": "#microsoft.graph.groupAssignmentTarget",
        "groupId": GROUP,
        "deviceAndAppManagementAssignmentFilterId": OTHER,
        "deviceAndAppManagementAssignmentFilterType": "include",
    }
    graph.assign(DEVICE_APP_CONFIGURATIONS, created["id"], [{"target": target}])
    exported = admin("export", str(tmp_path / "export"))
    assert [item["message"] for item in exported.envelope["warnings"]] == [
        "Defender on iPhones: a file cannot hold the setting user",
        f"Defender on iPhones: a file cannot hold the filter of the assignment to {GROUP}",
    ]
    changed = object_file(
        tmp_path, IOS.replace("{TunnelOnly: true}", "{TunnelOnly: true, issupervised: 'x'}")
    )
    assert admin("app-config", "update", changed).status == "changed"
    shown = admin("app-config", "show", "Defender on iPhones").data["object"]
    assert [item["appConfigKey"] for item in shown["settings"]] == ["TunnelOnly", "issupervised", "user"]
    (assigned,) = graph.app_assignments(DEVICE_APP_CONFIGURATIONS, created["id"])
    assert assigned.target.model_dump(by_alias=True) == target
    assert admin("app-config", "delete", "Defender on iPhones", "--yes").code == 0


def test_settings_in_xml_stay_until_a_file_has_settings(
    admin: MstAdmin, tenant: Tenant, tmp_path: Path
) -> None:
    file = object_file(tmp_path, IOS)
    assert admin("app-config", "create", file).code == 0
    created = admin("app-config", "show", "Defender on iPhones").data["object"]
    xml = base64.b64encode(b"<dict><key>TunnelOnly</key><string>true</string></dict>").decode()
    entered = {"@odata.type": created["@odata.type"], "settings": None, "encodedSettingXml": xml}
    tenant.graph().update(DEVICE_APP_CONFIGURATIONS, created["id"], entered)
    exported = admin("export", str(tmp_path / "export"))
    assert [item["message"] for item in exported.envelope["warnings"]] == [
        "Defender on iPhones: a file cannot hold encodedSettingXml"
    ]
    assert admin("diff", str(tmp_path / "export"), "--no-resolve").changes == []
    (change,) = admin("app-config", "update", file).data["changes"]
    assert change["before"]["encodedSettingXml"] == xml
    assert change["after"]["encodedSettingXml"] is None
    shown = admin("app-config", "show", "Defender on iPhones").data["object"]
    assert shown["encodedSettingXml"] is None
    assert [item["appConfigKey"] for item in shown["settings"]] == ["TunnelOnly"]
    assert admin("app-config", "update", file).status == "unchanged"
    assert admin("app-config", "delete", "Defender on iPhones", "--yes").code == 0
