"""An empty name, such as an unset shell variable, is an error even if only one object exists."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mstunnel_setup.base.errors import ExitCode
from mstunnel_setup.tenant.graph import SITES
from mstunnel_setup.tenant.graph_admin import CONFIGURATIONS, PROFILES
from tests.unit.mst_admin.labs import MstAdmin, Tenant, declare

SINGLE = """\
version: 1
configurations:
  - {name: Only, network: 169.254.0.0/16}
sites:
  - {name: Berlin, public_address: gw.lab.example, configuration: Only}
profiles:
  - {platform: android-work-profile, name: VPN, connection_name: Contoso, site: Berlin}
mam:
  - {name: Phones, platform: android, connection_name: Contoso, site: Berlin}
"""
LISTS = {
    "config": "configurations",
    "site": "sites",
    "profile": "profiles",
    "mam": "mam_tunnels",
    "app-config": "app_configurations",
}


@pytest.fixture
def single(command: Callable[[Tenant], MstAdmin], empty: Tenant, tmp_path: Path) -> MstAdmin:
    """Return an `mst-admin` for a lab with one object of each kind."""
    found = command(empty)
    found.done("apply", declare(tmp_path, SINGLE), "--no-resolve")
    return found


@pytest.mark.parametrize("name", ["", " "])
@pytest.mark.parametrize("kind", LISTS)
def test_nothing_is_deleted_without_a_name(single: MstAdmin, kind: str, name: str) -> None:
    before = single(kind, "list").data
    refused = single(kind, "delete", name, "--yes")
    assert (refused.code, refused.codes("errors")) == (ExitCode.USAGE, ["name-empty"])
    assert single(kind, "list").data == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("site", "request-upgrade", "", "--yes"),
        ("site", "show", ""),
        ("config", "update", "", "--port", "8443"),
        ("profile", "lint", ""),
        ("app", "show", ""),
        ("app", "delete", "", "--yes"),
        ("server", "list", "--site", ""),
        ("server", "show", "", "--site", "Berlin"),
        ("server", "delete", "gw1", "--site", "", "--yes"),
        ("servers", "--site", ""),
        ("health", ""),
    ],
    ids=" ".join,
)
def test_no_command_takes_an_empty_name_for_the_only_object(
    single: MstAdmin, arguments: tuple[str, ...]
) -> None:
    assert single(*arguments).codes("errors") == ["name-empty"]


def test_graph_is_asked_for_an_empty_name_and_not_for_all(single: MstAdmin) -> None:
    graph = single.tenant.graph()
    assert [*graph.objects(CONFIGURATIONS, ""), *graph.objects(SITES, ""), *graph.objects(PROFILES, "")] == []
    assert len(graph.objects(SITES)) == 1
