"""Objects of all kinds: declared, applied, exported, and the export applied to an empty tenant."""

from collections.abc import Callable
from pathlib import Path

from tests.unit.mst_admin.labs import HERE, MstAdmin, Tenant, declare, root_file

EVERYTHING = (HERE / "everything.yaml").read_text(encoding="utf-8")
SHOWN = {
    "app": ("Edge for iOS", "Defender for iOS", "android:com.microsoft.scmx"),
    "app-config": ("Defender on iPads", "Defender in work profiles", "Defender without enrolment"),
    "mam": ("Phones",),
}


def test_an_export_gives_another_tenant_the_same(
    admin: MstAdmin, command: Callable[[Tenant], MstAdmin], empty: Tenant, tmp_path: Path
) -> None:
    root_file(tmp_path)
    applied = admin("apply", declare(tmp_path, EVERYTHING), "--no-resolve")
    assert applied.code == 0, applied.message
    target, copy = tmp_path / "export", command(empty)
    files = admin("export", str(target)).data["files"]
    kinds = ("app_configurations", "apps", "configurations", "mam", "profiles", "sites", "trusted_roots")
    assert {f"{kind}.yaml" for kind in kinds} <= set(files)
    assert "Other root" not in (target / "trusted_roots.yaml").read_text()
    assert "Phones" not in (target / "app_configurations.yaml").read_text()
    assert admin("diff", str(target), "--no-resolve", "--exit-code", "--prune").code == 0
    apps = (target / "apps.yaml").rename(tmp_path / "apps.yaml")
    assert copy("apply", str(target), "--no-resolve").codes("errors") == ["app-missing"]
    apps.rename(target / "apps.yaml")
    copied = copy("apply", str(target), "--no-resolve")
    assert copied.code == 0, copied.message
    assert copy("apply", str(target), "--no-resolve").data["changes"] == []
    for kind, names in SHOWN.items():
        for name in names:
            declared = [one(kind, "show", name).data["declared"] for one in (admin, copy)]
            assert declared[0] == declared[1]
