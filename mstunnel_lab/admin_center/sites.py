"""Admin center: sites."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from zoneinfo import available_timezones

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from typing_extensions import override

from mst_admin.objects.parts import without_empty
from mst_admin.objects.site import SiteObject, judge_site, site_body, site_object
from mstunnel_lab.admin_center.configurations import sorted_configurations
from mstunnel_lab.admin_center.forms import Field, FieldGroup, Values, empty, fields_of, shown, typed
from mstunnel_lab.admin_center.lists import Column
from mstunnel_lab.admin_center.render import go_to
from mstunnel_lab.admin_center.sections import AdminSection, ObjectForm, Submission
from mstunnel_lab.admin_center.session import signed_in
from mstunnel_lab.graph.entities import Entities
from mstunnel_lab.graph.tunnel import CONFIGURATIONS, SITES, request_upgrade
from mstunnel_lab.records import ServerRecord, SiteRecord
from mstunnel_lab.state import Lab
from mstunnel_lab.store import Rows
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import TunnelConfiguration

_OFFSET: Final = re.compile(r"UTC(?:([+-])([0-9]{1,2})(?::([0-9]{2}))?)?")
_UPGRADES: Final = FieldGroup(
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


@dataclass(frozen=True)
class SiteForm(ObjectForm[SiteRecord]):
    """The form of a site: as in Intune, it is stored without a review."""

    entities: ClassVar[Entities[Any]] = SITES
    # A finding about the window as a whole is shown at the field where it begins.
    field_of: ClassVar[Mapping[str, str]] = {"upgrade_window": "window_start"}
    reviewed: ClassVar[bool] = False

    @property
    @override
    def groups(self) -> tuple[FieldGroup, ...]:
        return groups(sorted_configurations(self.lab))

    @property
    @override
    def suggestions(self) -> Mapping[str, Sequence[str]]:
        names = (name for name in available_timezones() if "/" in name and not name.startswith("Etc/"))
        return {"time-zones": sorted(names)}

    @property
    @override
    def present(self) -> SiteObject | None:
        return self.declared(self.begin) if self.found else None

    @property
    @override
    def begin(self) -> Values:
        found = self.found
        if found is None:
            known = sorted_configurations(self.lab)
            only = known[0].id if len(known) == 1 else ""
            return empty(self.groups) | {"upgrade_automatically": "yes", "configuration": only}
        values = shown(fields_of(self.groups), site_object(found)) | {"configuration": found.configuration_id}
        start, end = found.upgrade_window_start_time, found.upgrade_window_end_time
        if not start or not end:
            return values
        offset = offset_text(found.upgrade_window_utc_offset_in_minutes or 0)
        times = {"window_start": f"{start:%H:%M}", "window_end": f"{end:%H:%M}"}
        return values | {"window_limited": "yes", "window_zone": offset, **times}

    @property
    @override
    def details(self) -> Mapping[str, object]:
        if self.found is None:
            return {}
        return {
            "configuration": CONFIGURATIONS.find(self.lab, self.found.configuration_id),
            "servers": self.lab.store.each(ServerRecord, parent=self.found.id),
            "asked": self.found.document().get("labUpgradeRequestedDateTime"),
        }

    @override
    def declared(self, values: Values) -> SiteObject:
        fields = (item for item in fields_of(groups(())) if not item.name.startswith("window_"))
        given = typed(fields, values)
        if values["window_limited"]:
            given["upgrade_window"] = {
                "start": values["window_start"],
                "end": values["window_end"],
                **_zone(values["window_zone"]),
            }
        return SiteObject.model_validate(given)

    @override
    def judge(self, declared: SiteObject) -> tuple[Finding, ...]:
        return judge_site(declared)

    @override
    def submission(self, declared: SiteObject) -> Submission:
        body: JsonObject = {
            **site_body(declared, datetime.now(UTC)),
            "microsoftTunnelConfiguration": {"id": declared.configuration},
        }
        return Submission(body if self.found else without_empty(body))


def groups(configurations: Sequence[TunnelConfiguration]) -> tuple[FieldGroup, ...]:
    """Return the fields, with the configurations there are to choose from."""
    choices = tuple((item.id, item.display_name) for item in configurations)
    return (
        FieldGroup(
            "Basics",
            (
                Field("name", "Name", hint="Name of the site.", required=True),
                Field("description", "Description (optional)", hint="What the site is for."),
            ),
        ),
        FieldGroup(
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


def _zone(text: str) -> JsonObject:
    """Return a typed time zone as keys of a maintenance window: its name, or minutes from UTC."""
    match = _OFFSET.fullmatch(text.strip())
    if match is None:
        return {"time_zone": text.strip() or None}
    minutes = int(match[2] or 0) * 60 + int(match[3] or 0)
    return {"utc_offset_minutes": -minutes if match[1] == "-" else minutes}


def offset_text(minutes: int) -> str:
    """Return an offset from UTC as text, such as UTC+05:30."""
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"


def _columns(lab: Lab) -> Sequence[Column[SiteRecord]]:
    names = {item.id: item.display_name for item in sorted_configurations(lab)}
    return (
        Column("name", "Name", lambda item: item.display_name),
        Column("address", "Public IP address or FQDN", lambda item: item.public_address or ""),
        Column("configuration", "Server configuration", lambda item: names.get(item.configuration_id, "")),
        Column("servers", "Servers", lambda item: str(lab.store.count(ServerRecord, parent=item.id))),
        Column(
            "upgrade",
            "Upgrade type",
            lambda item: "Automatic" if item.upgrade_automatically else "Manual",
            "word",
        ),
    )


SECTION: Final = AdminSection(
    tab="sites",
    title="Sites",
    what="site",
    columns=_columns,
    each=lambda lab: Rows(lab.store, SiteRecord),
    new=lambda lab, _kind: SiteForm(lab),
    open=lambda lab, identifier: SiteForm(lab, found=SITES.find(lab, identifier)),
    template="site.html",
)


@signed_in
async def upgrade(request: Request, lab: Lab) -> Response:
    """Ask the servers of a site to upgrade."""
    found = SITES.find(lab, request.path_params["id"])
    request_upgrade(lab, found)
    return go_to(f"/admin/sites/{found.id}")


ROUTES = [*SECTION.routes, Route("/admin/sites/{id}/upgrade", upgrade, methods=["POST"])]
