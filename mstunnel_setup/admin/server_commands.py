"""Servers of a site: their records in the tenant."""

from mstunnel_setup.admin.change import Change
from mstunnel_setup.admin.errors import NAME_TAKEN, SERVER_NOT_INSTALLED
from mstunnel_setup.admin.find import find_server, find_site
from mstunnel_setup.admin.lines import details, result_of, table
from mstunnel_setup.admin.objects import ServerObject
from mstunnel_setup.admin.session import make_sure, open_tenant
from mstunnel_setup.answers.problems import validated
from mstunnel_setup.operator import Operator, Settings
from mstunnel_setup.result import Result


def list_servers(operator: Operator, settings: Settings, site: str) -> Result:
    """The servers of a site."""
    graph = open_tenant(operator, settings)
    found = graph.servers(find_site(graph, site).id)
    rows = [
        (
            item.display_name,
            item.tunnel_server_health_status or "",
            f"{item.last_checkin_date_time:%Y-%m-%d %H:%M}" if item.last_checkin_date_time else "never",
            item.id,
        )
        for item in found
    ]
    data = {"servers": [item.model_dump(mode="json", by_alias=True) for item in found]}
    head = ("NAME", "HEALTH", "LAST CHECK-IN", "ID")
    return Result(data=data, text=table(rows, head, "The site has no server yet."))


def show(operator: Operator, settings: Settings, site: str, wanted: str) -> Result:
    """One server."""
    graph = open_tenant(operator, settings)
    found = find_server(graph, find_site(graph, site).id, wanted)
    document = found.model_dump(mode="json", by_alias=True)
    return Result(data={"server": document}, text=details(document))


def create() -> Result:
    """Raises UsageError: a server is created by its installation."""
    raise SERVER_NOT_INSTALLED()


def update(operator: Operator, settings: Settings, site: str, wanted: str, name: str) -> Result:
    """Give a server another name. Raises TenantError `name-taken`."""
    declared = validated(ServerObject, {"name": name}).name
    graph = open_tenant(operator, settings)
    place = find_site(graph, site).id
    found = find_server(graph, place, wanted)
    if found.display_name == declared:
        return result_of(None, {"id": found.id})
    others = [item.display_name.casefold() for item in graph.servers(place) if item.id != found.id]
    if declared.casefold() in others:
        raise NAME_TAKEN(place="site", kind="server", name=declared, command="server update")
    graph.rename_server(place, found.id, declared)
    names = {"displayName": declared}, {"displayName": found.display_name}
    return result_of(Change("update", "server", found.display_name, found.id, *names), {"id": found.id})


def delete(operator: Operator, settings: Settings, site: str, wanted: str, *, yes: bool) -> Result:
    """Delete the record of a server that is gone."""
    graph = open_tenant(operator, settings)
    place = find_site(graph, site).id
    found = find_server(graph, place, wanted)
    make_sure(operator, f"Delete the record of the server {found.display_name} ({found.id})?", yes=yes)
    graph.delete_server(place, found.id)
    return result_of(Change("delete", "server", found.display_name, found.id), {"id": found.id})
