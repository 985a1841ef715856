"""`mst-admin mam`, and Tunnel for MAM in declarations, against a real lab tenant."""

import json
from pathlib import Path

from mstunnel_setup.tenant.graph import SITES
from mstunnel_setup.tenant.graph_admin import MANAGED_APP_CONFIGURATIONS, configuration_reference
from tests.unit.mst_admin.labs import GROUP, OTHER, MstAdmin, Tenant, declare, object_file, root_file

ANDROID = f"""\
version: 1
name: Field
platform: android
connection_name: Contoso
site: Berlin
strict_tunnel: true
groups: [{GROUP}]
"""
DECLARED = f"""\
version: 1
configurations:
  - {{name: Second, network: 169.254.0.0/16, listen_port: 8443}}
sites:
  - {{name: Oslo, public_address: oslo.lab.example, configuration: Second}}
profiles:
  - platform: ios
    name: iPhone
    connection_name: Contoso
    site: Oslo
    custom_settings: {{TunnelOnly: true}}
    trusted_root: ROOT
    groups: [{OTHER}]
mam:
  - name: Phones
    platform: ios
    connection_name: Contoso
    site: Oslo
    apps: [com.contoso.app, com.microsoft.msedge]
    trusted_roots: [iPhone (trusted root)]
    groups: [{GROUP}]
"""


PRUNE = ("--prune", "app-configurations", "--prune", "profiles", "--prune", "mam")


def _settings(admin: MstAdmin, name: str) -> dict[str, str]:
    policy = admin("mam", "show", name).data["object"]["policies"][0]
    return {item["name"]: item["value"] for item in policy["customSettings"]}


def test_mam_object_creates_three_policies(admin: MstAdmin, tmp_path: Path) -> None:
    file = object_file(tmp_path, ANDROID)
    assert admin("mam", "lint", file).status == "ok"
    created = admin("mam", "create", file)
    assert (created.code, created.status) == (0, "changed"), created.message
    assert created.changes == [
        ("create", "app configuration", "Field (tunnel)"),
        ("create", "app configuration", "Field (Edge)"),
        ("create", "app protection", "Field (protection)"),
    ]
    assert admin("mam", "create", file).codes("errors") == ["name-taken"]
    assert admin("mam", "update", file).status == "unchanged"
    shown = admin("mam", "show", "Field").data
    assert (shown["declared"]["site"], shown["declared"]["strict_tunnel"]) == ("Berlin", True)
    assert [item["displayName"] for item in shown["object"]["policies"]] == created.names
    assert shown["object"]["policies"][2]["connectToVpnOnLaunch"] is True
    site = admin("site", "show", "Berlin").data["object"]
    settings = _settings(admin, "Field")
    assert settings["com.microsoft.tunnel.site_id"] == site["id"]
    assert settings["com.microsoft.tunnel.server_address"] == "gw.lab.example:443"
    updated = admin("mam", "update", object_file(tmp_path, ANDROID.replace("strict_tunnel: true\n", "")))
    assert updated.written == [("Field (Edge)", {"customSettings"})]
    moved = admin("mam", "update", object_file(tmp_path, ANDROID.replace(GROUP, OTHER)))
    assigned, both = {"assignments"}, {"customSettings", "assignments"}
    assert [properties for _, properties in moved.written] == [assigned, both, assigned]
    assert admin("mam", "lint", "Field").status == "ok"
    assert [item["displayName"] for item in admin("mam", "list").data["objects"]] == ["Field"]
    assert admin("mam", "delete", "Field").codes("errors") == ["not-confirmed"]
    deleted = admin("mam", "delete", "Field", "--yes").changes
    assert [verb for verb, _, _ in deleted] == ["delete"] * 3
    assert admin("mam", "show", "Field").codes("errors") == ["name-unknown"]
    assert "site" in admin("mam", "schema").data["properties"]


