"""Trusted roots that are declared by themselves, against real lab tenants."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

from mstunnel_setup.tenant.graph_admin import PROFILES
from tests.unit.mst_admin.labs import PRUNE_ALL, MstAdmin, Tenant, declare, root_file

IOS_ROOT = "#microsoft.graph.iosTrustedRootCertificate"
DECLARED = """\
version: 1
trusted_roots:
  - name: Contoso root
    platform: ios
    certificate: ROOT
  - name: Other root
    platform: android-work-profile
    certificate: ROOT
    groups: [11111111-2222-3333-4444-555555555555]
mam:
  - name: Phones
    platform: ios
    connection_name: Contoso
    site: Berlin
    apps: [com.contoso.app]
    trusted_roots: [Contoso root]
    groups: [11111111-2222-3333-4444-555555555555]
"""
MAM = DECLARED[DECLARED.index("mam:") :]
WITH_PROFILE = f"""\
version: 1
profiles:
  - platform: ios
    name: iPhone
    connection_name: Contoso
    site: Berlin
    trusted_root: ROOT
    groups: [11111111-2222-3333-4444-555555555555]
{MAM.replace("Contoso root", "iPhone (trusted root)")}"""


def test_one_that_was_uploaded_as_pem_survives_export_and_import(
    admin: MstAdmin, command: Callable[[Tenant], MstAdmin], empty: Tenant, tmp_path: Path
) -> None:
    graph = admin.tenant.graph()
    file = base64.b64encode(root_file(tmp_path).read_bytes()).decode()
    body = {"@odata.type": IOS_ROOT, "displayName": "Uploaded", "certFileName": "Contoso.cer"}
    uploaded = graph.create(PROFILES, {**body, "trustedRootCertificate": file})
    mam = MAM.replace("Contoso root", "Uploaded")
    assert admin("apply", declare(tmp_path, f"version: 1\n{mam}"), "--no-resolve").code == 0
    target, copy = str(tmp_path / "export"), command(empty)
    assert admin("export", target).code == 0
    assert admin("diff", target, "--no-resolve").changes == []
    copy.done("apply", target, "--no-resolve")
    assert copy("diff", target, "--no-resolve").changes == []
    root_file(tmp_path)
    renewed = DECLARED[: DECLARED.index("  - name: Other root")].replace("Contoso root", "Uploaded")
    (change,) = admin("diff", declare(tmp_path, renewed), "--no-resolve").data["changes"]
    assert set(change["after"]) == {"trustedRootCertificate"}
    assert admin("mam", "delete", "Phones", "--yes").code == 0
    graph.delete(PROFILES, uploaded.id)


def test_trusted_roots_are_created_before_their_users(admin: MstAdmin, tmp_path: Path) -> None:
    root_file(tmp_path)
    directory = declare(tmp_path, DECLARED)
    applied = admin.done("apply", directory, "--no-resolve")
    assert applied.changes == [
        ("create", "trusted root", "Contoso root"),
        ("create", "trusted root", "Other root"),
        ("create", "app configuration", "Phones (tunnel)"),
        ("create", "app protection", "Phones (protection)"),
    ]
    assert admin("apply", directory, "--no-resolve").changes == []
    policy = admin("mam", "show", "Phones").data["object"]["policies"][0]
    values = {item["name"]: item["value"] for item in policy["customSettings"]}
    (entry,) = json.loads(values["com.microsoft.tunnel.trusted_root_certificates"])
    shown = admin("profile", "show", entry["id"]).data
    assert shown["object"]["@odata.type"] == IOS_ROOT
    assert shown["assignments"] == []
    root_file(tmp_path)
    renewed = admin("apply", directory, "--no-resolve")
    assert renewed.names == ["Contoso root", "Other root", "Phones (tunnel)"]
    fixed = declare(tmp_path, DECLARED.replace("platform: android-work-profile", "platform: ios"))
    assert admin("diff", fixed, "--no-resolve").codes("errors") == ["profile-platform-fixed"]


def test_a_root_is_that_of_its_profile_however_it_is_spelled(
    admin: MstAdmin, tenant: Tenant, tmp_path: Path
) -> None:
    root_file(tmp_path)
    assert admin("apply", declare(tmp_path, WITH_PROFILE), "--no-resolve").code == 0
    graph = tenant.graph()
    (root,) = graph.objects(PROFILES, "iPhone (trusted root)")
    graph.update(PROFILES, root.id, {"@odata.type": root.odata_type, "displayName": "iPhone (Trusted Root)"})
    assert admin("export", str(tmp_path / "one")).code == 0
    assert not (tmp_path / "one" / "trusted_roots.yaml").exists()
    assert admin("apply", str(tmp_path / "one"), "--no-resolve").code == 0
    assert [item.id for item in graph.objects(PROFILES, "iPhone (trusted root)")] == [root.id]
    assert admin("diff", str(tmp_path / "one"), "--no-resolve", *PRUNE_ALL).changes == []
    graph.delete(PROFILES, admin("profile", "show", "iPhone").data["object"]["id"])
    assert "profile-not-declarable" in admin("export", str(tmp_path / "two")).codes()
    assert admin("diff", str(tmp_path / "two"), "--no-resolve").code == 0


def test_an_export_reports_two_that_apply_cannot_tell_apart(admin: MstAdmin, tmp_path: Path) -> None:
    content = root_file(tmp_path).read_bytes()
    graph, file = admin.tenant.graph(), base64.b64encode(content).decode()
    other = {"@odata.type": IOS_ROOT.replace("ios", "androidWorkProfile"), "certFileName": "a.cer"}
    alone = WITH_PROFILE[: WITH_PROFILE.index("mam:")].replace("iPhone", "Tablet")
    for text, name in ((DECLARED, "Contoso root"), (alone, "Tablet (trusted root)")):
        directory = declare(tmp_path, text)
        assert admin("apply", directory, "--no-resolve").code == 0
        twin = graph.create(PROFILES, {**other, "displayName": name, "trustedRootCertificate": file})
        exported = admin("export", str(tmp_path / name))
        assert [
            item["message"] for item in exported.envelope["warnings"] if item["code"] == "name-ambiguous"
        ] == [f"2 objects of the kind trusted root are called {name}"]
        assert admin("diff", directory, "--no-resolve").codes("errors") == ["name-ambiguous"]
        graph.delete(PROFILES, twin.id)


def test_errors_have_a_position(admin: MstAdmin, tmp_path: Path) -> None:
    root_file(tmp_path, authority=False)
    refused = admin("diff", declare(tmp_path, DECLARED), "--no-resolve")
    assert f"tenant.yaml:5:18: {tmp_path}/root.pem does not hold exactly one CA" in refused.message
    assert "tenant.yaml:8:18: " in refused.message
    root_file(tmp_path)
    twice = declare(tmp_path, DECLARED.replace("Other root", "contoso root"))
    assert "`contoso root` is already declared" in admin("diff", twice, "--no-resolve").message
    of_a_profile = declare(tmp_path, DECLARED.replace("Other root", "Phones (trusted root)"))
    assert "goes with a VPN profile" in admin("diff", of_a_profile, "--no-resolve").message
