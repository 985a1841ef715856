"""`mst-admin mam`: the work."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from mst_admin.apps.mam_objects import MamFile, MamObject
from mst_admin.apps.mam_policies import PresentMam, find_mam, mam_object
from mst_admin.apps.mam_rules import judge_mam
from mst_admin.carry_out import read_profiles, tunnel_profiles
from mst_admin.carry_out_apps import read_app_configurations
from mst_admin.carry_out_mam import read_protections
from mst_admin.change import Change
from mst_admin.file_commands import FileObjects
from mst_admin.find import find_site
from mst_admin.mam_changes import MamPolicies, mam_changes, mam_deletions, protection_names, roots_value
from mst_admin.plan import place_of
from mst_admin.profiles.lint import split_rules
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.text import text
from mstunnel_setup.tenant.graph_admin import AdminGraph


def _read(graph: AdminGraph, wanted: str) -> list[PresentMam]:
    policies, sites = _policies(graph), {site.id: site.display_name for site in graph.sites()}
    found = find_mam(policies.configurations, policies.protections, sites)
    return [
        item
        for item in found
        if not wanted or wanted.casefold() in {item.name.casefold(), item.id.casefold()}
    ]


def _policies(graph: AdminGraph, *declared: str) -> MamPolicies:
    configurations = list(read_app_configurations(graph, ()))
    names = protection_names(configurations, declared)
    return MamPolicies(configurations, list(read_protections(graph, names)))


def _judge(declared: MamObject, graph: AdminGraph | None) -> Iterable[Finding]:
    if graph is None:
        return judge_mam(declared)
    others = [mam_object(item) for item in _read(graph, "")]
    others = [item for item in others if item.name.casefold() != declared.name.casefold()]
    rules = split_rules(find_site(graph, declared.site))
    return judge_mam(declared, others, [*tunnel_profiles(graph)], split_rules=rules)


def _changes(declared: MamObject, _present: Sequence[PresentMam], graph: AdminGraph) -> Iterator[Change]:
    place = place_of(find_site(graph, declared.site))
    roots = roots_value(declared.trusted_roots, read_profiles(graph), ())
    return mam_changes(declared, place, roots, _policies(graph, declared.name))


MAM: Final = FileObjects[MamObject, PresentMam](
    what=text("tunnel for MAM"),
    key="mam_tunnel",
    command="mam",
    file=MamFile,
    empty=frozenset({("groups",), ("apps",)}),
    head=("NAME", "PLATFORM", "SITE", "ID"),
    row=lambda item: (item.name, *_platform_and_site(mam_object(item)), item.id),
    read=_read,
    search=lambda declared: declared.name,
    object_of=mam_object,
    judge=_judge,
    changes=_changes,
    deletion=mam_deletions,
)


def _platform_and_site(declared: MamObject) -> tuple[str, str]:
    return declared.platform, declared.site
