"""The fields that say to whom an object is assigned; all users and all devices as Intune has them."""

from typing import Final

from mst_admin.objects.parts import Assignable
from mstunnel_lab.admin_center.forms import Field, Values, lines

ASSIGNMENT_FIELDS: Final = (
    Field("all_users", "All users", "check", hint="All users with a licence."),
    Field("all_devices", "All devices", "check", hint="All enrolled devices."),
    Field("groups", "Included groups", "lines", hint="Ids of groups in Microsoft Entra ID, one per line."),
    Field(
        "excluded_groups", "Excluded groups", "lines", hint="Ids of groups that do not get it, one per line."
    ),
)


def assigned(values: Values, prefix: str = "") -> dict[str, object]:
    """Return what was typed into these fields, under the keys of declared objects."""
    return {
        "all_users": bool(values.get(f"{prefix}all_users")),
        "all_devices": bool(values.get(f"{prefix}all_devices")),
        "groups": lines(values[f"{prefix}groups"]),
        "excluded_groups": lines(values[f"{prefix}excluded_groups"]),
    }


def shown_assignment(found: Assignable, prefix: str = "") -> Values:
    """Return assignments as they would be typed."""
    return {
        f"{prefix}all_users": "yes" if found.all_users else "",
        f"{prefix}all_devices": "yes" if found.all_devices else "",
        f"{prefix}groups": "\n".join(found.groups),
        f"{prefix}excluded_groups": "\n".join(found.excluded_groups),
    }
