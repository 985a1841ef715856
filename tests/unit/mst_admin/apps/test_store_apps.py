"""`mst-admin app`, and apps in declarations, against a real lab tenant."""

from pathlib import Path

from mstunnel_setup.tenant.graph_admin import MOBILE_APPS, PROFILES
from tests.unit.mst_admin.labs import GROUP, OTHER, MstAdmin, Tenant, declare, object_file

IOS = f"""\
version: 1
name: Defender for iOS
platform: ios
id: com.microsoft.scmx
publisher: Microsoft
store_url: https://apps.apple.com/app/id1526737990
assignments:
  - {{intent: required, groups: [{GROUP}]}}
"""
DECLARED = f"""\
version: 1
profiles:
  - platform: ios
    name: Per-app tunnel
    connection_name: Contoso
    site: Berlin
    per_app: true
    groups: [{GROUP}]
apps:
  - name: Edge for iOS
    platform: ios
    id: com.microsoft.msedge
    publisher: Microsoft
    store_url: https://apps.apple.com/app/id1288723196
    assignments:
      - {{intent: required, groups: [{GROUP}], vpn_profile: Per-app tunnel}}
      - {{intent: available, groups: [{OTHER}]}}
  - name: Defender for Android
    platform: android
    id: com.microsoft.scmx
    assignments:
      - {{intent: required, all_users: true, updates: high-priority}}
app_configurations:
  - name: Defender in work profiles
    channel: managed-devices
    platform: android-work-profile
    settings: {{antiphishing: 0, vpn: 0}}
    groups: [{GROUP}]
"""
OTHER_VPN = {
    "@odata.type": "#microsoft.graph.iosVpnConfiguration",
    "displayName": "Another product",
    "connectionName": "Contoso",
    "connectionType": "ciscoAnyConnect",
    "authenticationMethod": "certificate",
    "server": {"address": "vpn.lab.example:443", "isDefaultServer": True},
    "roleScopeTagIds": ["0"],
}


def test_one_is_created_shown_changed_and_deleted(admin: MstAdmin, tmp_path: Path) -> None:
    file = object_file(tmp_path, IOS)
    assert admin("app", "lint", file).status == "ok"
    created = admin("app", "create", file)
    assert (created.code, created.status) == (0, "changed"), created.message
    assert admin("app", "create", file).codes("errors") == ["name-taken"]
    assert admin("app", "update", file).status == "unchanged"
    for wanted in ("Defender for iOS", "com.microsoft.scmx", "ios:com.microsoft.scmx", created.data["id"]):
        shown = admin("app", "show", wanted).data
        assert shown["object"]["bundleId"] == "com.microsoft.scmx"
        assert shown["declared"]["assignments"] == [{"intent": "required", "groups": [GROUP]}]
    text = IOS.replace("required", "available").replace("name: Defender for iOS", "name: Defender")
    (change,) = admin("app", "update", object_file(tmp_path, text)).data["changes"]
    assert set(change["after"]) == {"displayName", "assignments"}
    assert admin("app", "lint", "Defender").status == "ok"
    assert [item["id"] for item in admin("app", "list").data["objects"]] == [created.data["id"]]
    assert admin("app", "delete", "Defender").codes("errors") == ["not-confirmed"]
    assert admin("app", "delete", "Defender", "--yes").status == "changed"
    assert admin("app", "update", file).codes("errors") == ["object-unknown"]
    assert "assignments" in admin("app", "schema").data["properties"]


def test_an_assignment_keeps_its_filter_when_its_intent_changes(
    admin: MstAdmin, tenant: Tenant, tmp_path: Path
) -> None:
    text = IOS.replace("scmx", "filtered").replace("Defender for iOS", "Filtered")
    created = admin("app", "create", object_file(tmp_path, text)).data["id"]
    graph = tenant.graph()
    (assigned,) = graph.app_assignments(MOBILE_APPS, created)
    narrowed = {
        "deviceAndAppManagementAssignmentFilterId": OTHER,
        "deviceAndAppManagementAssignmentFilterType": "include",
    }
    target = {**assigned.target.to_wire(), **narrowed}
    graph.assign(MOBILE_APPS, created, [{"intent": "required", "target": target}])
    text = text.replace("required", "uninstall")
    assert admin("app", "update", object_file(tmp_path, text)).status == "changed"
    (after,) = graph.app_assignments(MOBILE_APPS, created)
    assert after.intent == "uninstall"
    assert narrowed.items() <= after.target.to_wire().items()
    assert admin("app", "update", object_file(tmp_path, text)).status == "unchanged"
    assert admin("app", "delete", "Filtered", "--yes").code == 0


