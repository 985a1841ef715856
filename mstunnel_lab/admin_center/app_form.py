"""The form of an app, between what is typed and what mst-admin declares and judges."""

from collections.abc import Sequence
from typing import Final

from mst_admin.objects.app import AppPlatform, AssignmentObject, StoreAppObject
from mst_admin.objects.app_configuration import DEFENDER
from mstunnel_lab.admin_center.assignment_fields import ASSIGNMENT_FIELDS, assigned, shown_assignment
from mstunnel_lab.admin_center.forms import Field, Group, Values, fields_of, renamed

KINDS: Final = {
    AppPlatform.ANDROID.value: "Managed Google Play app",
    AppPlatform.IOS.value: "iOS store app",
}
INTENTS: Final = {
    "required": "Required",
    "available": "Available for enrolled devices",
    "available-without-enrollment": "Available with or without enrollment",
    "uninstall": "Uninstall",
}
FIELD_OF: Final = {"assignments": "required_groups"}
NO_NAME: Final = "-"
"""Stands for the name of an app without an id, which is refused."""
_ID: Final = Field(
    "id",
    "Package or bundle ID",
    hint="com.microsoft.scmx is Microsoft Defender, the client app of Microsoft Tunnel.",
    required=True,
)
_IOS: Final = (
    Field("name", "Name", hint="Name of the app in the admin center.", required=True),
    Field("description", "Description (optional)", hint="What the app is for."),
    Field("publisher", "Publisher", hint="Copy it from the App Store.", required=True),
    Field("store_url", "Appstore URL", hint="Address of the page in the App Store.", required=True),
    Field("minimum_os", "Minimum operating system", hint="Oldest version that gets the app, such as 16.0."),
)
_TEXTS: Final = tuple(item.name for item in _IOS)
_DEFAULTS: Final = {
    "id": DEFENDER,
    "name": "Microsoft Defender: Security",
    "publisher": "Microsoft Corporation",
    "store_url": "https://apps.apple.com/app/id1526737990",
    "minimum_os": "16.0",
}
"""What the form begins with: the client of the tunnel."""


def groups(platform: AppPlatform, profiles: Sequence[str], *, is_new: bool) -> tuple[Group, ...]:
    """Return the fields for a platform, with the names of VPN profiles that an app can be assigned with."""
    own = _IOS if platform is AppPlatform.IOS else ()
    information = Group("App information", (_ID, *own) if is_new or own else ())
    assignments = (
        Group(title, tuple(_assignment_fields(intent, platform, profiles)))
        for intent, title in INTENTS.items()
    )
    return tuple(group for group in (information, *assignments) if group.fields)


def _assignment_fields(intent: str, platform: AppPlatform, profiles: Sequence[str]) -> Sequence[Field]:
    found = [renamed(item, f"{intent}_{item.name}") for item in ASSIGNMENT_FIELDS]
    if platform is AppPlatform.IOS:
        choices = tuple((name, name) for name in profiles)
        hint = "The per-app VPN profile whose tunnel the app uses."
        found.append(Field(f"{intent}_vpn_profile", "VPN", "select", hint=hint, choices=choices))
    return found


def new(platform: AppPlatform) -> Values:
    """Return what the form of a new app begins with."""
    names = [item.name for item in fields_of(groups(platform, (), is_new=True))]
    return {name: _DEFAULTS.get(name, "") for name in names}


def declared(platform: AppPlatform, values: Values, present: StoreAppObject | None) -> StoreAppObject:
    """Return what was typed as an object to judge; raises `pydantic.ValidationError`.

    What the form does not show of an app that is there (`present`) stays.
    """
    identifier = values.get("id") or (present.id if present else "")
    texts = {name: values[name] for name in _TEXTS if name in values}
    intents = [intent for intent in INTENTS if any(assigned(values, f"{intent}_").values())]
    wanted = [_assignment(intent, values, present) for intent in intents]
    given = {"name": present.name if present else identifier or NO_NAME, "id": identifier, **texts}
    return StoreAppObject.model_validate({**given, "platform": platform, "assignments": wanted})


def _assignment(intent: str, values: Values, present: StoreAppObject | None) -> dict[str, object]:
    there = next((item for item in present.assignments if item.intent == intent), None) if present else None
    return {
        "intent": intent,
        "vpn_profile": values.get(f"{intent}_vpn_profile") or None,
        "updates": there.updates if there else "default",
        **assigned(values, f"{intent}_"),
    }


def can_show(found: StoreAppObject) -> bool:
    """Tell whether the form has a place for all assignments: one for each intent."""
    return len({item.intent for item in found.assignments}) == len(found.assignments)


def shown(platform: AppPlatform, found: StoreAppObject) -> Values:
    """Return an app as it would be typed."""
    by_intent: dict[str, AssignmentObject] = {item.intent: item for item in found.assignments}
    values = dict.fromkeys(new(platform), "")
    values |= {name: str(getattr(found, name)) for name in ("id", *_TEXTS)}
    for intent in INTENTS:
        item = by_intent.get(intent) or AssignmentObject.model_construct(intent=intent)
        values |= shown_assignment(item, f"{intent}_")
        values[f"{intent}_vpn_profile"] = item.vpn_profile or ""
    return values
