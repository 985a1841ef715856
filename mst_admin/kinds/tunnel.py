"""Server configurations, sites, thresholds of health metrics, and the records of servers."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import ClassVar, Final, NamedTuple

from pydantic import Field

from mst_admin.change import CONFIGURATION_KEY, Body, Change
from mst_admin.errors import NAME_AMBIGUOUS, NAME_TAKEN, NAME_UNKNOWN
from mst_admin.kinds.kind import OptionKind, References
from mst_admin.kinds.lookup import require_name
from mst_admin.kinds.reports import ObjectDeletion, ObjectIdentity, ObjectList, ObjectReport, ObjectUpdate
from mst_admin.kinds.tenant import Declarations, Planning, names_of
from mst_admin.metrics import (
    KINDS,
    ThresholdObject,
    judge_threshold,
    kind_of,
    threshold_body,
    threshold_object,
)
from mst_admin.objects.configuration import (
    DEFAULT_SESSION_SECONDS,
    ConfigurationObject,
    configuration_body,
    configuration_object,
    judge_configuration,
)
from mst_admin.objects.parts import Trimmed
from mst_admin.objects.site import Resolve, SiteObject, judge_site, site_body, site_object
from mst_admin.results import changed, details, judged, table
from mst_admin.session import READING, make_sure, open_tenant
from mstunnel_setup.answers.document import validated
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.answers.values import Line
from mstunnel_setup.base.errors import TenantError, UsageError
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.text import text
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.tenant.graph import SITES, THRESHOLDS, is_guid
from mstunnel_setup.tenant.graph_admin import CONFIGURATIONS, AdminGraph, configuration_reference
from mstunnel_setup.tenant.wire import HealthThreshold, TunnelConfiguration, TunnelServer, TunnelSite


class _ConfigurationKind(OptionKind[ConfigurationObject, TunnelConfiguration]):
    name = "configuration"
    what = text("server configuration")
    section = "configurations"
    collection = CONFIGURATIONS
    command = "config"
    head = ("NAME", "NETWORK", "PORT", "ID")
    model = ConfigurationObject
    required: ClassVar = {"network": ""}
    stand_in: ClassVar = {"network": "169.254.0.0/16"}

    def judge(
        self, declared: ConfigurationObject, beside: Declarations, _resolve: Resolve | None
    ) -> Iterable[Finding]:
        return judge_configuration(declared, beside.corporate_networks)

    def declared(self, present: TunnelConfiguration) -> ConfigurationObject:
        return configuration_object(present)

    def body(self, declared: ConfigurationObject, _now: datetime) -> Body:
        return configuration_body(declared)

    def row(self, present: TunnelConfiguration) -> tuple[str, ...]:
        return present.display_name, present.network or "", str(present.listen_port or ""), present.id

    def changes_to_prune(self, planning: Planning) -> Iterable[Change]:
        """Return the deletions of `--prune`, except for configurations that a remaining site uses."""
        declared_sites = names_of(planning.declared.sites)
        used = {
            site.microsoft_tunnel_configuration.id
            for site in planning.tenant.sites
            if site.microsoft_tunnel_configuration
            and site.id not in planning.deleted_ids
            and site.display_name.casefold() not in declared_sites
        }
        return (change for change in super().changes_to_prune(planning) if change.identifier not in used)

    def shown(self, _graph: AdminGraph, present: TunnelConfiguration) -> tuple[Report, Body]:
        """Return the report of `show`, with the default session timeout of servers if none is set."""
        lines = configuration_object(present).model_dump(mode="json")
        if lines["session_timeout"] is None:
            lines["session_timeout"] = f"{DEFAULT_SESSION_SECONDS} (default)"
        return ObjectReport(object=present.document()), lines


CONFIGURATION: Final = _ConfigurationKind()


class SiteReport(ObjectReport):
    """One site and the names of its servers."""

    servers: tuple[str, ...]


class _SiteKind(OptionKind[SiteObject, TunnelSite]):
    name = "site"
    what = "site"
    section = "sites"
    collection = SITES
    command = "site"
    reports: ClassVar = {**OptionKind.reports, "show": SiteReport}
    head = ("NAME", "PUBLIC ADDRESS", "ID")
    model = SiteObject
    stand_in: ClassVar = {
        "public_address": "gateway.contoso.com",
        "configuration": "Main",
        "upgrade_window": {"start": "22:00", "end": "04:00", "utc_offset_minutes": 0},
    }

    def judge(
        self, declared: SiteObject, _beside: Declarations, resolve: Resolve | None
    ) -> Iterable[Finding]:
        return judge_site(declared, resolve)

    def declared(self, present: TunnelSite) -> SiteObject:
        return site_object(present)

    def body(self, declared: SiteObject, now: datetime) -> Body:
        return {**site_body(declared, now), CONFIGURATION_KEY: declared.configuration}

    def row(self, present: TunnelSite) -> tuple[str, ...]:
        return present.display_name, present.public_address or "", present.id

    def missing(self, declared: SiteObject, planning: Planning) -> Iterator[tuple[str, str]]:
        staying = [item for item in planning.tenant.configurations if item.id not in planning.deleted_ids]
        known = {name.casefold() for item in staying for name in (item.display_name, item.id)}
        wanted = declared.configuration
        if wanted.casefold() not in known | names_of(planning.declared.configurations):
            message = text("no server configuration is called `{configuration}`", configuration=wanted)
            yield "configuration", message

    def change(self, declared: SiteObject, present: TunnelSite | None, now: datetime) -> Iterator[Change]:
        used = present.microsoft_tunnel_configuration if present else None
        if used and declared.configuration.casefold() in {used.id.casefold(), used.display_name.casefold()}:
            declared = declared.model_copy(update={"configuration": used.display_name})
        return super().change(declared, present, now)

    def properties(self, change: Change, references: References) -> Body:
        body = super().properties(change, references)
        used = body.pop(CONFIGURATION_KEY, "")
        return body | (configuration_reference(references.id_of(CONFIGURATION, str(used))) if used else {})

    def by_id(self, graph: AdminGraph, identifier: str) -> TunnelSite | None:
        return graph.site(identifier)

    def named(self, graph: AdminGraph, name: str | None = None) -> Sequence[TunnelSite]:
        # A list of all sites requests only the properties that it shows.
        columns = ("id", "displayName", "publicAddress", "upgradeAvailable") if name is None else ()
        return graph.objects(SITES, name, columns)

    def shown(self, graph: AdminGraph, present: TunnelSite) -> tuple[Report, Body]:
        """Return the report of `show`, with the site's servers and whether they can be upgraded."""
        servers = [server.display_name for server in graph.servers(present.id)]
        lines = site_object(present).model_dump(mode="json")
        lines |= {"upgrade_available": present.upgrade_available, "servers": servers}
        return SiteReport(object=present.document(), servers=tuple(servers)), lines


