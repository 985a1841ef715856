"""Doing planned changes in a tenant."""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from mst_admin.apps.app_wire import PresentApp
from mst_admin.assignments import ASSIGNMENTS, TYPE
from mst_admin.carry_out_apps import (
    create_app_configuration,
    delete_app_configuration,
    read_app_configurations,
    update_app_configuration,
)
from mst_admin.carry_out_mam import create_protection, delete_protection, read_protections, update_protection
from mst_admin.carry_out_store import create_app, delete_app, read_apps, update_app
from mst_admin.change import CONFIGURATION, Body, Change
from mst_admin.mam_changes import protection_names
from mst_admin.objects import Declarations
from mst_admin.plan import Tenant
from mst_admin.present_profiles import PresentProfile, is_tunnel, profile_names
from mst_admin.profile_changes import SITE, SITE_ID
from mst_admin.profiles.objects import ProfileObject
from mst_admin.profiles.present import is_tunnel_profile, profile_object
from mst_admin.profiles.wire import ROOT_TYPES
from mst_admin.references import References
from mstunnel_setup.base.text import text
from mstunnel_setup.tenant.graph_admin import AdminGraph
from mstunnel_setup.tenant.graph_apps import MOBILE_APPS


def read_tenant(
    graph: AdminGraph,
    sections: Collection[str] = Declarations.model_fields,
    apps: Collection[str] | None = None,
    mam: Collection[str] = (),
) -> Tenant:
    """What these sections of declarations can hold, as the tenant has it now; sites and their like always.

    `apps` are the keys of those whose assignments are read, None: all that may be about the tunnel. `mam` are
    the names of Tunnel for MAM whose app protection is read also where the tenant has nothing else of it.
    """
    known = frozenset(sections)
    profiles = tuple(read_profiles(graph)) if {"profiles", "trusted_roots", "apps", "mam"} & known else ()
    every = tuple(graph.app_objects(MOBILE_APPS)) if {"apps", "app_configurations"} & known else ()
    has_configurations = bool({"app_configurations", "mam"} & known)
    configurations = tuple(read_app_configurations(graph, every)) if has_configurations else ()
    wanted = [app for app in every if apps is None or PresentApp(app).key in apps]
    return Tenant(
        tuple(graph.configurations()),
        tuple(graph.site_list()),
        tuple(graph.thresholds()),
        profiles,
        every,
        tuple(read_apps(graph, wanted, profile_names(profiles))) if "apps" in sections else (),
        configurations,
        tuple(read_protections(graph, protection_names(configurations, mam))) if "mam" in sections else (),
    )


def read_profiles(graph: AdminGraph, name: str | None = None) -> Iterator[PresentProfile]:
    """The VPN profiles for Microsoft Tunnel and the trusted roots, or those called `name`."""
    for found in graph.profiles(name):
        if is_tunnel_profile(found) or found.odata_type in ROOT_TYPES:
            yield PresentProfile(found, tuple(graph.assignments(found.id)))


def tunnel_profiles(graph: AdminGraph) -> Iterator[ProfileObject]:
    """The VPN profiles for Microsoft Tunnel as they would be written."""
    for item in read_profiles(graph):
        if is_tunnel(item):
            yield profile_object(item.found, item.assignments)


def carry_out(changes: Sequence[Change], graph: AdminGraph) -> None:
    """Do the changes one after the other; the first refusal ends it. Raises TenantError and its like."""
    references = References(graph)
    for change in changes:
        carry_out_one(change, references)


def carry_out_one(change: Change, references: References) -> None:
    """Do one change. Raises TenantError and its like."""
    doer = _DOERS.get((change.kind, change.verb))
    if doer is None:
        _REFERRING[change.kind, change.verb](change, references)
    else:
        doer(change, references.graph)


def _create_site(change: Change, references: References) -> None:
    configuration = references.configuration_id(str(change.after[CONFIGURATION]))
    references.graph.create_site(_without_reference(change), configuration)


def _update_site(change: Change, references: References) -> None:
    wanted = change.after.get(CONFIGURATION)
    reference = references.configuration_id(str(wanted)) if wanted else ""
    references.graph.update_site(change.identifier, _without_reference(change), reference)


def _create_profile(change: Change, references: References) -> None:
    created = references.graph.create_profile(_profile_body(change, references))
    references.graph.assign(created.id, change.after[ASSIGNMENTS])


def _update_profile(change: Change, references: References) -> None:
    body, graph = _profile_body(change, references), references.graph
    if body:
        graph.update_profile(change.identifier, {**body, TYPE: change.before[TYPE]})
    if ASSIGNMENTS in change.after:
        graph.assign(change.identifier, change.after[ASSIGNMENTS])


def _profile_body(change: Change, references: References) -> Body:
    """The properties to write; the site by its id, which it may have been given a moment ago."""
    body = {name: value for name, value in change.after.items() if name not in {ASSIGNMENTS, SITE}}
    if SITE in change.after:
        body[SITE_ID] = references.site_id(str(change.after[SITE]))
    return body


_REFERRING: dict[tuple[str, str], Callable[[Change, References], Any]] = {
    ("site", "create"): _create_site,
    ("site", "update"): _update_site,
    ("profile", "create"): _create_profile,
    ("profile", "update"): _update_profile,
    (text("trusted root"), "create"): _create_profile,
    (text("trusted root"), "update"): _update_profile,
    (text("app configuration"), "create"): create_app_configuration,
    (text("app configuration"), "update"): update_app_configuration,
}
"""Changes of what refers to other objects by their names."""
_DOERS: dict[tuple[str, str], Callable[[Change, AdminGraph], Any]] = {
    ("configuration", "create"): lambda change, graph: graph.create_configuration(change.after),
    ("configuration", "update"): lambda change, graph: graph.update_configuration(
        change.identifier, change.after
    ),
    ("configuration", "delete"): lambda change, graph: graph.delete_configuration(change.identifier),
    ("site", "delete"): lambda change, graph: graph.delete_site(change.identifier),
    ("threshold", "create"): lambda change, graph: graph.create_threshold(
        {"id": change.name, **change.after}
    ),
    ("threshold", "update"): lambda change, graph: graph.update_threshold(change.identifier, change.after),
    ("threshold", "delete"): lambda change, graph: graph.delete_threshold(change.identifier),
    ("profile", "delete"): lambda change, graph: graph.delete_profile(change.identifier),
    (text("trusted root"), "delete"): lambda change, graph: graph.delete_profile(change.identifier),
    ("app", "create"): create_app,
    ("app", "update"): update_app,
    ("app", "delete"): delete_app,
    (text("app configuration"), "delete"): delete_app_configuration,
    (text("app protection"), "create"): create_protection,
    (text("app protection"), "update"): update_protection,
    (text("app protection"), "delete"): delete_protection,
}


def _without_reference(change: Change) -> Body:
    return {name: value for name, value in change.after.items() if name != CONFIGURATION}
