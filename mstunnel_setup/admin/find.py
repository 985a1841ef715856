"""Find one object of the tenant by its name or its id."""

from collections.abc import Sequence
from typing import Final, TypeVar

from mstunnel_setup.admin.errors import METRIC_UNKNOWN, NAME_AMBIGUOUS, NAME_UNKNOWN
from mstunnel_setup.tenant.graph import is_guid
from mstunnel_setup.tenant.graph_admin import AdminGraph
from mstunnel_setup.tenant.wire import (
    DeviceConfiguration,
    HealthThreshold,
    TunnelConfiguration,
    TunnelServer,
    TunnelSite,
)

COMMANDS: Final = {
    "server configuration": "config",
    "site": "site",
    "server": "server",
    "profile": "profile",
}
"""The `mst-admin` command for each kind of object."""

Named = TypeVar("Named", TunnelConfiguration, TunnelSite, TunnelServer, DeviceConfiguration)


def chosen(what: str, wanted: str, by_name: Sequence[Named], by_id: Named | None) -> Named:
    """The one object with this name or id; `what` is a key of COMMANDS.

    Raises TenantError `name-unknown` and `name-ambiguous`.
    """
    if by_id is not None:
        return by_id
    if not by_name:
        place = "site" if what == "server" else "tenant"
        raise NAME_UNKNOWN(place=place, kind=what, name=wanted, command=COMMANDS[what])
    if len(by_name) > 1:
        ids = ", ".join(item.id for item in by_name)
        raise NAME_AMBIGUOUS(count=len(by_name), kind=what, name=wanted, ids=ids)
    return by_name[0]


def find_configuration(graph: AdminGraph, wanted: str) -> TunnelConfiguration:
    """The server configuration with this name or id. Raises TenantError."""
    by_id = graph.configuration(wanted) if is_guid(wanted) else None
    return chosen("server configuration", wanted, [] if by_id else graph.configurations(wanted), by_id)


def find_site(graph: AdminGraph, wanted: str) -> TunnelSite:
    """The site with this name or id. Raises TenantError."""
    by_id = graph.site(wanted) if is_guid(wanted) else None
    return chosen("site", wanted, [] if by_id else graph.site_list(wanted), by_id)


def find_server(graph: AdminGraph, site_id: str, wanted: str) -> TunnelServer:
    """The server of a site with this name or id. Raises TenantError."""
    by_id = graph.server(site_id, wanted) if is_guid(wanted) else None
    named = [item for item in graph.servers(site_id) if item.display_name.casefold() == wanted.casefold()]
    return chosen("server", wanted, named, by_id)


def find_threshold(graph: AdminGraph, metric: str) -> HealthThreshold:
    """The thresholds of a metric. Raises TenantError `metric-unknown`, naming those there are."""
    found = graph.thresholds()
    for item in found:
        if item.id.casefold() == metric.casefold():
            return item
    names = ", ".join(item.id for item in found)
    raise METRIC_UNKNOWN(metric=metric, names=names)
