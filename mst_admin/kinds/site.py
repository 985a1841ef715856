"""Sites."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from typing_extensions import override

from mst_admin.change import CONFIGURATION, Body, Change, update_of
from mst_admin.kinds.kind import OptionKind, References, find_one
from mst_admin.kinds.tenant import Declarations, Planning, TenantObjects, names_of
from mst_admin.objects.configuration import changed
from mst_admin.objects.parts import without_empty
from mst_admin.objects.site import Resolve, SiteObject, judge_site, site_body, site_object
from mst_admin.session import make_sure, open_tenant
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import text
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.tenant.graph_admin import AdminGraph
from mstunnel_setup.tenant.wire import TunnelSite


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
    def change(self, declared: SiteObject, present: TunnelSite | None, now: datetime) -> Change | None:
        body = {**site_body(declared, now), CONFIGURATION: declared.configuration}
        if present is None:
            return Change("create", self.name, declared.name, after=without_empty(body))
        found = site_object(present)
        before = {**site_body(found, now), CONFIGURATION: found.configuration}
        used = present.microsoft_tunnel_configuration
        if used and declared.configuration.casefold() in {used.id.casefold(), used.display_name.casefold()}:
            body[CONFIGURATION] = found.configuration
        return update_of(self.name, declared.name, present.id, before, changed(before, body))

    @override
    def create(self, change: Change, references: References) -> None:
        body = dict(change.after)
        configuration = references.configuration_id(str(body.pop(CONFIGURATION)))
        references.graph.create_site(body, configuration)

    @override
    def update(self, change: Change, references: References) -> None:
        body = dict(change.after)
        wanted = body.pop(CONFIGURATION, "")
        reference = references.configuration_id(str(wanted)) if wanted else ""
        references.graph.update_site(change.identifier, body, reference)

    @override
    def delete(self, change: Change, references: References) -> None:
        references.graph.delete_site(change.identifier)

    @override
    def all(self, graph: AdminGraph) -> Sequence[TunnelSite]:
        found = graph.site_list(properties=("id", "displayName", "publicAddress", "upgradeAvailable"))
        return sorted(found, key=lambda item: item.display_name.casefold())

    @override
    def find(self, graph: AdminGraph, wanted: str) -> TunnelSite:
        return find_site(graph, wanted)

    @override
    def named(self, graph: AdminGraph, name: str) -> Sequence[TunnelSite]:
        return graph.site_list(name)

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
    return find_one("site", "site", wanted, graph.site, graph.site_list)


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