SITE: Final = _SiteKind()


def request_upgrade(
    operator: Operator, settings: Settings, wanted: str, *, yes: bool
) -> Result[ObjectIdentity]:
    """Approve the upgrade of all servers of a site, after asking; Graph cannot revoke it."""
    graph = open_tenant(operator, settings)
    found = SITE.find(graph, wanted)
    if found.upgrade_available is False:
        line = text(
            "No server of the site {name} can be upgraded: nothing was approved.", name=found.display_name
        )
        return Result("unchanged", ObjectIdentity(id=found.id), text=[line])
    make_sure(
        operator, f"Upgrade all servers of the site {found.display_name}? It cannot be undone.", yes=yes
    )
    graph.request_upgrade(found.id)
    line = text("The upgrade of the site {name} is approved.", name=found.display_name)
    return Result("changed", ObjectIdentity(id=found.id), text=[line])


class _ThresholdKind(OptionKind[ThresholdObject, HealthThreshold]):
    name = "threshold"
    what = "threshold"
    section = "thresholds"
    key = "metric"
    collection = THRESHOLDS
    command = "threshold"
    reports: ClassVar = {**OptionKind.reports, "create": ObjectUpdate}
    head = ("METRIC", "HEALTHY", "UNHEALTHY", "DEFAULTS")
    model = ThresholdObject

    @property
    def nothing(self) -> str:
        return text("There are no thresholds.")

    def judge(
        self, declared: ThresholdObject, _beside: Declarations, _resolve: Resolve | None
    ) -> Iterable[Finding]:
        return judge_threshold(declared)

    def declared(self, present: HealthThreshold) -> ThresholdObject:
        return threshold_object(present)

    def body(self, declared: ThresholdObject, _now: datetime) -> Body:
        return threshold_body(declared)

    def row(self, present: HealthThreshold) -> tuple[str, ...]:
        defaults = f"{present.default_healthy_threshold}, {present.default_unhealthy_threshold}"
        return present.id, str(present.healthy_threshold), str(present.unhealthy_threshold), defaults

    def properties(self, change: Change, _references: References) -> Body:
        metric = {"id": change.name} if change.verb == "create" else {}
        return {**metric, **change.after}

    def named(self, graph: AdminGraph, name: str | None = None) -> Sequence[HealthThreshold]:
        found = graph.thresholds()
        return [item for item in found if name is None or item.id.casefold() == name.casefold()]

    def all(self, graph: AdminGraph) -> Sequence[HealthThreshold]:
        return self.named(graph)

    def find(self, graph: AdminGraph, wanted: str) -> HealthThreshold:
        """Return the thresholds of a metric. Raises TenantError `metric-unknown`, listing the known ones."""
        found = graph.thresholds()
        for item in found:
            if item.id.casefold() == wanted.casefold():
                return item
        raise TenantError(
            "metric-unknown",
            "the tenant has no thresholds for the metric {metric}",
            hint="Use one of: {names}.",
            metric=wanted,
            names=", ".join(item.id for item in found),
        )

    def wire(self, present: HealthThreshold) -> Body:
        return present.document()

    def shown(self, _graph: AdminGraph, present: HealthThreshold) -> tuple[Report, Body]:
        document = present.document()
        return ObjectReport(object=document), document

    def deletion_to_confirm(
        self, graph: AdminGraph, present: HealthThreshold
    ) -> tuple[str, Sequence[Change]]:
        return f"Delete the thresholds of {present.id}?", super().deletion_to_confirm(graph, present)[1]


