"""The rules of Tunnel for MAM, as cases, and the policies that it creates."""

import json
from typing import Any

import pytest

from mst_admin.apply import shared_names
from mst_admin.kinds.mam import MAM
from mst_admin.kinds.tenant import TenantObjects
from mst_admin.objects.app_configuration import PresentAppConfiguration, app_configuration_body
from mst_admin.objects.mam import (
    MamObject,
    PresentProtection,
    configurations_of,
    find_mam,
    judge_mam,
    mam_object,
    root_entries,
)
from mst_admin.objects.parts import targets
from mstunnel_setup.tenant.wire_intune import (
    AppAssignment,
    DeviceConfiguration,
    IntuneObject,
    TargetedManagedAppConfiguration,
)
from tests.cases import every
from tests.unit.mst_admin.rule_cases import GROUP, check_codes, profiles, table

CASES = table(__file__, "mam_rules.yaml")
SITE_ID = "99999999-2222-3333-4444-555555555555"
BASE = {"name": "Field", "connection_name": "Contoso", "site": "Berlin", "groups": [GROUP]}
ON: dict[str, dict[str, Any]] = {
    "android": {"platform": "android"},
    "ios": {"platform": "ios", "apps": ["com.contoso.app", "com.microsoft.msedge"]},
}
ROOTS = root_entries(
    [
        DeviceConfiguration.from_wire(
            {
                "@odata.type": "#microsoft.graph.iosTrustedRootCertificate",
                "id": SITE_ID,
                "displayName": "Corp root",
                "lastModifiedDateTime": "2026-01-02T03:04:05Z",
                "trustedRootCertificate": "aGVsbG8=",
            }
        )
    ]
)


def _declared(case: dict[str, Any]) -> MamObject:
    return MamObject.model_validate({**BASE, **ON[case["on"]], **case.get("with", {})})


@every("case", CASES)
def test_mam_rule_problems_are_found(case: dict[str, Any]) -> None:
    others = [MamObject.model_validate({**BASE, "name": "Other", **case["other"]})] if "other" in case else []
    declared = _declared(case)
    check_codes(case, judge_mam(declared, [declared, *others], profiles(case, "profile", **BASE)))


def _policies(declared: MamObject) -> list[PresentAppConfiguration]:
    """Return the app configurations that the object creates in the tenant."""
    return [
        PresentAppConfiguration(
            TargetedManagedAppConfiguration.from_wire(app_configuration_body(item)),
            item.is_ios,
            item.apps,
            tuple(AppAssignment.from_wire({"target": target}) for target in targets(item)),
        )
        for item in configurations_of(declared, SITE_ID, "gw.contoso.com:443", ROOTS)
    ]


@every("case", [case for case in CASES if "refused" not in case])
def test_mam_rule_survives_conversion_to_policies(case: dict[str, Any]) -> None:
    declared = _declared(case).model_copy(update={"trusted_roots": ("Corp root",)})
    (found,) = find_mam(_policies(declared), (), {SITE_ID: "Berlin"})
    assert mam_object(found).model_dump(mode="json") == declared.model_dump(mode="json")


def test_mam_name_on_two_platforms_gives_two_objects() -> None:
    both = [_declared({"on": platform}) for platform in ON]
    policies = [item for declared in both for item in _policies(declared)]
    wire = {"displayName": "Field (protection)"}
    protections = [
        PresentProtection(IntuneObject.from_wire(wire), is_ios=False),
        PresentProtection(IntuneObject.from_wire(wire), is_ios=True),
    ]
    found = list(find_mam(policies, protections, {SITE_ID: "Berlin"}))
    assert [item.tunnel.is_ios for item in found] == [False, True]
    assert [item.edge and item.edge.is_ios for item in found] == [False, True]
    assert [item.protection and item.protection.is_ios for item in found] == [False, True]
    (warning,) = shared_names(TenantObjects(app_policies=tuple(policies)))
    assert warning.message == "2 objects of the kind tunnel for MAM are called Field"