def test_a_name_leaves_room_for_those_of_its_policies(admin: MstAdmin, tmp_path: Path) -> None:
    longest = "x" * 187
    assert admin("mam", "create", object_file(tmp_path, ANDROID.replace("Field", longest))).code == 0
    assert admin("mam", "delete", longest, "--yes").code == 0
    refused = admin("mam", "create", object_file(tmp_path, ANDROID.replace("Field", f"{longest}x")))
    assert refused.codes("errors") == ["object-file-invalid"]
    assert "object.yaml:2:7: `name` must have at most 187 characters" in refused.message


def test_it_follows_a_site_and_a_root_that_are_made_with_it(admin: MstAdmin, tmp_path: Path) -> None:
    root_file(tmp_path)
    directory = declare(tmp_path, DECLARED)
    applied = admin.done("apply", directory, "--no-resolve")
    assert admin("apply", directory, "--no-resolve").changes == []
    settings = _settings(admin, "Phones")
    site = admin("site", "show", "Oslo").data["object"]
    assert settings["com.microsoft.tunnel.site_id"] == site["id"]
    assert settings["com.microsoft.tunnel.server_address"] == "oslo.lab.example:8443"
    (entry,) = json.loads(settings["com.microsoft.tunnel.trusted_root_certificates"])
    assert entry["displayName"] == "iPhone (trusted root)"
    assert entry["@odata.type"] == "#microsoft.graph.iosTrustedRootCertificate"
    assert len(entry["trustedRootCertificate"]) > 100
    root_file(tmp_path)
    assert [change[1:] for change in admin("apply", directory, "--no-resolve").changes] == [
        ("trusted root", "iPhone (trusted root)"),
        ("app configuration", "Phones (tunnel)"),
    ]
    (renewed,) = json.loads(_settings(admin, "Phones")["com.microsoft.tunnel.trusted_root_certificates"])
    assert renewed["trustedRootCertificate"] != entry["trustedRootCertificate"]
    moved = declare(tmp_path, DECLARED.replace("oslo.lab.example", "new.lab.example"))
    assert admin("apply", moved, "--no-resolve").names == ["Oslo", "iPhone", "Phones (tunnel)"]
    without_edge = declare(tmp_path, DECLARED.replace(", com.microsoft.msedge", ""))
    applied = admin("apply", without_edge, "--no-resolve", "--yes")
    assert ("delete", "app configuration", "Phones (Edge)") in applied.changes


def test_partial_mam_object_is_completed(admin: MstAdmin, tenant: Tenant, tmp_path: Path) -> None:
    root_file(tmp_path)
    assert admin("apply", declare(tmp_path, DECLARED), "--no-resolve").code == 0
    rest = DECLARED[DECLARED.index("profiles:") :]
    directory = declare(tmp_path, f"version: 1\napp_configurations: []\n{rest}")
    graph = tenant.graph()
    policies = admin("mam", "show", "Phones").data["object"]["policies"]
    graph.delete(MANAGED_APP_CONFIGURATIONS, policies[0]["id"])
    completed = admin("diff", directory, "--no-resolve", *PRUNE).changes
    assert completed == [("create", "app configuration", "Phones (tunnel)")]
    assert admin("apply", directory, "--no-resolve", *PRUNE, "--yes").code == 0
    assert admin("diff", directory, "--no-resolve", *PRUNE).changes == []
    again = admin("mam", "show", "Phones").data["object"]["policies"]
    assert [item["id"] for item in again[1:]] == [item["id"] for item in policies[1:]]


def test_a_root_that_is_deleted_cannot_be_named(admin: MstAdmin, tmp_path: Path) -> None:
    root_file(tmp_path)
    assert admin("apply", declare(tmp_path, DECLARED), "--no-resolve").code == 0
    without_root = DECLARED.replace("    trusted_root: ROOT\n", "")
    refused = admin("diff", declare(tmp_path, without_root), "--no-resolve")
    assert refused.codes("errors") == ["trusted-root-unknown"]
    head, mam, tail = DECLARED.partition("mam:\n")
    without_profile = f"{head[: head.index('profiles:')]}profiles: []\n{mam}{tail}"
    admin.done("diff", declare(tmp_path, without_profile), "--no-resolve")
    refused = admin("diff", declare(tmp_path, without_profile), "--prune", "profiles", "--no-resolve")
    assert refused.codes("errors") == ["trusted-root-unknown"]


