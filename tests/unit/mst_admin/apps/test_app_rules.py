"""The rules of apps and assignments, as cases, and their conversion to Graph."""

from datetime import UTC, datetime
from typing import Any

import pytest

from mst_admin.change import Change
from mst_admin.kinds.app import APP
from mst_admin.kinds.tenant import Declarations, Planning, TenantObjects
from mst_admin.objects.app import (
    PresentApp,
    StoreAppObject,
    app_body,
    app_object,
    assignment_bodies,
    judge_app,
    judge_per_app,
)
from mst_admin.objects.profile import ProfileObject
from mstunnel_setup.tenant.wire_intune import PLAY_APP, AppAssignment, MobileApp
from tests.cases import every
from tests.unit.mst_admin.rule_cases import check_codes, profiles, table

CASES = table(__file__, "app_rules.yaml")
IOS = {
    "name": "Defender",
    "platform": "ios",
    "id": "com.microsoft.scmx",
    "publisher": "Microsoft",
    "store_url": "https://apps.apple.com/app/id1526737990",
}
ANDROID = {"name": "com.microsoft.scmx", "platform": "android", "id": "com.microsoft.scmx"}
VPN_ID = "99999999-2222-3333-4444-555555555555"


def _declared(case: dict[str, Any]) -> StoreAppObject:
    base = IOS if case["on"] == "ios" else ANDROID
    assigned = case.get("assigned", [{"intent": "required", "all_users": True}])
    return StoreAppObject.model_validate({**base, "assignments": assigned, **case.get("with", {})})


@every("case", CASES)
def test_an_app_is_judged(case: dict[str, Any]) -> None:
    declared, beside = _declared(case), profiles(case, "profile")
    per_app = [item for profile in beside for item in judge_per_app(profile, [declared])]
    check_codes(case, [*judge_app(declared, beside), *per_app])


def _present(declared: StoreAppObject) -> PresentApp:
    """Return the tenant's app after it was created and assigned."""
    play = {"@odata.type": PLAY_APP, "displayName": declared.name, "packageId": declared.id}
    body = app_body(declared) if declared.is_ios else play
    assigned, profile = [], ""
    for item in assignment_bodies(declared):
        settings = {name: value for name, value in item["settings"].items() if name != "vpnConfiguration"}
        if item["settings"].get("vpnConfiguration"):
            settings["vpnConfigurationId"] = VPN_ID
            profile = item["settings"]["vpnConfiguration"]
        assigned.append(AppAssignment.from_wire({**item, "settings": settings}))
    return PresentApp(MobileApp.from_wire(body), tuple(assigned), {VPN_ID: profile})


def _changes(declared: StoreAppObject, present: PresentApp) -> list[Change]:
    names = [item.vpn_profile for item in declared.assignments if item.vpn_profile]
    profiles = tuple(ProfileObject.model_construct(name=name) for name in names)
    beside = Declarations.model_construct(profiles=profiles)
    return [*APP.changes(declared, Planning(beside, TenantObjects(store_apps=(present,)), datetime.now(UTC)))]


@pytest.mark.parametrize("case", [case for case in CASES if "refused" not in case], ids=str)
def test_unchanged_app_is_kept_and_round_trips(case: dict[str, Any]) -> None:
    declared = _declared(case)
    assert _changes(declared, _present(declared)) == []
    assert _changes(app_object(_present(declared)), _present(declared)) == []


def test_inexpressible_assignment_settings_are_kept() -> None:
    declared = _declared({"on": "ios"})
    (item,) = assignment_bodies(declared)
    there = AppAssignment.from_wire(
        {**item, "settings": {"isRemovable": False, "vpnConfigurationId": VPN_ID}}
    )
    present = PresentApp(MobileApp.from_wire(app_body(declared)), (there,), {VPN_ID: "Tunnel"})
    (change,) = _changes(declared, present)
    assert change.before["assignments"][0]["settings"] == {"isRemovable": False, "vpnConfiguration": "Tunnel"}
    assert change.after["assignments"][0]["settings"] == {"isRemovable": False, "vpnConfiguration": None}
