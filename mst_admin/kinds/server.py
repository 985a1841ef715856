"""Servers of a site: their records in the tenant."""

from functools import partial
from typing import NamedTuple

from pydantic import Field

from mst_admin.change import Change
from mst_admin.errors import NAME_AMBIGUOUS, NAME_TAKEN, NAME_UNKNOWN
from mst_admin.kinds.kind import find_one, require_name
from mst_admin.kinds.tunnel import SITE
from mst_admin.objects.parts import Trimmed
from mst_admin.results import details, result_of, table
from mst_admin.session import make_sure, open_tenant
from mstunnel_setup.answers.document import validated
from mstunnel_setup.answers.values import Line
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import text
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.tenant.graph_admin import AdminGraph
from mstunnel_setup.tenant.wire import TunnelServer, TunnelSite


class ServerObject(Trimmed):
    """What an administrator may change of a server."""

    name: Line = Field(description="Name")


class ServerPlace(NamedTuple):
    """A server and its site."""

    site: TunnelSite
    server: TunnelServer


def find_server(graph: AdminGraph, site_id: str, wanted: str) -> TunnelServer:
    """The server of a site with this name or id. Raises what `find_one` raises."""

    def called(name: str) -> list[TunnelServer]:
        return [item for item in graph.servers(site_id) if item.display_name.casefold() == name.casefold()]

    with_id = partial(graph.server, site_id)
    return find_one("server", "server", wanted, with_id, called, place="site")


def places(graph: AdminGraph, site: str | None) -> list[ServerPlace]:
    """The servers of one site, or of all, ordered by name. Raises what `find_one` raises."""
    if site is None:
        found = [ServerPlace(*each) for each in graph.all_servers()]
    else:
        one = SITE.find(graph, site)
        found = [ServerPlace(one, server) for server in graph.servers(one.id)]
    return sorted(
        found, key=lambda item: (item.site.display_name.casefold(), item.server.display_name.casefold())
    )


def find_place(graph: AdminGraph, site: str | None, wanted: str) -> ServerPlace:
    """The server with this name or id, of a site or of all. Raises what `find_one` raises."""
    require_name("server", wanted, "server")
    if site is not None:
        one = SITE.find(graph, site)
        return ServerPlace(one, find_server(graph, one.id, wanted))
    key = wanted.casefold()
    found = [
        place
        for place in places(graph, None)
        if key in {place.server.id.casefold(), place.server.display_name.casefold()}
    ]
    if not found:
        raise NAME_UNKNOWN(place="tenant", kind="server", name=wanted, command="server")
    if len(found) > 1:
        known = ((item.server.id, item.site.display_name) for item in found)
        ids = ", ".join(text("{id} ({site})", id=identifier, site=name) for identifier, name in known)
        raise NAME_AMBIGUOUS(count=len(found), kind="server", name=wanted, ids=ids)
    return found[0]


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
    lines = table(rows, head, text("No site has a server yet."))
    if site is not None:
        lines = table([row[1:] for row in rows], head[1:], text("The site has no server yet."))
    servers = [
        {**server.document(), "site": {"id": place.id, "displayName": place.display_name}}
        for place, server in found
    ]
    return Result(data={"servers": servers}, text=lines)


def show(operator: Operator, settings: Settings, site: str, wanted: str) -> Result:
    """One server."""
    graph = open_tenant(operator, settings)
    found = find_server(graph, SITE.find(graph, site).id, wanted)
    document = found.document()
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
    place = SITE.find(graph, site).id
    found = find_server(graph, place, wanted)
    if found.display_name == declared:
        return result_of([], {"id": found.id})
    others = [item.display_name.casefold() for item in graph.servers(place) if item.id != found.id]
    if declared.casefold() in others:
        raise NAME_TAKEN(place="site", kind="server", name=declared, command=text("server update"))
    graph.update_server(place, found.id, TunnelServer(display_name=declared))
    names = {"displayName": declared}, {"displayName": found.display_name}
    return result_of([Change("update", "server", found.display_name, found.id, *names)], {"id": found.id})


def delete(operator: Operator, settings: Settings, site: str, wanted: str, *, yes: bool) -> Result:
    """Delete the record of a server that is gone."""
    graph = open_tenant(operator, settings)
    place = SITE.find(graph, site).id
    found = find_server(graph, place, wanted)
    make_sure(operator, f"Delete the record of the server {found.display_name} ({found.id})?", yes=yes)
    graph.delete_server(place, found.id)
    return result_of([Change("delete", "server", found.display_name, found.id)], {"id": found.id})
