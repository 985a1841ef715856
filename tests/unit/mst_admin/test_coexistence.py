"""Microsoft Tunnel and Global Secure Access for the same users are reported by `lint` and in plans."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mstunnel_lab import remote
from mstunnel_setup.tenant.graph_admin import PROFILES
from tests.unit.mst_admin.labs import GROUP, OTHER, MstAdmin, declare

FOUND = "global-secure-access-beside-tunnel"
PROFILE = (
    "  - {name: Tunnel, platform: PLATFORM, connection_name: C, site: Berlin, groups: [Field workers]}\n"
)
ACCESS = """\
  - name: Access
    channel: managed-devices
    platform: android
    settings: {Global Secure Access: VALUE}
    groups: [GROUP]
"""
DEFENDER = "apps:\n  - {name: Defender, platform: android, id: com.microsoft.scmx}\n"


def _declared(
    tmp_path: Path, *, platform: str = "android-device-owner", value: int = 3, group: str = GROUP
) -> str:
    profile, access = PROFILE.replace("PLATFORM", platform), ACCESS.replace("VALUE", str(value))
    access = access.replace("GROUP", group)
    text = f"version: 1\nprofiles:\n{profile}{DEFENDER}app_configurations:\n{access}"
    return declare(tmp_path, text)


@pytest.mark.parametrize(
    ("case", "times"),
    [
        ({}, 2),
        ({"platform": "android-work-profile", "value": 1}, 2),
        ({"value": 0}, 0),
        ({"group": OTHER}, 0),
        ({"platform": "ios"}, 0),
    ],
)
def test_plan_reports_a_group_with_both(
    admin: MstAdmin, tmp_path: Path, case: dict[str, Any], times: int
) -> None:
    planned = admin.done("diff", _declared(tmp_path, **case))
    found = [notice for notice in planned.envelope["warnings"] if notice["code"] == FOUND]
    assert len(found) == times
    for notice in found:
        assert "Microsoft Tunnel from Tunnel and Global Secure Access from Access" in notice["message"]


@pytest.fixture
def applied(admin: MstAdmin, tmp_path: Path) -> Iterator[MstAdmin]:
    """Return an `mst-admin` for a tenant with a profile and an app configuration for one group."""
    admin.done("apply", _declared(tmp_path))
    yield admin
    admin.done("profile", "delete", "Tunnel", "--yes")
    admin.done("app-config", "delete", "Access", "--yes")


def test_lint_compares_with_the_tenant(applied: MstAdmin) -> None:
    assert FOUND in applied("profile", "lint", "Tunnel").codes()
    assert FOUND in applied("app-config", "lint", "Access").codes()


def test_lint_of_a_profile_needs_no_right_to_app_configurations(applied: MstAdmin) -> None:
    fault = {"path": "*/mobileAppConfigurations", "status": 403, "times": None}
    remote.control(applied.tenant.directory, "POST", "faults", {"faults": [fault]})
    linted = applied("profile", "lint", "Tunnel")
    remote.control(applied.tenant.directory, "DELETE", "faults")
    assert (linted.code, linted.codes()) == (0, [])


def test_plan_compares_with_undeclared_objects(applied: MstAdmin, tmp_path: Path) -> None:
    access = ACCESS.replace("VALUE", "2").replace("GROUP", GROUP).replace("Access\n", "Another\n", 1)
    both = f"version: 1\nprofiles: []\napp_configurations:\n{access}"
    directory = declare(tmp_path, both)
    assert applied("diff", directory).codes() == [FOUND]
    assert applied("diff", directory, "--prune", "profiles").codes() == []


def test_profile_of_global_secure_access_on_ios_is_seen(admin: MstAdmin, tmp_path: Path) -> None:
    graph = admin.tenant.graph()
    made = graph.create(
        PROFILES,
        {
            "@odata.type": "#microsoft.graph.iosVpnConfiguration",
            "displayName": "Access for iOS",
            "connectionName": "Access",
            "connectionType": "customVpn",
            "authenticationMethod": "usernameAndPassword",
            "server": {"address": "127.0.0.1", "description": "", "isDefaultServer": True},
            "customData": [{"key": "EnableGSA", "value": "3"}],
        },
    )
    target = {"@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": GROUP}
    graph.assign(PROFILES, made.id, [{"target": target}])
    declared = f"version: 1\nprofiles:\n{PROFILE.replace('PLATFORM', 'ios')}"
    assert FOUND in admin.done("diff", declare(tmp_path, declared)).codes()
    names = [item["displayName"] for item in admin("profile", "list").data["objects"]]
    assert "Access for iOS" not in names
    graph.delete(PROFILES, made.id)
