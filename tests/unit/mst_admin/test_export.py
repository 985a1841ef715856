"""Objects of all kinds are declared, applied, exported, pruned, and exported to an empty tenant."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mst_admin import kinds
from tests.unit.mst_admin.labs import HERE, PRUNE_ALL, MstAdmin, Tenant, declare, root_file

KINDS = [kind.section for kind in kinds.KINDS]
EVERYTHING = (HERE / "everything.yaml").read_text(encoding="utf-8")
SHOWN = {
    "app": ("Edge for iOS", "Defender for iOS", "android:com.microsoft.scmx"),
    "app-config": ("Defender on iPads", "Defender in work profiles", "Defender without enrolment"),
    "mam": ("Phones",),
}


FLEETING = {"id", "version", "createdDateTime", "lastModifiedDateTime", "lastUpdateDateTime"}


def _tenant(admin: MstAdmin) -> dict[str, Any]:
    """Return all objects of a tenant, without ids and times."""

    def own(document: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in document.items() if name not in FLEETING}

    found: dict[str, Any] = {
        "thresholds": admin("threshold", "list").data["objects"],
        "configurations": [own(item) for item in admin("config", "list").data["objects"]],
    }
    sites = {item["id"]: item["displayName"] for item in admin("site", "list").data["objects"]}
    for name in sites.values():
        site = own(admin("site", "show", name).data["object"])
        site["microsoftTunnelConfiguration"] = site["microsoftTunnelConfiguration"]["displayName"]
        found[name] = site
    for name in ("Per-app tunnel", "Android"):
        shown = admin("profile", "show", name).data
        targets = [item["target"] for item in shown["assignments"]]
        site_name = sites[shown["object"]["microsoftTunnelSiteId"]]
        found[name] = {**own(shown["object"]), "microsoftTunnelSiteId": site_name, "targets": targets}
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
    assert set(files) == {f"{kind}.yaml" for kind in KINDS} | {"schema.json"}
    assert "Other root" not in (target / "trusted_roots.yaml").read_text()
    assert "Phones" not in (target / "app_configurations.yaml").read_text()
    assert admin("diff", str(target), "--no-resolve", "--exit-code", *PRUNE_ALL).code == 0
    apps = (target / "apps.yaml").rename(tmp_path / "apps.yaml")
    assert copy("apply", str(target), "--no-resolve").codes("errors") == ["app-missing"]
    apps.rename(target / "apps.yaml")
    copy.done("apply", str(target), "--no-resolve")
    assert copy("apply", str(target), "--no-resolve").changes == []
    assert _tenant(copy) == _tenant(admin)
    assert admin("export", str(target)).codes("errors") == ["export-exists"]
    assert admin("export", str(target), "--force").code == 0


def test_prune_deletes_the_kinds_that_are_named_and_never_an_app(admin: MstAdmin, tmp_path: Path) -> None:
    root_file(tmp_path)
    admin.done("apply", declare(tmp_path, EVERYTHING), "--no-resolve")

    def pruned(*sections: str) -> list[tuple[str, str]]:
        words = [word for section in sections for word in ("--prune", section.replace("_", "-"))]
        changes = admin("diff", declare(tmp_path, "version: 1\n"), *words).changes
        assert {verb for verb, _, _ in changes} <= {"delete"}
        return [(kind, name) for _, kind, name in changes]

    configurations = {("app configuration", name) for name in SHOWN["app-config"]}
    root = ("trusted root", "Per-app tunnel (trusted root)")
    assert admin.run("diff", str(tmp_path), "--prune", "apps")[0] == 2
    assert {*pruned("app_configurations")} == configurations
    gone = pruned("configurations", "sites", "profiles", "app_configurations", "mam")
    assert gone[:3] == [
        ("app configuration", "Phones (Edge)"),
        ("app protection", "Phones (protection)"),
        ("app configuration", "Phones (tunnel)"),
    ]
    assert {*gone[3:6]} == configurations
    assert {*gone[6:9]} == {("profile", "Android"), ("profile", "Per-app tunnel"), root}
    assert gone.index(root) == gone.index(("profile", "Per-app tunnel")) + 1
    assert {*gone[9:12]} == {("site", name) for name in ("Berlin", "Oslo", "東京")}
    assert {*gone[12:]} == {("configuration", name) for name in ("Main", "Second", "Zweite: 2")}
