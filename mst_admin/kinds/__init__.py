"""The kinds of objects that declarations can contain, one class each, and the reader of a tenant."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from mst_admin.change import Change
from mst_admin.kinds.app import APP, read_apps
from mst_admin.kinds.app_configuration import APP_CONFIGURATION, read_app_configurations
from mst_admin.kinds.kind import CommandKind, FileKind, Kind, OptionKind
from mst_admin.kinds.mam import MAM, read_protections
from mst_admin.kinds.profile import PROFILE, TRUSTED_ROOT, read_profiles
from mst_admin.kinds.tenant import Declarations, TenantObjects
from mst_admin.kinds.tunnel import CONFIGURATION, SITE, THRESHOLD
from mst_admin.objects.app import PresentApp
from mstunnel_setup.tenant.graph import SITES
from mstunnel_setup.tenant.graph_admin import CONFIGURATIONS, MOBILE_APPS, AdminGraph

KINDS: Final[tuple[Kind[Any, Any], ...]] = (
    CONFIGURATION,
    SITE,
    THRESHOLD,
    TRUSTED_ROOT,
    PROFILE,
    APP,
    APP_CONFIGURATION,
    MAM,
)
"""The kinds, each of which refers only to earlier ones: the order of creation, reversed for deletion."""


OPTION_KINDS: Final[Mapping[str, OptionKind[Any, Any]]] = {
    kind.command: kind for kind in (CONFIGURATION, SITE)
}
"""The kinds whose objects are created from options, by the word after `mst-admin`."""
FILE_KINDS: Final[Mapping[str, FileKind[Any, Any]]] = {
    kind.command: kind for kind in (PROFILE, APP, APP_CONFIGURATION, MAM)
}
COMMAND_KINDS: Final[Mapping[str, CommandKind[Any, Any]]] = {
    **OPTION_KINDS,
    **FILE_KINDS,
    THRESHOLD.command: THRESHOLD,
}


def kind_of(change: Change) -> Kind[Any, Any]:
    """Return the kind of the object that a change is about."""
    return next(kind for kind in KINDS if kind.name == change.kind)


def read_tenant(
    graph: AdminGraph,
    sections: Collection[str] = Declarations.model_fields,
    apps: Collection[str] | None = None,
    mam: Collection[str] = (),
) -> TenantObjects:
    """Read the objects of these declaration sections, and always sites, configurations and thresholds.

    `apps` has the keys of the apps whose assignments are read; None means all that may use the tunnel. `mam`
    has names of Tunnel for MAM objects whose app protection is read even if no other part of them exists.
    """
    wanted = frozenset(sections)
    with_profiles = {"profiles", "trusted_roots", "apps", "mam"} & wanted
    profiles = tuple(read_profiles(graph)) if with_profiles else ()
    every = tuple(graph.objects(MOBILE_APPS)) if {"apps", "app_configurations"} & wanted else ()
    with_configurations = {"app_configurations", "mam"} & wanted
    configurations = tuple(read_app_configurations(graph, every)) if with_configurations else ()
    some = [app for app in every if apps is None or PresentApp(app).key in apps]
    return TenantObjects(
        tuple(graph.objects(CONFIGURATIONS)),
        tuple(graph.objects(SITES)),
        tuple(graph.thresholds()),
        profiles,
        every,
        tuple(read_apps(graph, some, profiles)) if "apps" in wanted else (),
        configurations,
        tuple(read_protections(graph, configurations, mam)) if "mam" in wanted else (),
    )