def test_policy_that_identifies_a_mam_rule_is_deleted_last() -> None:
    (found,) = find_mam(
        _policies(_declared({"on": "android"})),
        [PresentProtection(IntuneObject.from_wire({"displayName": "Field (protection)"}), is_ios=False)],
        {},
    )
    names = [change.name for change in MAM.changes_to_delete(found, TenantObjects())]
    assert names == ["Field (Edge)", "Field (protection)", "Field (tunnel)"]


def _settings(declared: MamObject) -> list[tuple[str, tuple[str, ...], dict[str, Any]]]:
    found = configurations_of(declared, SITE_ID, "gw.contoso.com:443", ROOTS)
    return [(item.name, item.apps, dict(item.settings)) for item in found]


def test_android_settings_are_for_defender_and_edge() -> None:
    more = {"strict_tunnel": True, "proxy": {"address": "proxy.contoso.com", "port": 3128}}
    apps = {"apps": ["com.microsoft.emmx", "com.contoso.app"]}
    assert _settings(_declared({"on": "android", "with": {**more, **apps}})) == [
        (
            "Field (tunnel)",
            ("com.microsoft.scmx",),
            {
                "com.microsoft.tunnel.connection_type": "MicrosoftProtect",
                "com.microsoft.tunnel.connection_name": "Contoso",
                "com.microsoft.tunnel.site_id": SITE_ID,
                "com.microsoft.tunnel.server_address": "gw.contoso.com:443",
                "com.microsoft.tunnel.targeted_apps": "com.microsoft.emmx|com.contoso.app",
                "com.microsoft.tunnel.trusted_root_certificates": ROOTS,
                "com.microsoft.tunnel.proxy_address": "proxy.contoso.com",
                "com.microsoft.tunnel.proxy_port": "3128",
            },
        ),
        (
            "Field (Edge)",
            ("com.microsoft.emmx",),
            {
                "com.microsoft.intune.mam.managedbrowser.StrictTunnelMode": "True",
                "com.microsoft.intune.mam.managedbrowser.TunnelAvailable.IntuneMAMOnly": "True",
            },
        ),
    ]


def test_on_ios_each_app_connects_by_itself() -> None:
    more = {"bypassed_urls": ["sts.contoso.com"], "proxy": {"pac_url": "https://proxy.contoso.com/a.pac"}}
    tunnel, edge = _settings(_declared({"on": "ios", "with": more}))
    assert tunnel[1] == ("com.contoso.app", "com.microsoft.msedge")
    custom = json.loads(tunnel[2]["com.microsoft.tunnel.custom_configuration"])
    assert custom == {"bypassedUrls": ["sts.contoso.com"]}
    assert tunnel[2]["com.microsoft.tunnel.proxy_pacurl"] == "https://proxy.contoso.com/a.pac"
    assert "com.microsoft.tunnel.targeted_apps" not in tunnel[2]
    assert edge[1] == ("com.microsoft.msedge",)
    assert len(_settings(_declared({"on": "ios", "with": {"apps": ["com.contoso.app"]}}))) == 1


@pytest.mark.parametrize("broken", ["", "no json", "{}", "[1]", '{"bypassedUrls": 1}'])
def test_values_that_cannot_be_read_are_left_out(broken: str) -> None:
    (policy,) = _policies(_declared({"on": "ios", "with": {"apps": ["com.contoso.app"]}}))
    wire: dict[str, Any] = policy.wire
    keys = ("trusted_root_certificates", "custom_configuration")
    wire["customSettings"] += [{"name": f"com.microsoft.tunnel.{key}", "value": broken} for key in keys]
    found = TargetedManagedAppConfiguration.from_wire(wire)
    (mam,) = find_mam([PresentAppConfiguration(found, is_ios=True, apps=policy.apps)], (), {})
    assert (mam_object(mam).trusted_roots, mam_object(mam).bypassed_urls) == ((), ())
