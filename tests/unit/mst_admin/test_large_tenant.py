"""A tenant with 5,000 sites, one of them with 5,000 servers, measured on the program as it is run.

`make bench` holds the same runs to the clock.
"""

from collections.abc import Iterator

import pytest

from tests.bench.large_tenant import CASES, MEGABYTES, OBJECTS, RUNS, SITE, large_tenant, run
from tests.parameters import sample
from tests.unit.mst_admin.labs import Tenant

SHOWN = {
    "list sites": (SITE, OBJECTS + 3),
    "choose a site by name": ("Site 04322", 0),
    "choose a site by id": (SITE, 0),
    "list servers": ("Gateway 04321", OBJECTS + 1),
    "list the servers of all sites": ("Gateway 04321", OBJECTS + 3),
    "choose a server by name": ("Gateway 04321", 0),
}
"""What a case shows, and how many lines it has where it is a list."""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    """The tenant, for all cases."""
    with large_tenant(tmp_path_factory.mktemp("large")) as tenant:
        yield tenant


@pytest.mark.parametrize("case", sample(CASES, kept=("list the servers of all sites",)))
def test_it_is_quick_and_small(large: Tenant, case: str) -> None:
    best = min(run(large, *CASES[case]) for _ in range(RUNS))
    name, lines = SHOWN[case]
    assert name in best.output
    assert not lines or len(best.output.splitlines()) == lines
    # By what the program's start takes on this machine now; the largest list takes twice that.
    start = min(run(large, "schema").processor for _ in range(RUNS))
    assert best.processor < 4 * start
    assert best.megabytes < MEGABYTES