def test_prune_matches_policy_names_without_case(admin: MstAdmin, tmp_path: Path) -> None:
    root_file(tmp_path)
    directory = declare(tmp_path, DECLARED)
    assert admin("apply", directory, "--no-resolve").code == 0
    (policy, *_) = admin("mam", "show", "Phones").data["object"]["policies"]
    admin.tenant.graph().update(
        MANAGED_APP_CONFIGURATIONS,
        policy["id"],
        {"@odata.type": "#microsoft.graph.targetedManagedAppConfiguration", "displayName": "PHONES (Tunnel)"},
    )
    planned = admin("diff", directory, "--prune", "app-configurations", "--no-resolve").changes
    renamed = ("update", "app configuration", "PHONES (Tunnel)")
    assert [change for change in planned if "app" in change[1]] == [renamed]
    assert admin("apply", directory, "--no-resolve").code == 0


def test_app_configuration_of_enrolled_devices_is_not_mam(admin: MstAdmin, tmp_path: Path) -> None:
    admin.tenant.graph().add_play_app("com.microsoft.emmx")
    edge = f"""\
version: 1
name: Tablets (Edge)
channel: managed-devices
platform: android-work-profile
apps: [com.microsoft.emmx]
groups: [{GROUP}]
"""
    assert admin("app-config", "create", object_file(tmp_path, edge)).code == 0
    text = ANDROID.replace("android", "ios").replace("Field", "Tablets").replace(GROUP, OTHER)
    text = text.replace("strict_tunnel: true", "apps: [com.contoso.app]")
    created = admin.done("mam", "create", object_file(tmp_path, text))
    assert {verb for verb, _, _ in created.changes} == {"create"}


def test_a_site_whose_name_several_have_is_not_guessed(admin: MstAdmin, tmp_path: Path) -> None:
    graph = admin.tenant.graph()
    (berlin,) = graph.objects(SITES, "Berlin")
    assert berlin.microsoft_tunnel_configuration
    used = configuration_reference(berlin.microsoft_tunnel_configuration.id)
    other = graph.create(SITES, {"displayName": "berlin", "publicAddress": "other.lab.example", **used})
    declared = "version: 1\nmam:\n  - " + ANDROID.partition("\n")[2].replace("\n", "\n    ")
    refused = admin("diff", declare(tmp_path, declared))
    assert refused.codes("errors") == ["name-ambiguous"]
    assert admin("diff", declare(tmp_path, declared.replace("site: Berlin", f"site: {other.id}"))).code == 0
    graph.delete(SITES, other.id)


def test_missing_references_are_reported_before_any_change(admin: MstAdmin, tmp_path: Path) -> None:
    root_file(tmp_path)
    unknown = DECLARED.replace("iPhone (trusted root)]", "Nowhere]")
    refused = admin("apply", declare(tmp_path, unknown), "--no-resolve")
    assert refused.codes("errors") == ["trusted-root-unknown"]
    head, _, tail = DECLARED.rpartition("site: Oslo")
    refused = admin("diff", declare(tmp_path, f"{head}site: Nowhere{tail}"), "--no-resolve")
    assert refused.message.endswith("tenant.yaml:18:11: no site is called `Nowhere`")
    twice = DECLARED + "  - " + ANDROID.partition("\n")[2].replace("\n", "\n    ")
    twice += "\n  - " + ANDROID.replace("Field", "Again").partition("\n")[2].replace("\n", "\n    ")
    refused = admin("diff", declare(tmp_path, twice), "--no-resolve")
    assert "a group also gets Again" in refused.message
