"""`mst-admin app-config`: the work."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from mst_admin.app_configuration_changes import (
    app_configuration_changes,
    app_configuration_deletion,
    require_app,
)
from mst_admin.apps.objects import AppConfigurationFile, AppConfigurationObject
from mst_admin.apps.rules import judge_app_configuration
from mst_admin.apps.wire import PresentAppConfiguration, app_configuration_object, is_about_tunnel
from mst_admin.carry_out import tunnel_profiles
from mst_admin.carry_out_apps import read_app_configurations
from mst_admin.change import Change
from mst_admin.file_commands import FileObjects
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.text import text
from mstunnel_setup.tenant.graph_admin import AdminGraph
from mstunnel_setup.tenant.graph_apps import MOBILE_APPS


def _read(graph: AdminGraph, wanted: str) -> list[PresentAppConfiguration]:
    found = read_app_configurations(graph, graph.app_objects(MOBILE_APPS), wanted)
    return [item for item in found if wanted or is_about_tunnel(item)]


def _judge(declared: AppConfigurationObject, graph: AdminGraph | None) -> Iterable[Finding]:
    return judge_app_configuration(declared, tunnel_profiles(graph) if graph else ())


def _changes(
    declared: AppConfigurationObject, present: Sequence[PresentAppConfiguration], graph: AdminGraph
) -> Iterator[Change]:
    require_app(declared, graph.app_objects(MOBILE_APPS))
    yield from app_configuration_changes(declared, present)


APP_CONFIGURATIONS: Final = FileObjects[AppConfigurationObject, PresentAppConfiguration](
    what=text("app configuration"),
    key="app_configuration",
    command="app-config",
    file=AppConfigurationFile,
    empty=frozenset({("settings",), ("groups",)}),
    head=("NAME", "CHANNEL", "PLATFORM", "ID"),
    row=lambda item: (item.name, item.channel, item.declared.platform, item.id),
    read=_read,
    search=lambda declared: declared.name,
    object_of=app_configuration_object,
    judge=_judge,
    changes=_changes,
    deletion=lambda present: [app_configuration_deletion(present)],
)
