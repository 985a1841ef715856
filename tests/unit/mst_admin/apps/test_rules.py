"""The rules of app configurations, as cases, and their conversion to Graph."""

import base64
import json
from typing import Any

import pytest

from mst_admin.kinds.app_configuration import app_configuration_changes
from mst_admin.objects.app_configuration import (
    AppConfigurationObject,
    PresentAppConfiguration,
    app_configuration_body,
    app_configuration_object,
    others_of,
    payload,
)
from mst_admin.objects.app_configuration_rules import judge_app_configuration
from mst_admin.objects.parts import targets
from mstunnel_setup.tenant.wire_intune import (
    AppAssignment,
    MobileAppConfiguration,
    TargetedManagedAppConfiguration,
)
from tests.cases import every
from tests.unit.mst_admin.rule_cases import GROUP, check_codes, profiles, table

CASES = table(__file__, "rules.yaml")
ON: dict[str, dict[str, Any]] = {
    "ios-devices": {"platform": "ios", "channel": "managed-devices"},
    "ios-apps": {"platform": "ios", "channel": "managed-apps"},
    "android-devices": {"platform": "android-work-profile", "channel": "managed-devices"},
    "android-apps": {"platform": "android", "channel": "managed-apps"},
}


def _declared(case: dict[str, Any]) -> AppConfigurationObject:
    return AppConfigurationObject.model_validate(
        {"name": "Defender", "groups": [GROUP], **ON[case["on"]], **case.get("with", {})}
    )


@every("case", CASES)
def test_an_app_configuration_is_judged(case: dict[str, Any]) -> None:
    beside = profiles(case, "beside", platform="android-work-profile", groups=[GROUP])
    check_codes(case, judge_app_configuration(_declared(case), beside))


def _present(declared: AppConfigurationObject) -> PresentAppConfiguration:
    """Return the tenant's app configuration after it was created."""
    body = app_configuration_body(declared)
    assigned = tuple(AppAssignment.from_wire({"target": item}) for item in targets(declared))
    if not declared.on_devices:
        found = TargetedManagedAppConfiguration.from_wire(body)
        return PresentAppConfiguration(found, declared.is_ios, declared.apps, assigned)
    if not declared.is_ios:
        body["payloadJson"] = payload(declared.apps[0], body.pop("managedProperty"))
    found_on_devices = MobileAppConfiguration.from_wire(body)
    return PresentAppConfiguration(found_on_devices, declared.is_ios, declared.apps, assigned)


@every("case", [case for case in CASES if "refused" not in case])
def test_app_configuration_round_trips_through_graph(case: dict[str, Any]) -> None:
    declared = _declared(case)
    back = app_configuration_object(_present(declared))
    assert app_configuration_body(back) == app_configuration_body(declared)
    kept = {"settings", "eu_data_boundary"}
    assert back.model_dump(mode="json", exclude=kept) == declared.model_dump(mode="json", exclude=kept)
    assert back.settings.keys() == declared.settings.keys()


def test_settings_have_the_types_that_defender_reads() -> None:
    ios = {"TunnelOnly": True, "DefenderExcludeURLInReport": "False", "own": 3}
    assert app_configuration_body(_declared({"on": "ios-devices", "with": {"settings": ios}}))[
        "settings"
    ] == [
        {
            "appConfigKey": "DefenderExcludeURLInReport",
            "appConfigKeyType": "booleanType",
            "appConfigKeyValue": "false",
        },
        {"appConfigKey": "TunnelOnly", "appConfigKeyType": "stringType", "appConfigKeyValue": "True"},
        {"appConfigKey": "own", "appConfigKeyType": "integerType", "appConfigKeyValue": "3"},
    ]
    android = {"antiphishing": "0", "vpn": 0, "own": True}
    body = app_configuration_body(_declared({"on": "android-devices", "with": {"settings": android}}))
    assert body["managedProperty"] == [
        {"key": "antiphishing", "valueInteger": 0},
        {"key": "own", "valueBool": True},
        {"key": "vpn", "valueInteger": 0},
    ]
    managed = {"on": "android-apps", "with": {"settings": {"vpn": 0, "DefenderMAMConfigs": 1}}}
    assert app_configuration_body(_declared(managed))["customSettings"] == [
        {"name": "DefenderMAMConfigs", "value": "1"},
        {"name": "vpn", "value": "0"},
    ]


def test_the_payload_of_android_names_kind_and_product() -> None:
    document = json.loads(
        base64.b64decode(payload("com.microsoft.scmx", [{"key": "vpn", "valueInteger": 1}]))
    )
    assert document == {
        "kind": "androidenterprise#managedConfiguration",
        "productId": "app:com.microsoft.scmx",
        "managedProperty": [{"key": "vpn", "valueInteger": 1}],
    }


@pytest.mark.parametrize("broken", ["", "%", "e30=", base64.b64encode(b"[]").decode(), "bnVsbA=="])
def test_a_payload_that_cannot_be_read_has_no_settings(broken: str) -> None:
    found = MobileAppConfiguration.from_wire({"displayName": "Defender", "payloadJson": broken})
    assert PresentAppConfiguration(found, is_ios=False).entries == []


def test_what_no_file_can_say_is_kept_apart() -> None:
    bundle = {"key": "list", "valueBundleArray": [{"managedProperty": []}]}
    found = MobileAppConfiguration.from_wire(
        {
            "@odata.type": "#microsoft.graph.androidManagedStoreAppConfiguration",
            "displayName": "Defender",
            "payloadJson": payload("com.microsoft.scmx", [bundle, {"key": "vpn", "valueInteger": 0}]),
        }
    )
    present = PresentAppConfiguration(found, is_ios=False, apps=("com.microsoft.scmx",))
    assert app_configuration_object(present).settings == {"vpn": 0}
    assert others_of(present) == [bundle]
    body = app_configuration_body(app_configuration_object(present), others_of(present))
    assert body["managedProperty"] == [bundle, {"key": "vpn", "valueInteger": 0}]


def test_zero_and_false_are_different_settings() -> None:
    own: dict[str, Any] = {"on": "android-devices", "with": {"apps": ["com.contoso.app"]}}
    there = _present(_declared(own | {"with": {**own["with"], "settings": {"flag": 0}}}))
    same = _declared(own | {"with": {**own["with"], "settings": {"flag": 0}}})
    other = _declared(own | {"with": {**own["with"], "settings": {"flag": False}}})
    assert list(app_configuration_changes(same, [there])) == []
    (change,) = app_configuration_changes(other, [there])
    assert change.after == {"managedProperty": [{"key": "flag", "valueBool": False}]}