def test_apps_are_created_between_profiles_and_configurations(
    admin: MstAdmin, tenant: Tenant, tmp_path: Path
) -> None:
    directory = declare(tmp_path, DECLARED)
    applied = admin.done("apply", directory, "--no-resolve")
    assert applied.changes == [
        ("create", "profile", "Per-app tunnel"),
        ("create", "app", "Edge for iOS"),
        ("create", "app", "Defender for Android"),
        ("create", "app configuration", "Defender in work profiles"),
    ]
    assert admin("apply", directory, "--no-resolve").changes == []
    profile = admin("profile", "show", "Per-app tunnel").data["object"]["id"]
    edge = admin("app", "show", "Edge for iOS").data["object"]["id"]
    assert {
        (item.target.group_id, item.intent, (item.settings or {}).get("vpnConfigurationId"))
        for item in tenant.graph().app_assignments(MOBILE_APPS, edge)
    } == {(GROUP, "required", profile), (OTHER, "available", None)}
    text = DECLARED.replace(", vpn_profile: Per-app tunnel", "").replace("high-priority", "postponed")
    changed = admin("apply", declare(tmp_path, text), "--no-resolve")
    assert changed.codes() == ["per-app-ignores-split-rules", "per-app-without-app"]
    assert changed.written == [("Edge for iOS", {"assignments"}), ("com.microsoft.scmx", {"assignments"})]
    assert admin("apply", declare(tmp_path, DECLARED), "--no-resolve").status == "changed"


def test_vpn_profile_of_another_product_is_kept_unexported(
    admin: MstAdmin, tenant: Tenant, tmp_path: Path
) -> None:
    file = object_file(tmp_path, IOS)
    created = admin("app", "create", file).data["id"]
    graph = tenant.graph()
    (assigned,) = graph.app_assignments(MOBILE_APPS, created)
    other = graph.create(PROFILES, OTHER_VPN).id
    settings = {"@odata.type": "#microsoft.graph.iosStoreAppAssignmentSettings", "vpnConfigurationId": other}
    target = assigned.target.to_wire()
    graph.assign(MOBILE_APPS, created, [{"intent": "required", "target": target, "settings": settings}])
    exported = admin("export", str(tmp_path / "export"))
    assert "vpnConfigurationId of an assignment" in str(exported.envelope["warnings"])
    assert admin("diff", str(tmp_path / "export"), "--no-resolve").changes == []
    assert admin("app", "update", file).status == "unchanged"
    assert admin("app", "update", object_file(tmp_path, IOS.replace("required", "available"))).code == 0
    (after,) = graph.app_assignments(MOBILE_APPS, created)
    assert after.intent == "available"
    assert admin("app", "delete", "Defender for iOS", "--yes").code == 0
    graph.delete(PROFILES, other)


def test_missing_vpn_profile_is_reported_before_any_change(admin: MstAdmin, tmp_path: Path) -> None:
    text = IOS.replace("scmx", "other").replace(f"[{GROUP}]", f"[{GROUP}], vpn_profile: Nowhere")
    refused = admin("app", "create", object_file(tmp_path, text))
    assert refused.codes("errors") == ["profile-unknown"]
    declared = "version: 1\napps:\n  - " + text.partition("\n")[2].replace("\n", "\n    ")
    assert admin("apply", declare(tmp_path, declared)).codes("errors") == ["profile-unknown"]


def test_prune_deletes_no_vpn_profile_that_a_declared_app_names(admin: MstAdmin, tmp_path: Path) -> None:
    assert admin("apply", declare(tmp_path, DECLARED), "--no-resolve").code == 0
    profiles, apps, others = DECLARED.partition("apps:\n")
    assert profiles != DECLARED
    without = declare(tmp_path, f"version: 1\n{apps}{others}")
    assert admin("diff", without, "--prune", "app-configurations", "--no-resolve").code == 0
    refused = admin(
        "diff", declare(tmp_path, f"version: 1\nprofiles: []\n{apps}{others}"), "--prune", "profiles"
    )
    assert refused.codes("errors") == ["profile-unknown"]


def test_an_app_gets_the_vpn_profile_for_ios_of_that_name(
    admin: MstAdmin, tenant: Tenant, tmp_path: Path
) -> None:
    profile = DECLARED[DECLARED.index("platform: ios") : DECLARED.index("apps:\n")].replace("\n    ", "\n")
    profile = "version: 1\n" + profile.replace("Per-app tunnel", "Twin")
    text = IOS.replace("scmx", "twin").replace(f"[{GROUP}]", f"[{GROUP}], vpn_profile: Twin")
    android = profile.replace("platform: ios", "platform: android-work-profile").replace(
        "per_app: true\n", ""
    )
    other = admin("profile", "create", object_file(tmp_path, android)).data["id"]
    declared = "version: 1\napps:\n  - " + text.partition("\n")[2].replace("\n", "\n    ")
    refused = admin("diff", declare(tmp_path, declared))
    assert refused.codes("errors") == ["profile-unknown"]
    graph = tenant.graph()
    assert admin("profile", "create", object_file(tmp_path, profile.replace("Twin", "Second"))).code == 0
    (second,) = graph.objects(PROFILES, "Second")
    named = {"@odata.type": second.odata_type, "displayName": "Twin"}
    graph.update(PROFILES, second.id, named)
    assert admin("apply", declare(tmp_path, declared)).status == "changed"
    app = admin("app", "show", "com.microsoft.twin").data["object"]["id"]
    (assigned,) = graph.app_assignments(MOBILE_APPS, app)
    assert (assigned.settings or {})["vpnConfigurationId"] == second.id
    for identifier in (other, second.id):
        graph.delete(PROFILES, identifier)
