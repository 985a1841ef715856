"""`mst-admin app`: the work."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from mst_admin.app_changes import app_changes, app_deletion, require_profiles
from mst_admin.carry_out import read_profiles, tunnel_profiles
from mst_admin.carry_out_store import read_apps
from mst_admin.change import Change
from mst_admin.file_commands import FileObjects
from mst_admin.objects.app import (
    PresentApp,
    StoreAppFile,
    StoreAppObject,
    app_object,
    is_store_app,
    judge_app,
)
from mst_admin.present_profiles import profile_names
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.tenant.graph_admin import AdminGraph
from mstunnel_setup.tenant.graph_apps import MOBILE_APPS


def _read(graph: AdminGraph, wanted: str) -> list[PresentApp]:
    """All apps that declarations can speak about, or those with this name, id, or id in a store."""
    key, found = wanted.casefold(), []
    for app in graph.app_objects(MOBILE_APPS):
        plain = PresentApp(app)
        names = {app.id, app.display_name.casefold(), app.identifier.casefold(), plain.key}
        if is_store_app(app) and (not wanted or key in names):
            found.append(app)
    return list(read_apps(graph, found, profile_names(read_profiles(graph))))


def _judge(declared: StoreAppObject, graph: AdminGraph | None) -> Iterable[Finding]:
    return judge_app(declared, tunnel_profiles(graph) if graph else ())


def _changes(declared: StoreAppObject, present: Sequence[PresentApp], graph: AdminGraph) -> Iterator[Change]:
    require_profiles(declared, [item.name for item in tunnel_profiles(graph)])
    yield from app_changes(declared, present)


APPS: Final = FileObjects[StoreAppObject, PresentApp](
    what="app",
    key="app",
    command="app",
    file=StoreAppFile,
    empty=frozenset({("assignments",)}),
    head=("NAME", "PLATFORM", "PACKAGE OR BUNDLE", "ID"),
    row=lambda item: (item.name, "ios" if item.is_ios else "android", item.found.identifier, item.id),
    read=_read,
    search=lambda declared: declared.key,
    object_of=app_object,
    judge=_judge,
    changes=_changes,
    deletion=lambda present: [app_deletion(present)],
)
