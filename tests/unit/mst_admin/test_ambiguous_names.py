"""A name that two objects of the tenant have is never guessed: the error names both ids."""

from collections.abc import Iterator

import pytest

from mstunnel_setup.tenant.graph import SITES
from mstunnel_setup.tenant.graph_admin import CONFIGURATIONS, configuration_reference
from tests.unit.mst_admin.labs import MstAdmin


@pytest.fixture
def twins(admin: MstAdmin) -> Iterator[dict[str, tuple[str, str]]]:
    """Two sites and two server configurations with one name each; their ids."""
    graph = admin.tenant.graph()
    (berlin,) = graph.objects(SITES, "Berlin")
    (main,) = graph.objects(CONFIGURATIONS, "Main")
    body = {"displayName": "Berlin", "publicAddress": "b.lab.example", **configuration_reference(main.id)}
    site = graph.create(SITES, body)
    configuration = graph.create(
        CONFIGURATIONS, {"displayName": "Main", "network": "10.9.0.0/16", "listenPort": 443}
    )
    yield {"site": (berlin.id, site.id), "config": (main.id, configuration.id)}
    graph.delete(SITES, site.id)
    graph.delete(CONFIGURATIONS, configuration.id)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("site", ("site", "show", "Berlin")),
        ("site", ("site", "update", "Berlin", "--auto-upgrade")),
        ("config", ("config", "show", "Main")),
        ("config", ("config", "update", "Main", "--session-timeout", "3600")),
        ("site", ("server", "list", "--site", "Berlin")),
    ],
)
def test_a_name_that_two_objects_have_is_refused_with_both_ids(
    admin: MstAdmin, twins: dict[str, tuple[str, str]], kind: str, words: tuple[str, ...]
) -> None:
    found = admin(*words)
    assert found.codes("errors") == ["name-ambiguous"]
    shown = str(found.envelope["errors"])
    assert [identifier in shown for identifier in twins[kind]] == [True, True]
