"""The settings of an app configuration as Graph writes them: in one of three ways, by platform and channel.

Each entry of a list is one setting. What a file cannot say of the settings is in entries as well.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from typing import Final

from mst_admin.apps.keys import Value, typed
from mst_admin.apps.objects import AppConfigurationObject
from mst_admin.change import Body, Wire
from mstunnel_setup.base.parsing import json_value, signed_number

IOS: Final = "settings"
ANDROID: Final = "managedProperty"
MANAGED: Final = "customSettings"
LISTS: Final = (IOS, ANDROID, MANAGED)
"""Names of the three lists; that of Android is a part of `payloadJson`."""
PAYLOAD: Final = "payloadJson"

_KIND: Final = "androidenterprise#managedConfiguration"
_IOS_TYPES: Final[Mapping[type[Value], str]] = {
    bool: "booleanType",
    int: "integerType",
    str: "stringType",
}
_ANDROID_VALUES: Final[Mapping[type[Value], str]] = {
    bool: "valueBool",
    int: "valueInteger",
    str: "valueString",
}
_NAMES: Final = {IOS: "appConfigKey", ANDROID: "key", MANAGED: "name"}


def list_of(declared: AppConfigurationObject) -> str:
    """The name of the list that has the settings."""
    if not declared.on_devices:
        return MANAGED
    return IOS if declared.is_ios else ANDROID


def entries(declared: AppConfigurationObject, others: Iterable[Wire] = ()) -> list[Body]:
    """The settings as a list of entries by name; `others` are those that no file can say."""
    kind = list_of(declared)
    made = [_entry(kind, name, typed(declared, name)) for name in declared.settings]
    return _ordered(kind, [*made, *map(dict, others)])


def present_entries(kind: str, wire: Wire) -> list[Body]:
    """The entries of the list `kind` in an app configuration of the tenant."""
    found = _payload(wire).get(ANDROID) if kind == ANDROID else wire.get(kind)
    listed = found if isinstance(found, list) else []
    plain = [
        {name: value for name, value in item.items() if not name.startswith("@")}
        for item in listed
        if isinstance(item, dict)
    ]
    return _ordered(kind, plain)


def setting_of(kind: str, entry: Wire) -> tuple[str, Value] | None:
    """Name and value of a setting, if a file can say it."""
    name = str(entry.get(_NAMES[kind]) or "")
    if not name:
        return None
    if kind == MANAGED:
        return name, str(entry.get("value") or "")
    if kind == IOS:
        return _ios_setting(name, str(entry.get("appConfigKeyType")), str(entry.get("appConfigKeyValue")))
    value = next((entry[key] for key in _ANDROID_VALUES.values() if entry.get(key) is not None), None)
    return (name, value) if isinstance(value, bool | int | str) else None


def payload(package: str, settings: Iterable[Wire]) -> str:
    """The settings of an Android app as Graph takes them: base64 of JSON."""
    document = {"kind": _KIND, "productId": f"app:{package}", ANDROID: [dict(item) for item in settings]}
    return base64.b64encode(json.dumps(document).encode()).decode()


def _entry(kind: str, name: str, value: Value) -> Body:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if kind == MANAGED:
        return {"name": name, "value": str(value)}
    if kind == ANDROID:
        return {"key": name, _ANDROID_VALUES[type(value)]: value}
    return {"appConfigKey": name, "appConfigKeyType": _IOS_TYPES[type(value)], "appConfigKeyValue": text}


def _ios_setting(name: str, kind: str, text: str) -> tuple[str, Value] | None:
    if kind == _IOS_TYPES[bool] and text.lower() in {"true", "false"}:
        return name, text.lower() == "true"
    if kind == _IOS_TYPES[int] and (number := signed_number(text)) is not None:
        return name, number
    return (name, text) if kind == _IOS_TYPES[str] else None


def _payload(wire: Wire) -> Body:
    """What `payloadJson` has; empty when it cannot be read."""
    try:
        document = json_value(base64.b64decode(str(wire.get(PAYLOAD) or "")))
    except (binascii.Error, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _ordered(kind: str, found: list[Body]) -> list[Body]:
    return sorted(found, key=lambda item: str(item.get(_NAMES[kind])))