THRESHOLD: Final = _ThresholdKind()


def set_threshold(
    operator: Operator,
    settings: Settings,
    metric: str,
    values: tuple[int | None, int | None],
    *,
    new: bool = False,
    default: bool = False,
) -> Result[ObjectUpdate]:
    """Create or change the thresholds of a metric; `values` is (healthy, unhealthy), None keeps one."""
    if new and kind_of(metric) is None:
        raise UsageError(
            "metric-not-known",
            "Microsoft Tunnel does not report a metric {metric}",
            hint="Use one of: {names}.",
            metric=metric,
            names=", ".join(kind.word for kind in KINDS),
        )
    _judge_given(metric, *values)
    graph = open_tenant(operator, settings)
    if new:
        THRESHOLD.require_free(metric, THRESHOLD.named(graph, metric))
    present = None if new else THRESHOLD.find(graph, metric)
    known: tuple[int | None, int | None] = (None, None)
    if present is not None:
        own = present.healthy_threshold, present.unhealthy_threshold
        known = (present.default_healthy_threshold, present.default_unhealthy_threshold) if default else own
    healthy, unhealthy = (old if value is None else value for value, old in zip(values, known, strict=True))
    declared = validated(ThresholdObject, {"metric": metric, "healthy": healthy, "unhealthy": unhealthy})
    warnings = judged(judge_threshold(declared))
    changes = list(THRESHOLD.change(declared, present, operator.clock.now()))
    for change in changes:
        THRESHOLD.write(change, References(graph))
    return changed(THRESHOLD.updated(metric, changes), changes, warnings)


def _judge_given(metric: str, healthy: int | None, unhealthy: int | None) -> None:
    """Raise ValuesError for values that are invalid for any tenant, before signing in."""
    declared = validated(
        ThresholdObject, {"metric": metric, "healthy": healthy or 0, "unhealthy": unhealthy or 0}
    )
    both = healthy is not None and unhealthy is not None
    judged(item for item in judge_threshold(declared) if both or item.code == "threshold-out-of-range")


class ServerList(ObjectList):
    """Servers of a site, or of all sites; `site` is the id and the name of the site of each."""


class ServerObject(Trimmed):
    """The properties of a server that an administrator may change."""

    name: Line = Field(description="Name")


class ServerPlace(NamedTuple):
    """The record of a server with its site."""

    site: TunnelSite
    server: TunnelServer


