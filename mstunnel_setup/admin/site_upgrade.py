"""Approval of the upgrade of a site."""

from mstunnel_setup.admin.find import find_site
from mstunnel_setup.admin.session import make_sure, open_tenant
from mstunnel_setup.operator import Operator, Settings
from mstunnel_setup.result import Result


def request_upgrade(operator: Operator, settings: Settings, wanted: str, *, yes: bool) -> Result:
    """Approve the upgrade of all servers of a site, after asking; Graph cannot revoke it."""
    graph = open_tenant(operator, settings)
    found = find_site(graph, wanted)
    if found.upgrade_available is False:
        text = [f"No server of the site {found.display_name} can be upgraded: nothing was approved."]
        return Result("unchanged", {"id": found.id}, text=text)
    make_sure(
        operator, f"Upgrade all servers of the site {found.display_name}? It cannot be undone.", yes=yes
    )
    graph.request_upgrade(found.id)
    text = [f"The upgrade of the site {found.display_name} is approved."]
    return Result("changed", {"id": found.id}, text=text)
