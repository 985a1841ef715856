"""Objects that others refer to: their ids by their names, which may be a moment old."""

import threading

from mst_admin.errors import NAME_UNKNOWN
from mst_admin.plan import only
from mstunnel_setup.base.text import text
from mstunnel_setup.tenant.graph_admin import AdminGraph


class References:
    """The ids of a tenant by name, each requested once however many objects and threads refer to it."""

    def __init__(self, graph: AdminGraph) -> None:
        self.graph = graph
        self._configurations: dict[str, str] = {}
        self._sites: dict[str, str] = {}
        self._lock = threading.Lock()

    def configuration_id(self, wanted: str) -> str:
        """The id of the server configuration with this name or id. Raises TenantError."""
        with self._lock:
            if wanted not in self._configurations:
                self._configurations[wanted] = _configuration_id(wanted, self.graph)
            return self._configurations[wanted]

    def site_id(self, wanted: str) -> str:
        """The id of the site with this name. Raises TenantError."""
        with self._lock:
            if wanted not in self._sites:
                self._sites[wanted] = _site_id(wanted, self.graph)
            return self._sites[wanted]


def _configuration_id(wanted: str, graph: AdminGraph) -> str:
    named = only(graph.configurations(wanted), wanted, text("server configuration"))
    found = named or next((item for item in graph.configurations() if item.id == wanted.lower()), None)
    if found is None:
        raise NAME_UNKNOWN(place="tenant", kind="server configuration", name=wanted, command="config")
    return found.id


def _site_id(wanted: str, graph: AdminGraph) -> str:
    found = only(graph.site_list(wanted), wanted, "site")
    if found is None:
        raise NAME_UNKNOWN(place="tenant", kind="site", name=wanted, command="site")
    return found.id
