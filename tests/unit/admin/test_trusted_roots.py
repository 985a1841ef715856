"""Trusted roots that are declared by themselves, against real lab tenants."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.unit.admin.labs import MstAdmin, Tenant, root_file

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


def _declare(tmp_path: Path, text: str) -> str:
    directory = tmp_path / "declared"
    directory.mkdir(exist_ok=True)
    (directory / "roots.yaml").write_text(text.replace("ROOT", str(tmp_path / "root.pem")))
    return str(directory)


def _changes(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(item["verb"], item["kind"], item["name"]) for item in found["changes"]]


def test_they_come_before_what_names_them(admin: MstAdmin, tmp_path: Path) -> None:
    root_file(tmp_path)
    directory = _declare(tmp_path, DECLARED)
    applied = admin("apply", directory, "--no-resolve")
    assert applied.code == 0, applied.message
    assert _changes(applied.data) == [
        ("create", "trusted root", "Contoso root"),
        ("create", "trusted root", "Other root"),
        ("create", "app configuration", "Phones (tunnel)"),
        ("create", "app protection", "Phones (protection)"),
    ]
    assert admin("apply", directory, "--no-resolve").data["changes"] == []
    policy = admin("mam", "show", "Phones").data["mam_tunnel"]["policies"][0]
    values = {item["name"]: item["value"] for item in policy["customSettings"]}
    (entry,) = json.loads(values["com.microsoft.tunnel.trusted_root_certificates"])
    shown = admin("profile", "show", entry["id"]).data
    assert shown["profile"]["@odata.type"] == "#microsoft.graph.iosTrustedRootCertificate"
    assert shown["assignments"] == []
    root_file(tmp_path)
    assert [item["name"] for item in admin("apply", directory, "--no-resolve").data["changes"]] == [
        "Contoso root",
        "Other root",
        "Phones (tunnel)",
    ]
    fixed = _declare(tmp_path, DECLARED.replace("platform: android-work-profile", "platform: ios"))
    assert admin("diff", fixed, "--no-resolve").codes("errors") == ["profile-platform-fixed"]


def test_an_export_has_those_that_are_named_and_prune_deletes_none(
    admin: MstAdmin, command: Callable[[Tenant], MstAdmin], empty: Tenant, tmp_path: Path
) -> None:
    root_file(tmp_path)
    assert admin("apply", _declare(tmp_path, DECLARED), "--no-resolve").code == 0
    target = tmp_path / "export"
    assert "trusted_roots.yaml" in admin("export", str(target)).data["files"]
    assert "Other root" not in (target / "trusted_roots.yaml").read_text()
    assert admin("diff", str(target), "--no-resolve", "--exit-code", "--prune").code == 0
    copy = command(empty)
    assert copy("apply", str(target), "--no-resolve").code == 0
    assert copy("apply", str(target), "--no-resolve").data["changes"] == []


def test_mistakes_have_their_place(admin: MstAdmin, tmp_path: Path) -> None:
    root_file(tmp_path, authority=False)
    refused = admin("diff", _declare(tmp_path, DECLARED), "--no-resolve")
    assert f"roots.yaml:5:18: {tmp_path}/root.pem does not hold exactly one CA" in refused.message
    assert "roots.yaml:8:18: " in refused.message
    root_file(tmp_path)
    twice = _declare(tmp_path, DECLARED.replace("Other root", "contoso root"))
    assert "`contoso root` is already declared" in admin("diff", twice, "--no-resolve").message
    of_a_profile = _declare(tmp_path, DECLARED.replace("Other root", "Phones (trusted root)"))
    assert "goes with a VPN profile" in admin("diff", of_a_profile, "--no-resolve").message
