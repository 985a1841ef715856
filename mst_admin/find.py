"""Find one object of the tenant by its name or its id."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from mst_admin.errors import NAME_AMBIGUOUS, NAME_UNKNOWN
from mstunnel_setup.base.errors import TenantError, UsageError
from mstunnel_setup.base.text import text
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


def require_name(what: str, wanted: str, command: str) -> None:
    """Raise UsageError `name-empty` for a blank name, which a lookup could take for any object."""
    if not wanted.strip():
        raise UsageError(
            "name-empty",
            "the name of the {kind} is empty",
            hint=(
                "Give a name or an id; `mst-admin {command} list` shows them. A shell variable may be unset."
            ),
            kind=what,
            command=command,
        )


def find_one(
    what: str,
    wanted: str,
    by_id: Callable[[str], Named | None],
    by_name: Callable[[str], Sequence[Named]],
) -> Named:
    """The one object with this name or id; `what` is a key of COMMANDS.

    Raises UsageError `name-empty`, TenantError `name-unknown` and `name-ambiguous`.
    """
    require_name(what, wanted, COMMANDS[what])
    found = by_id(wanted) if is_guid(wanted) else None
    if found is not None:
        return found
    named = by_name(wanted)
    if not named:
        place = "site" if what == "server" else "tenant"
        raise NAME_UNKNOWN(place=place, kind=what, name=wanted, command=COMMANDS[what])
    if len(named) > 1:
        ids = ", ".join(item.id for item in named)
        raise NAME_AMBIGUOUS(count=len(named), kind=what, name=wanted, ids=ids)
    return named[0]


def find_configuration(graph: AdminGraph, wanted: str) -> TunnelConfiguration:
    """The server configuration with this name or id. Raises what `find_one` raises."""
    return find_one(text("server configuration"), wanted, graph.configuration, graph.configurations)


def find_site(graph: AdminGraph, wanted: str) -> TunnelSite:
    """The site with this name or id. Raises what `find_one` raises."""
    return find_one("site", wanted, graph.site, graph.site_list)


def find_server(graph: AdminGraph, site_id: str, wanted: str) -> TunnelServer:
    """The server of a site with this name or id. Raises what `find_one` raises."""

    def called(name: str) -> list[TunnelServer]:
        return [item for item in graph.servers(site_id) if item.display_name.casefold() == name.casefold()]

    return find_one("server", wanted, lambda identifier: graph.server(site_id, identifier), called)


def find_threshold(graph: AdminGraph, metric: str) -> HealthThreshold:
    """The thresholds of a metric. Raises TenantError `metric-unknown`, naming those there are."""
    found = graph.thresholds()
    for item in found:
        if item.id.casefold() == metric.casefold():
            return item
    names = ", ".join(item.id for item in found)
    raise TenantError(
        "metric-unknown",
        "the tenant has no thresholds for the metric {metric}",
        hint="Use one of: {names}.",
        metric=metric,
        names=names,
    )
