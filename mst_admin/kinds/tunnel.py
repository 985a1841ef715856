"""Server configurations, sites, and thresholds of health metrics."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial

from typing_extensions import override

from mst_admin.change import CONFIGURATION_KEY, Body, Change, update
from mst_admin.kinds.kind import CommandKind, OptionKind, References, find_one
from mst_admin.kinds.tenant import Declarations, Planning, TenantObjects, names_of
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
    changed,
    configuration_body,
    configuration_object,
    judge_configuration,
)
from mst_admin.objects.parts import without_empty
from mst_admin.objects.site import Resolve, SiteObject, judge_site, site_body, site_object
from mst_admin.results import judged, result_of
from mst_admin.session import make_sure, open_tenant
from mstunnel_setup.answers.document import validated
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.errors import TenantError, UsageError
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import text
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.tenant.graph import SITES, THRESHOLDS
from mstunnel_setup.tenant.graph_admin import CONFIGURATIONS, AdminGraph, configuration_reference
from mstunnel_setup.tenant.wire import HealthThreshold, TunnelConfiguration, TunnelSite


class ConfigurationKind(OptionKind[ConfigurationObject, TunnelConfiguration]):
    """Server configurations: settings that the servers of all their sites share."""

    name = "configuration"
    what = label = text("server configuration")
    section = "configurations"
    command = "config"
    result = "configuration"
    head = ("NAME", "NETWORK", "PORT", "ID")
    model = ConfigurationObject
    required = {"network": ""}  # noqa: RUF012 (never changed)

    @override
    def judge(
        self, declared: ConfigurationObject, beside: Declarations, resolve: Resolve | None = None
    ) -> Iterable[Finding]:
        return judge_configuration(declared, beside.corporate_networks)

    @override
    def present(self, tenant: TenantObjects) -> Sequence[TunnelConfiguration]:
        return tenant.configurations

    @override
    def declared(self, present: TunnelConfiguration) -> ConfigurationObject:
        return configuration_object(present)

    @override
    def change(
        self, declared: ConfigurationObject, present: TunnelConfiguration | None, now: datetime
    ) -> Iterator[Change]:
        body = configuration_body(declared)
        if present is None:
            yield Change("create", self.name, declared.name, after=without_empty(body))
            return
        before = configuration_body(configuration_object(present))
        yield from update(self.name, declared.name, present.id, before, changed(before, body))

    @override
    def deletions(self, planning: Planning) -> Iterator[Change]:
        """A configuration does not go while a site that stays uses it."""
        declared_sites = names_of(planning.declared.sites)
        used = {
            site.microsoft_tunnel_configuration.id
            for site in planning.tenant.sites
            if site.microsoft_tunnel_configuration
            and site.id not in planning.deleted
            and site.display_name.casefold() not in declared_sites
        }
        yield from (change for change in super().deletions(planning) if change.identifier not in used)

    @override
    def create(self, change: Change, references: References) -> None:
        references.graph.create(CONFIGURATIONS, change.after)

    @override
    def update(self, change: Change, references: References) -> None:
        references.graph.update(CONFIGURATIONS, change.identifier, change.after)

    @override
    def delete(self, change: Change, references: References) -> None:
        references.graph.delete(CONFIGURATIONS, change.identifier)

    @override
    def all(self, graph: AdminGraph) -> Sequence[TunnelConfiguration]:
        return sorted(graph.objects(CONFIGURATIONS), key=lambda item: item.display_name.casefold())

    @override
    def find(self, graph: AdminGraph, wanted: str) -> TunnelConfiguration:
        by_id, by_name = partial(graph.find, CONFIGURATIONS), partial(graph.objects, CONFIGURATIONS)
        return find_one(self.what, self.command, wanted, by_id, by_name)

    @override
    def named(self, graph: AdminGraph, name: str) -> Sequence[TunnelConfiguration]:
        return graph.objects(CONFIGURATIONS, name)

    @override
    def row(self, present: TunnelConfiguration) -> tuple[str, ...]:
        return present.display_name, present.network or "", str(present.listen_port or ""), present.id

    @override
    def shown(self, graph: AdminGraph, present: TunnelConfiguration) -> tuple[Body, Body]:
        """With the session timeout that servers take when none is set."""
        lines = configuration_object(present).model_dump(mode="json")
        if lines["session_timeout"] is None:
            lines["session_timeout"] = f"{DEFAULT_SESSION_SECONDS} (default)"
        return {self.result: present.document()}, lines


CONFIGURATION = ConfigurationKind()


class SiteKind(OptionKind[SiteObject, TunnelSite]):
    """Sites: servers with one public address and one server configuration."""

    name = "site"
    what = label = "site"
    section = "sites"
    command = "site"
    result = "site"
    head = ("NAME", "PUBLIC ADDRESS", "ID")
    model = SiteObject

    @override
    def judge(
        self, declared: SiteObject, beside: Declarations, resolve: Resolve | None = None
    ) -> Iterable[Finding]:
        return judge_site(declared, resolve)

    @override
    def present(self, tenant: TenantObjects) -> Sequence[TunnelSite]:
        return tenant.sites

    @override
    def declared(self, present: TunnelSite) -> SiteObject:
        return site_object(present)

    @override
    def missing(self, declared: SiteObject, planning: Planning) -> Iterator[tuple[str, str]]:
        staying = [item for item in planning.tenant.configurations if item.id not in planning.deleted]
        known = {name.casefold() for item in staying for name in (item.display_name, item.id)}
        wanted = declared.configuration
        if wanted.casefold() not in known | names_of(planning.declared.configurations):
            message = text("no server configuration is called `{configuration}`", configuration=wanted)
            yield "configuration", message

    @override
    def change(self, declared: SiteObject, present: TunnelSite | None, now: datetime) -> Iterator[Change]:
        body = {**site_body(declared, now), CONFIGURATION_KEY: declared.configuration}
        if present is None:
            yield Change("create", self.name, declared.name, after=without_empty(body))
            return
        found = site_object(present)
        before = {**site_body(found, now), CONFIGURATION_KEY: found.configuration}
        used = present.microsoft_tunnel_configuration
        if used and declared.configuration.casefold() in {used.id.casefold(), used.display_name.casefold()}:
            body[CONFIGURATION_KEY] = found.configuration
        yield from update(self.name, declared.name, present.id, before, changed(before, body))

    @override
    def create(self, change: Change, references: References) -> None:
        body = dict(change.after)
        configuration = references.configuration_id(str(body.pop(CONFIGURATION_KEY)))
        references.graph.create(SITES, {**body, **configuration_reference(configuration)})

    @override
    def update(self, change: Change, references: References) -> None:
        body = dict(change.after)
        wanted = body.pop(CONFIGURATION_KEY, "")
        if wanted:
            body |= configuration_reference(references.configuration_id(str(wanted)))
        references.graph.update(SITES, change.identifier, body)

    @override
    def delete(self, change: Change, references: References) -> None:
        references.graph.delete(SITES, change.identifier)

    @override
    def all(self, graph: AdminGraph) -> Sequence[TunnelSite]:
        found = graph.objects(SITES, properties=("id", "displayName", "publicAddress", "upgradeAvailable"))
        return sorted(found, key=lambda item: item.display_name.casefold())

    @override
    def find(self, graph: AdminGraph, wanted: str) -> TunnelSite:
        return find_site(graph, wanted)

    @override
    def named(self, graph: AdminGraph, name: str) -> Sequence[TunnelSite]:
        return graph.objects(SITES, name)

    @override
    def row(self, present: TunnelSite) -> tuple[str, ...]:
        return present.display_name, present.public_address or "", present.id

    @override
    def shown(self, graph: AdminGraph, present: TunnelSite) -> tuple[Body, Body]:
        """With the names of its servers, and whether they can be upgraded."""
        servers = [server.display_name for server in graph.servers(present.id)]
        lines = site_object(present).model_dump(mode="json")
        lines |= {"upgrade_available": present.upgrade_available, "servers": servers}
        return {self.result: present.document(), "servers": servers}, lines


SITE = SiteKind()


def find_site(graph: AdminGraph, wanted: str) -> TunnelSite:
    """The site with this name or id. Raises what `find_one` raises."""
    return find_one("site", "site", wanted, graph.site, partial(graph.objects, SITES))


def request_upgrade(operator: Operator, settings: Settings, wanted: str, *, yes: bool) -> Result:
    """Approve the upgrade of all servers of a site, after asking; Graph cannot revoke it."""
    graph = open_tenant(operator, settings)
    found = find_site(graph, wanted)
    if found.upgrade_available is False:
        line = text(
            "No server of the site {name} can be upgraded: nothing was approved.", name=found.display_name
        )
        return Result("unchanged", {"id": found.id}, text=[line])
    make_sure(
        operator, f"Upgrade all servers of the site {found.display_name}? It cannot be undone.", yes=yes
    )
    graph.request_upgrade(found.id)
    line = text("The upgrade of the site {name} is approved.", name=found.display_name)
    return Result("changed", {"id": found.id}, text=[line])


class ThresholdKind(CommandKind[ThresholdObject, HealthThreshold]):
    """Thresholds, which are found again by their metric."""

    name = "threshold"
    what = label = "threshold"
    section = "thresholds"
    key = "metric"
    command = "threshold"
    result = "threshold"
    head = ("METRIC", "HEALTHY", "UNHEALTHY", "DEFAULTS")
    nothing = text("There are no thresholds.")

    @override
    def judge(
        self, declared: ThresholdObject, beside: Declarations, resolve: Resolve | None = None
    ) -> Iterable[Finding]:
        return judge_threshold(declared)

    @override
    def present(self, tenant: TenantObjects) -> Sequence[HealthThreshold]:
        return tenant.thresholds

    @override
    def declared(self, present: HealthThreshold) -> ThresholdObject:
        return threshold_object(present)

    @override
    def changes(self, declared: ThresholdObject, planning: Planning) -> Iterator[Change]:
        key = declared.metric.casefold()
        present = next((item for item in planning.tenant.thresholds if item.id.casefold() == key), None)
        yield from self.change(declared, present)

    def change(self, declared: ThresholdObject, present: HealthThreshold | None) -> Iterator[Change]:
        """What makes `present` (None: nothing yet) as declared."""
        body = threshold_body(declared)
        if present is None:
            yield Change("create", self.name, declared.metric, after=body)
            return
        before = threshold_body(threshold_object(present))
        yield from update(self.name, declared.metric, present.id, before, changed(before, body))

    @override
    def create(self, change: Change, references: References) -> None:
        references.graph.create(THRESHOLDS, {"id": THRESHOLDS.identified(change.name), **change.after})

    @override
    def update(self, change: Change, references: References) -> None:
        references.graph.update(THRESHOLDS, change.identifier, change.after)

    @override
    def delete(self, change: Change, references: References) -> None:
        references.graph.delete(THRESHOLDS, change.identifier)

    @override
    def all(self, graph: AdminGraph) -> Sequence[HealthThreshold]:
        return graph.thresholds()

    @override
    def find(self, graph: AdminGraph, wanted: str) -> HealthThreshold:
        """The thresholds of a metric. Raises TenantError `metric-unknown`, naming those there are."""
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

    @override
    def row(self, present: HealthThreshold) -> tuple[str, ...]:
        defaults = f"{present.default_healthy_threshold}, {present.default_unhealthy_threshold}"
        return present.id, str(present.healthy_threshold), str(present.unhealthy_threshold), defaults

    @override
    def wire(self, present: HealthThreshold) -> Body:
        return present.document()

    @override
    def shown(self, graph: AdminGraph, present: HealthThreshold) -> tuple[Body, Body]:
        return {self.result: present.document()}, present.document()

    @override
    def removal(self, graph: AdminGraph, present: HealthThreshold) -> tuple[str, Sequence[Change], Body]:
        change = Change("delete", self.name, present.id, present.id)
        return f"Delete the thresholds of {present.id}?", [change], {"metric": present.id}


THRESHOLD = ThresholdKind()


def set_threshold(
    operator: Operator,
    settings: Settings,
    metric: str,
    values: tuple[int | None, int | None],
    *,
    new: bool = False,
    default: bool = False,
) -> Result:
    """Create or change the thresholds of a metric; `values` are (healthy, unhealthy), None keeps one."""
    if new and kind_of(metric) is None:
        raise UsageError(
            "metric-not-known",
            "Microsoft Tunnel does not report a metric {metric}",
            hint="Use one of: {names}.",
            metric=metric,
            names=", ".join(kind.word for kind in KINDS),
        )
    graph = open_tenant(operator, settings)
    present = None if new else THRESHOLD.find(graph, metric)
    known: tuple[int | None, int | None] = (None, None)
    if present is not None and default:
        known = present.default_healthy_threshold, present.default_unhealthy_threshold
    elif present is not None:
        known = present.healthy_threshold, present.unhealthy_threshold
    healthy, unhealthy = (old if value is None else value for value, old in zip(values, known, strict=True))
    declared = validated(ThresholdObject, {"metric": metric, "healthy": healthy, "unhealthy": unhealthy})
    warnings = judged(judge_threshold(declared))
    changes = list(THRESHOLD.change(declared, present))
    for change in changes:
        (THRESHOLD.create if new else THRESHOLD.update)(change, References(graph))
    return result_of(changes, {"metric": metric}, warnings)
