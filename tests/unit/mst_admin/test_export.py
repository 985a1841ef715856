"""Objects of all kinds: declared, applied, exported, and the export applied to an empty tenant."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.unit.mst_admin.labs import HERE, MstAdmin, Tenant, declare, root_file

EVERYTHING = (HERE / "everything.yaml").read_text(encoding="utf-8")
SHOWN = {
    "app": ("Edge for iOS", "Defender for iOS", "android:com.microsoft.scmx"),
    "app-config": ("Defender on iPads", "Defender in work profiles", "Defender without enrolment"),
    "mam": ("Phones",),
}


FLEETING = {"id", "version", "createdDateTime", "lastModifiedDateTime", "lastUpdateDateTime"}


def _tenant(admin: MstAdmin) -> dict[str, Any]:
    """Everything of a tenant that is its own, without ids and times."""

    def own(document: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in document.items() if name not in FLEETING}

    found: dict[str, Any] = {
        "thresholds": admin("threshold", "list").data["thresholds"],
        "configurations": [own(item) for item in admin("config", "list").data["configurations"]],
    }
    sites = {item["id"]: item["displayName"] for item in admin("site", "list").data["sites"]}
    for name in sites.values():
        site = own(admin("site", "show", name).data["site"])
        site["microsoftTunnelConfiguration"] = site["microsoftTunnelConfiguration"]["displayName"]
        found[name] = site
    for name in ("Per-app tunnel", "Android"):
        shown = admin("profile", "show", name).data
        targets = [item["target"] for item in shown["assignments"]]
        site_name = sites[shown["profile"]["microsoftTunnelSiteId"]]
        found[name] = {**own(shown["profile"]), "microsoftTunnelSiteId": site_name, "targets": targets}
    for kind, names in SHOWN.items():
        found |= {name: admin(kind, "show", name).data["declared"] for name in names}
    return found


def test_an_export_gives_another_tenant_the_same(
    admin: MstAdmin, command: Callable[[Tenant], MstAdmin], empty: Tenant, tmp_path: Path
) -> None:
    assert admin("threshold", "update", "latency", "--unhealthy", "25").status == "changed"
    window = ("--window", "23:00-01:30", "--time-zone", "Asia/Tokyo")
    assert admin("site", "update", "東京", *window).status == "changed"
    root_file(tmp_path)
    admin.done("apply", declare(tmp_path, EVERYTHING), "--no-resolve")
    target, copy = tmp_path / "export", command(empty)
    files = admin("export", str(target)).data["files"]
    kinds = ("app_configurations", "apps", "configurations", "mam", "profiles", "sites", "thresholds")
    assert set(files) == {f"{kind}.yaml" for kind in (*kinds, "trusted_roots")} | {"schema.json"}
    assert "Other root" not in (target / "trusted_roots.yaml").read_text()
    assert "Phones" not in (target / "app_configurations.yaml").read_text()
    assert admin("diff", str(target), "--no-resolve", "--exit-code", "--prune").code == 0
    apps = (target / "apps.yaml").rename(tmp_path / "apps.yaml")
    assert copy("apply", str(target), "--no-resolve").codes("errors") == ["app-missing"]
    apps.rename(target / "apps.yaml")
    copy.done("apply", str(target), "--no-resolve")
    assert copy("apply", str(target), "--no-resolve").changes == []
    assert _tenant(copy) == _tenant(admin)
    assert admin("export", str(target)).codes("errors") == ["export-exists"]
    assert admin("export", str(target), "--force").code == 0