def places(graph: AdminGraph, site: str | None) -> list[ServerPlace]:
    """Return the servers of one site or of all, ordered by name. Raises the errors of `SITE.find`."""
    if site is None:
        found = [ServerPlace(*each) for each in graph.all_servers()]
    else:
        one = SITE.find(graph, site)
        found = [ServerPlace(one, server) for server in graph.servers(one.id)]
    return sorted(
        found, key=lambda item: (item.site.display_name.casefold(), item.server.display_name.casefold())
    )


def find_place(graph: AdminGraph, site: str | None, wanted: str) -> ServerPlace:
    """Return the server with this name or id, of one site or of all. Raises the errors of `SITE.find`."""
    require_name("server", wanted, "server")
    if site is not None and is_guid(wanted):
        one = SITE.find(graph, site)
        if (server := graph.server(one.id, wanted)) is not None:
            return ServerPlace(one, server)
    key = wanted.casefold()
    found = [
        place
        for place in places(graph, site)
        if key in {place.server.id.casefold(), place.server.display_name.casefold()}
    ]
    if not found:
        place = "tenant" if site is None else "site"
        raise NAME_UNKNOWN(place=place, kind="server", name=wanted, command="server")
    if len(found) > 1:
        ids = [
            item.server.id if site else text("{id} ({site})", id=item.server.id, site=item.site.display_name)
            for item in found
        ]
        raise NAME_AMBIGUOUS(count=len(found), kind="server", name=wanted, ids=", ".join(ids))
    return found[0]


def list_servers(operator: Operator, settings: Settings, site: str | None) -> Result[ServerList]:
    """Return the servers of a site or of all sites."""
    found = places(open_tenant(operator, settings, READING), site)
    rows = [
        (
            site_of.display_name,
            item.display_name,
            item.tunnel_server_health_status or "",
            f"{item.last_checkin_date_time:%Y-%m-%d %H:%M}" if item.last_checkin_date_time else "never",
            item.id,
        )
        for site_of, item in found
    ]
    head = ("SITE", "NAME", "HEALTH", text("LAST CHECK-IN"), "ID")
    lines = table(rows, head, text("No site has a server yet."))
    if site is not None:
        lines = table([row[1:] for row in rows], head[1:], text("The site has no server yet."))
    servers = [
        {**server.document(), "site": {"id": place.id, "displayName": place.display_name}}
        for place, server in found
    ]
    return Result(report=ServerList(objects=tuple(servers)), text=lines)


def show_server(operator: Operator, settings: Settings, site: str, wanted: str) -> Result[ObjectReport]:
    """Return the report of one server."""
    graph = open_tenant(operator, settings, READING)
    report = ObjectReport(object=find_place(graph, site, wanted).server.document())
    return Result(report=report, text=details(report.object))


def create_server() -> Result[None]:
    """Raise UsageError: only an installation creates a server."""
    raise UsageError(
        "server-not-installed",
        "a server is created by its installation, which gives it its own identity",
        hint="Run `mstunnel-setup --site NAME` on the server.",
    )


def rename_server(
    operator: Operator, settings: Settings, site: str, wanted: str, name: str
) -> Result[ObjectUpdate]:
    """Rename a server. Raises TenantError `name-taken`."""
    declared = validated(ServerObject, {"name": name}).name
    graph = open_tenant(operator, settings)
    place, found = find_place(graph, site, wanted)
    if found.display_name == declared:
        return changed(ObjectUpdate(id=found.id), [])
    others = [item.display_name.casefold() for item in graph.servers(place.id) if item.id != found.id]
    if declared.casefold() in others:
        raise NAME_TAKEN(place="site", kind="server", name=declared, command=text("server update"))
    graph.update_server(place.id, found.id, TunnelServer(display_name=declared))
    names = {"displayName": found.display_name}, {"displayName": declared}
    change = Change("update", "server", found.display_name, found.id, *names)
    return changed(ObjectUpdate(id=found.id, change=change), [change])


def delete_server(
    operator: Operator, settings: Settings, site: str, wanted: str, *, yes: bool
) -> Result[ObjectDeletion]:
    """Delete the record of a server that no longer exists."""
    graph = open_tenant(operator, settings)
    place, found = find_place(graph, site, wanted)
    make_sure(operator, f"Delete the record of the server {found.display_name} ({found.id})?", yes=yes)
    graph.delete_server(place.id, found.id)
    change = Change("delete", "server", found.display_name, found.id)
    return changed(ObjectDeletion(id=found.id, change=change), [change])
