"""Profiles created by other tools are exported, compared and applied without loss, or reported."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.tenant.graph import SITES
from mstunnel_setup.tenant.graph_admin import PROFILES
from tests.unit.mst_admin.labs import GROUP, PRUNE_ALL, MstAdmin, Tenant

FILTER = "77777777-2222-3333-4444-555555555555"
TYPE = "@odata.type"
GRAPH = "#microsoft.graph."
ALL_USERS = {TYPE: f"{GRAPH}allLicensedUsersAssignmentTarget"}
FILTERED = {
    TYPE: f"{GRAPH}groupAssignmentTarget",
    "groupId": GROUP,
    "deviceAndAppManagementAssignmentFilterId": FILTER,
    "deviceAndAppManagementAssignmentFilterType": "include",
}
COMMON = {"connectionName": "Contoso", "connectionType": "microsoftProtect", "roleScopeTagIds": ["0"]}
IOS = {
    **COMMON,
    TYPE: f"{GRAPH}iosVpnConfiguration",
    "displayName": "Production",
    "authenticationMethod": "certificate",
    "server": {"address": "GW.lab.example:443", "description": "Main server", "isDefaultServer": True},
    "enableSplitTunneling": True,
    "customKeyValueData": [{"name": "TunnelOnly", "value": "True"}],
    "disconnectOnIdle": True,
    "disconnectOnIdleTimerInSeconds": 600,
    "targetedMobileApps": [{"name": "Edge", "appId": "com.microsoft.msedge"}],
}
ANDROID = {
    **COMMON,
    TYPE: f"{GRAPH}androidWorkProfileVpnConfiguration",
    "displayName": "Field",
    "connectionType": "microsoftTunnel",
    "authenticationMethod": "usernameAndPassword",
    "servers": [{"address": f"{name}.lab.example:443", "isDefaultServer": False} for name in ("gw", "old")],
    "targetedPackageIds": ["com.microsoft.emmx"],
    "alwaysOn": True,
}
NEW = {
    "displayName",
    "connectionType",
    "connectionName",
    "targetedMobileApps",
    "targetedPackageIds",
    "alwaysOn",
}


@pytest.fixture
def foreign(admin: MstAdmin) -> Iterator[MstAdmin]:
    """Return an `mst-admin` for a tenant with an iOS profile for all users and a filtered Android one."""
    graph = admin.tenant.graph()
    (site,) = graph.objects(SITES, "Berlin")
    made = []
    for body, target in ((IOS, ALL_USERS), (ANDROID, FILTERED)):
        made.append(graph.create(PROFILES, {**body, "microsoftTunnelSiteId": site.id}).id)
        graph.assign(PROFILES, made[-1], [{"target": target}])
    yield admin
    for identifier in made:
        graph.delete(PROFILES, identifier)


@pytest.fixture
def exported(foreign: MstAdmin, tmp_path: Path) -> Path:
    """Return the file of these profiles in an export of the tenant."""
    foreign.done("export", str(tmp_path / "export"))
    return tmp_path / "export" / "profiles.yaml"


def _shown(admin: MstAdmin, name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    data = admin("profile", "show", name).data
    return data["object"], [item["target"] for item in data["assignments"]]


def test_what_was_exported_is_no_change(foreign: MstAdmin, exported: Path) -> None:
    assert foreign("diff", str(exported.parent), "--no-resolve", *PRUNE_ALL).changes == []
    text = exported.read_text()
    for said in (
        "all_users: true",
        "connection_type: microsoft-protect",
        "TunnelOnly:",
        "com.microsoft.msedge",
    ):
        assert said in text


def test_an_export_names_everything_that_a_file_cannot_hold(foreign: MstAdmin, tmp_path: Path) -> None:
    exported = foreign("export", str(tmp_path / "export"))
    assert set(exported.codes()) == {"profile-not-declarable"}
    told = {notice["message"] for notice in exported.envelope["warnings"]}
    assert told == {
        f"{name}: a file cannot hold {what}"
        for name, things in {
            "Production": (
                "authenticationMethod",
                "disconnectOnIdle",
                "disconnectOnIdleTimerInSeconds",
                "enableSplitTunneling",
            ),
            "Field": (
                "authenticationMethod",
                "more than one server",
                f"the filter of the assignment to {GROUP}",
            ),
        }.items()
        for what in things
    }


def test_a_change_writes_only_what_differs_from_the_file(foreign: MstAdmin, exported: Path) -> None:
    text = exported.read_text().replace("connection_name: Contoso", "connection_name: Fabrikam")
    exported.write_text(text.replace(f"- {GROUP}", f"- {GROUP}\n  - {GROUP.replace('1', '9')}"))
    before = {name: _shown(foreign, name) for name in ("Production", "Field")}
    applied = foreign("apply", str(exported.parent), "--no-resolve")
    assert applied.written == [
        ("Production", {"connectionName"}),
        ("Field", {"connectionName", "assignments"}),
    ]
    for name, (profile, targets) in before.items():
        now, assigned = _shown(foreign, name)
        fleeting = {"connectionName": "Fabrikam"} | {
            key: now[key] for key in ("version", "lastModifiedDateTime")
        }
        assert now == profile | fleeting
        assert all(target in assigned for target in targets)
    assert foreign("diff", str(exported.parent), "--no-resolve").changes == []


def test_settings_of_the_other_list_are_not_there_twice(foreign: MstAdmin, exported: Path) -> None:
    exported.write_text(exported.read_text().replace("TunnelOnly: 'True'", "WebProtection: 'False'"))
    assert foreign("apply", str(exported.parent), "--no-resolve").status == "changed"
    profile, _ = _shown(foreign, "Production")
    assert [item["key"] for item in profile["customData"]] == ["WebProtection"]
    assert profile["customKeyValueData"] == []


def test_the_connection_type_is_fixed(foreign: MstAdmin, exported: Path) -> None:
    text = exported.read_text()
    exported.write_text(text.replace("    connection_type: microsoft-protect\n", ""))
    assert foreign("diff", str(exported.parent), "--no-resolve").changes == []
    exported.write_text(text.replace("microsoft-protect", "microsoft-tunnel"))
    refused = foreign("diff", str(exported.parent), "--no-resolve")
    assert refused.codes("errors") == ["connection-type-fixed"]


def test_another_tenant_gets_the_same_assignments_and_types(
    foreign: MstAdmin, command: Callable[[Tenant], MstAdmin], empty: Tenant, exported: Path
) -> None:
    copy = command(empty)
    assert copy("apply", str(exported.parent), "--no-resolve").code == 0
    for name, body in (("Production", IOS), ("Field", ANDROID)):
        profile, (target,) = _shown(copy, name)
        kept = {key: profile[key] for key in NEW & body.keys() - {"targetedMobileApps"}}
        assert kept == {key: body[key] for key in kept}
        assert target[TYPE] == _shown(foreign, name)[1][0][TYPE]
    assert _shown(copy, "Production")[0]["targetedMobileApps"][0]["appId"] == "com.microsoft.msedge"


def test_lint_knows_who_gets_a_profile(foreign: MstAdmin) -> None:
    assert "not-assigned" not in foreign("profile", "lint", "Production").codes()
    assert foreign("profile", "lint", "Field").codes("errors") == ["retired-client", "server-address-differs"]
