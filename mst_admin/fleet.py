"""The servers of all sites as the tenant has them, read with few requests."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import wait
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeVar

from mst_admin.errors import NAME_AMBIGUOUS, NAME_UNKNOWN
from mst_admin.find import find_server, find_site, require_name
from mstunnel_setup import __version__
from mstunnel_setup.base.errors import NetworkError, SetupError, TenantError
from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.text import text
from mstunnel_setup.containers.release_images import release_images
from mstunnel_setup.exchange.releases import Catalogue, Digests
from mstunnel_setup.io.threads import DaemonPool
from mstunnel_setup.tenant.graph_admin import AdminGraph
from mstunnel_setup.tenant.wire import TunnelServer, TunnelSite

_AT_ONCE: Final = 8
_LOOK_SECONDS: Final = 0.5
_NAMED: Final = 5
Item = TypeVar("Item")
Made = TypeVar("Made")


class Place(NamedTuple):
    """A server and its site."""

    site: TunnelSite
    server: TunnelServer


@dataclass(frozen=True)
class Seen:
    """A server with the last figures of its metrics, by row; `problem` is why the tenant gave none."""

    place: Place
    figures: Mapping[str, int] = field(default_factory=dict)
    problem: SetupError | None = None


def at_once(work: Callable[[Item], Made], items: Iterable[Item]) -> list[Made]:
    """`work` on each item, a few at a time: the tenant throttles more. Raises what one of them raises.

    Ctrl-C does not wait for the requests that are under way.
    """
    with DaemonPool(_AT_ONCE) as pool:
        running = [pool.submit(work, item) for item in items]
        # Python sees a signal that comes just before a wait when that ends.
        while wait(running, timeout=_LOOK_SECONDS).not_done:
            pass
        return [each.result() for each in running]


def places(graph: AdminGraph, site: str | None) -> list[Place]:
    """The servers of one site, or of all, ordered by name. Raises what `find_one` of `find` raises."""
    if site is None:
        found = [Place(*each) for each in graph.all_servers()]
    else:
        one = find_site(graph, site)
        found = [Place(one, server) for server in graph.servers(one.id)]
    return sorted(found, key=_names)


def find_place(graph: AdminGraph, site: str | None, wanted: str) -> Place:
    """The server with this name or id, of a site or of all. Raises what `find.find_one` raises."""
    require_name("server", wanted, "server")
    if site is not None:
        one = find_site(graph, site)
        return Place(one, find_server(graph, one.id, wanted))
    key = wanted.casefold()
    found = [
        place
        for place in places(graph, None)
        if key in {place.server.id.casefold(), place.server.display_name.casefold()}
    ]
    if not found:
        raise NAME_UNKNOWN(place="tenant", kind="server", name=wanted, command="server")
    if len(found) > 1:
        ids = ", ".join(
            text("{id} ({display_name})", id=item.server.id, display_name=item.site.display_name)
            for item in found
        )
        raise NAME_AMBIGUOUS(count=len(found), kind="server", name=wanted, ids=ids)
    return found[0]


def look(graph: AdminGraph, place: Place, names: Mapping[str, str]) -> Seen:
    """A server with its figures; `names` are those of the metrics in Graph, by row. Raises SignInError."""
    if place.server.last_checkin_date_time is None:
        return Seen(place)
    try:
        found = graph.metrics(place.site.id, place.server.id, names.values())
    except (NetworkError, TenantError) as error:
        return Seen(place, problem=error)
    return Seen(place, {row: found[name] for row, name in names.items() if name in found})


def missing_figures(seen: Sequence[Seen]) -> tuple[Problem, ...]:
    """The warning about servers whose figures the tenant did not give, if there are any."""
    without = [item for item in seen if item.problem is not None]
    if not without:
        return ()
    names = [item.place.server.display_name for item in without]
    more = text(" and {named} more", named=len(names) - _NAMED) if len(names) > _NAMED else ""
    reason = str(without[0].problem)
    return (
        warning(
            "figures-missing",
            "the tenant did not return the metrics of {servers}: {reason}",
            hint="Run the command again; until then they are shown as unknown.",
            servers=", ".join(names[:_NAMED]) + more,
            reason=reason,
        ),
    )


def release_of(server: TunnelServer, known: Catalogue) -> str | None:
    """The name of the release that a server runs; None when its images are no known release."""
    if server.server_image_digest is None or server.agent_image_digest is None:
        return None
    digests, own = Digests(server.server_image_digest, server.agent_image_digest), release_images()
    if named := known.named(digests):
        return named[0].name
    return __version__ if own and Digests(own.gateway, own.agent) == digests else None


def _names(place: Place) -> tuple[str, str]:
    return place.site.display_name.casefold(), place.server.display_name.casefold()
