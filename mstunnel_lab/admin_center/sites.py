"""Admin center: server configurations and sites."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from zoneinfo import available_timezones

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mst_admin.objects.configuration import (
    ConfigurationObject,
    configuration_body,
    configuration_object,
    judge_configuration,
)
from mst_admin.objects.parts import without_empty
from mst_admin.objects.site import SiteObject, judge_site, site_body, site_object
from mstunnel_lab.admin_center.forms import Values, groups_of, shown, typed
from mstunnel_lab.admin_center.render import go_to
from mstunnel_lab.admin_center.sections import AdminSection, Column, ObjectForm
from mstunnel_lab.admin_center.session import signed_in
from mstunnel_lab.graph.entities import Entities
from mstunnel_lab.graph.tunnel import CONFIGURATIONS, SITES, request_upgrade
from mstunnel_lab.records import ServerRecord, SiteRecord
from mstunnel_lab.state import Lab
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import TunnelConfiguration

_OFFSET: Final = re.compile(r"UTC(?:([+-])([0-9]{1,2})(?::([0-9]{2}))?)?")


class _ConfigurationForm(ObjectForm[TunnelConfiguration]):
    entities: Entities[Any] = CONFIGURATIONS
    groups = groups_of("configuration")

    def __init__(self, lab: Lab, found: TunnelConfiguration | None = None) -> None:
        super().__init__(lab, found)
        if found:
            self.present = configuration_object(found)
            self.begin = shown(self.groups, self.present)
            self.advice = judge_configuration(self.present)
            sites = lab.store.each(SiteRecord)
            self.details = {"sites": [site for site in sites if site.configuration_id == found.id]}

    def declared(self, values: Values) -> tuple[ConfigurationObject, tuple[Finding, ...]]:
        declared = ConfigurationObject.model_validate(typed(self.groups, values))
        return declared, judge_configuration(declared)

    def body(self, declared: ConfigurationObject) -> JsonObject:
        return configuration_body(declared)


class _SiteForm(ObjectForm[SiteRecord]):
    """The form of a site: as in Intune, it is stored without a review."""

    entities: Entities[Any] = SITES
    # A finding about the whole window is shown at the field with its start.
    field_of: ClassVar[Mapping[str, str]] = {"upgrade_window": "window_start"}
    reviewed: ClassVar[bool] = False

    def __init__(self, lab: Lab, found: SiteRecord | None = None) -> None:
        super().__init__(lab, found)
        known = sorted_configurations(lab)
        self.groups = groups_of("site", configuration=((item.id, item.display_name) for item in known))
        zones = (name for name in available_timezones() if "/" in name and not name.startswith("Etc/"))
        self.suggestions = {"time-zones": sorted(zones)}
        if found is None:
            return

        values = shown(self.groups, site_object(found)) | {"configuration": found.configuration_id}
        start, end = found.upgrade_window_start_time, found.upgrade_window_end_time
        if start and end:
            offset = found.upgrade_window_utc_offset_in_minutes or 0
            hours, minutes = divmod(abs(offset), 60)
            values |= {
                "window_limited": "yes",
                "window_zone": f"UTC{'-' if offset < 0 else '+'}{hours:02}:{minutes:02}",
                "window_start": f"{start:%H:%M}",
                "window_end": f"{end:%H:%M}",
            }
        self.begin = values
        self.present, self.advice = self.declared(values)
        self.details = {
            "configuration": CONFIGURATIONS.find(lab, found.configuration_id),
            "servers": lab.store.each(ServerRecord, parent=found.id),
            "asked": found.upgrade_requested,
        }

    def declared(self, values: Values) -> tuple[SiteObject, tuple[Finding, ...]]:
        """Return the input as a site; a time zone is a name, or an offset such as UTC+05:30."""
        given = typed(self.groups, values)
        given = {name: value for name, value in given.items() if not name.startswith("window_")}
        if values["window_limited"]:
            zone = values["window_zone"].strip()
            window: JsonObject = {"start": values["window_start"], "end": values["window_end"]}
            if match := _OFFSET.fullmatch(zone):
                minutes = int(match[2] or 0) * 60 + int(match[3] or 0)
                window["utc_offset_minutes"] = -minutes if match[1] == "-" else minutes
            else:
                window["time_zone"] = zone or None
            given["upgrade_window"] = window
        declared = SiteObject.model_validate(given)
        return declared, judge_site(declared)

    def body(self, declared: SiteObject) -> JsonObject:
        body: JsonObject = {
            **site_body(declared, datetime.now(UTC)),
            "microsoftTunnelConfiguration": {"id": declared.configuration},
        }
        return body if self.found else without_empty(body)


def sorted_configurations(lab: Lab) -> list[TunnelConfiguration]:
    """Return all server configurations, sorted by name."""
    return sorted(lab.store.each(TunnelConfiguration), key=lambda item: item.display_name.casefold())


def _site_columns(lab: Lab) -> Sequence[Column[SiteRecord]]:
    names = {item.id: item.display_name for item in sorted_configurations(lab)}
    return (
        Column("name", "Name", lambda item: item.display_name),
        Column("address", "Public IP address or FQDN", lambda item: item.public_address or ""),
        Column("configuration", "Server configuration", lambda item: names.get(item.configuration_id, "")),
        Column("servers", "Servers", lambda item: str(len(lab.store.each(ServerRecord, parent=item.id)))),
        Column(
            "upgrade",
            "Upgrade type",
            lambda item: "Automatic" if item.upgrade_automatically else "Manual",
        ),
    )


@signed_in
async def upgrade(request: Request, lab: Lab) -> Response:
    """Request an upgrade of a site's servers."""
    found = SITES.find(lab, request.path_params["id"])
    request_upgrade(lab, found)
    return go_to(f"/admin/sites/{found.id}")


CONFIGURATION_SECTION: Final = AdminSection(
    tab="configurations",
    title="Server configurations",
    what="server configuration",
    columns=lambda _lab: (
        Column[TunnelConfiguration]("name", "Name", lambda item: item.display_name),
        Column[TunnelConfiguration]("network", "IP address range", lambda item: item.network or ""),
        Column[TunnelConfiguration]("port", "Server port", lambda item: str(item.listen_port)),
        Column[TunnelConfiguration]("dns", "DNS servers", lambda item: ", ".join(item.dns_servers)),
    ),
    each=sorted_configurations,
    new=_ConfigurationForm,
    open=lambda lab, identifier: _ConfigurationForm(lab, CONFIGURATIONS.find(lab, identifier)),
    create="Create new",
    template="configuration.html",
)
SITE_SECTION: Final = AdminSection(
    tab="sites",
    title="Sites",
    what="site",
    columns=_site_columns,
    each=lambda lab: lab.store.each(SiteRecord),
    new=_SiteForm,
    open=lambda lab, identifier: _SiteForm(lab, SITES.find(lab, identifier)),
    template="site.html",
)
ROUTES = [
    *SITE_SECTION.routes,
    Route("/admin/sites/{id}/upgrade", upgrade, methods=["POST"]),
    *CONFIGURATION_SECTION.routes,
]
