"""The form of a site, between what is typed and what mst-admin declares and judges."""

import re
from typing import Final
from zoneinfo import available_timezones

from mst_admin.objects.site import SiteObject
from mstunnel_lab.admin_center.forms import Field, Group, Values
from mstunnel_lab.records import SiteRecord
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import TunnelConfiguration

_OFFSET: Final = re.compile(r"UTC(?:([+-])([0-9]{1,2})(?::([0-9]{2}))?)?")
_WINDOW: Final = ("window_zone", "window_start", "window_end")
# A finding about the window as a whole is shown at the field where it begins.
FIELD_OF: Final = {"upgrade_window": "window_start"}
_UPGRADES: Final = Group(
    "Upgrades",
    (
        Field(
            "upgrade_automatically",
            "Automatically upgrade servers at this site",
            "check",
            hint="Otherwise an administrator approves each upgrade.",
        ),
        Field(
            "window_limited",
            "Limit server upgrades to maintenance window",
            "check",
            hint="Upgrades then begin between start and end only.",
        ),
        Field(
            "window_zone",
            "Time zone",
            hint="Such as Europe/Berlin or UTC+02:00.",
            suggestions="time-zones",
        ),
        Field("window_start", "Start time", "time", hint="The earliest time at which an upgrade begins."),
        Field("window_end", "End time", "time", hint="At least one hour after the start."),
    ),
)


def groups(configurations: tuple[TunnelConfiguration, ...]) -> tuple[Group, ...]:
    """Return the fields, with the configurations there are to choose from."""
    choices = tuple((item.id, item.display_name) for item in configurations)
    return (
        Group(
            "Basics",
            (
                Field("name", "Name", hint="Name of the site.", required=True),
                Field("description", "Description (optional)", hint="What the site is for."),
            ),
        ),
        Group(
            "Settings",
            (
                Field(
                    "public_address",
                    "Public IP address or FQDN",
                    required=True,
                    hint="What devices connect to, such as gateway.contoso.com.",
                ),
                Field(
                    "configuration",
                    "Server configuration",
                    "select",
                    hint="All servers of the site get it.",
                    required=True,
                    choices=choices,
                ),
                Field(
                    "internal_network_probe_url",
                    "URL for internal network access check (optional)",
                    hint="Each server tries it every five minutes.",
                ),
            ),
        ),
        _UPGRADES,
    )


def time_zones() -> list[str]:
    """Return the names that the field of the time zone suggests."""
    return sorted(name for name in available_timezones() if "/" in name and not name.startswith("Etc/"))


def new(configurations: tuple[TunnelConfiguration, ...]) -> Values:
    """Return what the form of a new site begins with."""
    names = [item.name for group in groups(configurations) for item in group.fields]
    first = configurations[0].id if len(configurations) == 1 else ""
    return dict.fromkeys(names, "") | {"upgrade_automatically": "yes", "configuration": first}


def declared(values: Values) -> SiteObject:
    """Return what was typed as an object to judge; raises `pydantic.ValidationError`."""
    given: JsonObject = {
        name: text for name, text in values.items() if name not in {*_WINDOW, "window_limited"}
    }
    given["upgrade_automatically"] = bool(values["upgrade_automatically"])
    given["upgrade_window"] = _window(values) if values["window_limited"] else None
    return SiteObject.model_validate(given)


def _window(values: Values) -> JsonObject:
    zone, offset = _zone(values["window_zone"])
    return {
        "start": values["window_start"],
        "end": values["window_end"],
        "time_zone": zone,
        "utc_offset_minutes": offset,
    }


def _zone(text: str) -> tuple[str | None, int | None]:
    match = _OFFSET.fullmatch(text.strip())
    if match is None:
        return text.strip() or None, None
    minutes = int(match[2] or 0) * 60 + int(match[3] or 0)
    return None, -minutes if match[1] == "-" else minutes


def shown(found: SiteRecord) -> Values:
    """Return a site as it would be typed."""
    start, end = found.upgrade_window_start_time, found.upgrade_window_end_time
    return {
        "name": found.display_name,
        "description": found.description or "",
        "public_address": found.public_address or "",
        "configuration": found.configuration_id,
        "internal_network_probe_url": found.internal_network_probe_url or "",
        "upgrade_automatically": "yes" if found.upgrade_automatically else "",
        "window_limited": "yes" if start and end else "",
        "window_zone": offset_text(found.upgrade_window_utc_offset_in_minutes or 0) if start and end else "",
        "window_start": start.strftime("%H:%M") if start else "",
        "window_end": end.strftime("%H:%M") if end else "",
    }


def offset_text(minutes: int) -> str:
    """Return an offset from UTC as text, such as UTC+05:30."""
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"
