"""Server configurations."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from typing_extensions import override

from mst_admin.change import Body, Change, update_of
from mst_admin.kinds.kind import OptionKind, References, find_one
from mst_admin.kinds.tenant import Declarations, Planning, TenantObjects, names_of
from mst_admin.objects.configuration import (
    DEFAULT_SESSION_SECONDS,
    ConfigurationObject,
    changed,
    configuration_body,
    configuration_object,
    judge_configuration,
)
from mst_admin.objects.parts import without_empty
from mst_admin.objects.site import Resolve
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.text import text
from mstunnel_setup.tenant.graph_admin import AdminGraph
from mstunnel_setup.tenant.wire import TunnelConfiguration


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
    ) -> Change | None:
        body = configuration_body(declared)
        if present is None:
            return Change("create", self.name, declared.name, after=without_empty(body))
        before = configuration_body(configuration_object(present))
        return update_of(self.name, declared.name, present.id, before, changed(before, body))

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
        references.graph.create_configuration(change.after)

    @override
    def update(self, change: Change, references: References) -> None:
        references.graph.update_configuration(change.identifier, change.after)

    @override
    def delete(self, change: Change, references: References) -> None:
        references.graph.delete_configuration(change.identifier)

    @override
    def all(self, graph: AdminGraph) -> Sequence[TunnelConfiguration]:
        return sorted(graph.configurations(), key=lambda item: item.display_name.casefold())

    @override
    def find(self, graph: AdminGraph, wanted: str) -> TunnelConfiguration:
        return find_one(self.what, self.command, wanted, graph.configuration, graph.configurations)

    @override
    def named(self, graph: AdminGraph, name: str) -> Sequence[TunnelConfiguration]:
        return graph.configurations(name)

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
