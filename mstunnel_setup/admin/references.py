"""Objects that others refer to: their ids by their names, which may be a moment old."""

from mstunnel_setup.admin.errors import NAME_UNKNOWN
from mstunnel_setup.admin.plan import only
from mstunnel_setup.tenant.graph_admin import AdminGraph


def configuration_id(wanted: str, graph: AdminGraph) -> str:
    """The id of the server configuration with this name or id. Raises TenantError."""
    named = only(graph.configurations(wanted), wanted, "server configuration")
    found = named or next((item for item in graph.configurations() if item.id == wanted.lower()), None)
    if found is None:
        raise NAME_UNKNOWN(place="tenant", kind="server configuration", name=wanted, command="config")
    return found.id


def site_id(wanted: str, graph: AdminGraph) -> str:
    """The id of the site with this name. Raises TenantError."""
    found = only(graph.site_list(wanted), wanted, "site")
    if found is None:
        raise NAME_UNKNOWN(place="tenant", kind="site", name=wanted, command="site")
    return found.id
