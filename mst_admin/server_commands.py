"""Servers of a site: their records in the tenant."""

from collections.abc import Sequence

from mst_admin.change import Body, Change
from mst_admin.errors import NAME_TAKEN
from mst_admin.find import find_server, find_site
from mst_admin.fleet import Place, places
from mst_admin.lines import details, result_of, table
from mst_admin.objects import ServerObject
from mst_admin.session import make_sure, open_tenant
from mstunnel_setup.answers.document import validated
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import text
from mstunnel_setup.io.operator import Operator, Settings


def list_servers(operator: Operator, settings: Settings, site: str | None) -> Result:
    """The servers of a site, or of all sites."""
    found = places(open_tenant(operator, settings), site)
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
    if site is None:
        return Result(data=_listed(found), text=table(rows, head, text("No site has a server yet.")))
    own = [row[1:] for row in rows]
    return Result(data=_listed(found), text=table(own, head[1:], text("The site has no server yet.")))


def _listed(found: Sequence[Place]) -> Body:
    """Servers as Graph has them, each with its site."""
    return {
        "servers": [
            {
                **server.model_dump(mode="json", by_alias=True),
                "site": {"id": site.id, "displayName": site.display_name},
            }
            for site, server in found
        ]
    }


def show(operator: Operator, settings: Settings, site: str, wanted: str) -> Result:
    """One server."""
    graph = open_tenant(operator, settings)
    found = find_server(graph, find_site(graph, site).id, wanted)
    document = found.model_dump(mode="json", by_alias=True)
    return Result(data={"server": document}, text=details(document))


def create() -> Result:
    """Raises UsageError: a server is created by its installation."""
    raise UsageError(
        "server-not-installed",
        "a server is created by its installation, which gives it its own identity",
        hint="Run `mstunnel-setup --site NAME` on the server.",
    )


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
        raise NAME_TAKEN(place="site", kind="server", name=declared, command=text("server update"))
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
