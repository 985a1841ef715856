"""Declarations against real lab tenants: plan, apply, again, export into an empty one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mstunnel_setup.errors import ExitCode
from tests.unit.admin.labs import READER, MstAdmin, Tenant

DECLARED = """\
version: 1
corporate_networks: [10.0.0.0/8]
configurations:
  - name: Main
    network: 172.30.0.0/16
    route_includes:
      - 10.99.0.0/24
  - name: Second
    network: 169.254.0.0/16
    session_timeout: 1800
sites:
  - name: Oslo
    public_address: 192.0.2.8
    configuration: Second
    upgrade_window: {time_zone: UTC, start: "01:00", end: "03:00"}
thresholds:
  - {metric: latency, healthy: 15, unhealthy: 30}
"""


def _declare(directory: Path, text: str) -> str:
    directory.mkdir(exist_ok=True)
    (directory / "tenant.yaml").write_text(text, encoding="utf-8")
    return str(directory)


def _tenant(admin: MstAdmin) -> dict[str, Any]:
    """Everything of a tenant that is its own, without ids and times."""
    fleeting = {"id", "lastUpdateDateTime"}

    def own(document: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in document.items() if name not in fleeting}

    configurations = admin("config", "list").data["configurations"]
    names = [item["displayName"] for item in admin("site", "list").data["sites"]]
    sites = [admin("site", "show", name).data["site"] for name in names]
    for site in sites:
        site["microsoftTunnelConfiguration"] = site["microsoftTunnelConfiguration"]["displayName"]
    return {
        "configurations": [own(item) for item in configurations],
        "sites": [own(item) for item in sites],
        "thresholds": admin("threshold", "list").data["thresholds"],
    }


def test_an_export_applied_to_an_empty_tenant_gives_an_equal_one(
    command: Callable[[Tenant], MstAdmin], tenant: Tenant, empty: Tenant, tmp_path: Path
) -> None:
    source, copy = command(tenant), command(empty)
    assert source("threshold", "update", "latency", "--unhealthy", "25").status == "changed"
    window = ("--window", "23:00-01:30", "--time-zone", "Asia/Tokyo")
    assert source("site", "update", "東京", *window).status == "changed"
    target = tmp_path / "export"
    written = source("export", str(target))
    assert written.code == 0, written.envelope
    assert written.data["files"] == ["configurations.yaml", "schema.json", "sites.yaml", "thresholds.yaml"]
    applied = copy("apply", str(target), "--no-resolve")
    assert (applied.code, applied.status, len(applied.data["changes"])) == (0, "changed", 5)
    assert _tenant(copy) == _tenant(source)
    second = copy("apply", str(target), "--no-resolve")
    assert (second.status, second.data["changes"]) == ("unchanged", [])
    assert source("diff", str(target), "--no-resolve", "--exit-code", "--prune").code == 0
    assert source("export", str(target)).codes("errors") == ["export-exists"]
    assert source("export", str(target), "--force").code == 0


def test_a_plan_is_shown_first_and_then_done(admin: MstAdmin, tmp_path: Path) -> None:
    directory = _declare(tmp_path / "d", DECLARED)
    planned = admin("diff", directory, "--exit-code")
    assert planned.code == ExitCode.CHANGES_PENDING
    changes = [(item["verb"], item["kind"], item["name"]) for item in planned.data["changes"]]
    assert changes == [
        ("update", "configuration", "Main"),
        ("create", "configuration", "Second"),
        ("create", "site", "Oslo"),
        ("update", "threshold", "latency"),
    ]
    main = planned.data["changes"][0]
    assert set(main["after"]) >= {"network", "routeExcludes", "dnsServers", "advancedSettings"}
    assert main["before"]["network"] == "169.254.0.0/16"
    assert planned.codes() == ["public-address-private"]
    lines = admin.text("diff", directory, "--no-resolve").splitlines()
    assert lines[0] == "~ configuration Main"
    assert "    network: 169.254.0.0/16 -> 172.30.0.0/16" in lines
    assert lines[-1] == "4 changes to make."
    done = admin("apply", directory)
    assert (done.status, done.data["changes"]) == ("changed", planned.data["changes"])
    assert admin("apply", directory).data["changes"] == []


def test_only_prune_deletes_and_only_when_told(admin: MstAdmin, tmp_path: Path) -> None:
    directory = _declare(tmp_path / "d", DECLARED)
    admin("apply", directory)
    assert admin("apply", directory, "--prune").codes("errors") == ["not-confirmed"]
    pruned = admin("apply", directory, "--prune", "--yes")
    assert {item["verb"] for item in pruned.data["changes"]} == {"delete"}
    assert [item["kind"] for item in pruned.data["changes"]] == ["site", "site", "configuration"]
    assert [item["displayName"] for item in admin("site", "list").data["sites"]] == ["Oslo"]


def test_a_refusal_names_the_change_and_keeps_what_was_done(admin: MstAdmin, tmp_path: Path) -> None:
    text = "version: 1\nconfigurations:\n  - {name: Third, network: 169.254.0.0/16}\n"
    refused = admin("apply", _declare(tmp_path / "d", text), client=READER)
    assert (refused.code, refused.codes("errors")) == (ExitCode.SIGN_IN, ["permission-missing"])
    assert refused.message.startswith("create configuration Third: ")
    assert refused.data["changes"] == []


def test_a_site_with_an_unknown_configuration_is_found_before_any_change(
    admin: MstAdmin, tmp_path: Path
) -> None:
    text = "version: 1\nsites:\n  - {name: A, public_address: 192.0.2.1, configuration: Nowhere}\n"
    refused = admin("apply", _declare(tmp_path / "d", text))
    assert refused.message.endswith("tenant.yaml:3:57: no server configuration is called `Nowhere`")
