"""Time and memory of the program with 5,000 sites, one of which has 5,000 servers.

`make bench` measures the absolute times of the same runs.
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
"""The expected output of each case, with the number of lines for lists."""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    """Return the large tenant, shared by all cases."""
    with large_tenant(tmp_path_factory.mktemp("large")) as tenant:
        yield tenant


@pytest.mark.parametrize("case", sample(CASES, kept=("list the servers of all sites",)))
def test_it_is_quick_and_small(large: Tenant, case: str) -> None:
    best = min(run(large, *CASES[case]) for _ in range(RUNS))
    name, lines = SHOWN[case]
    assert name in best.output
    assert not lines or len(best.output.splitlines()) == lines
    # The limit is relative to the program's start time on this machine; the largest list takes twice that.
    start = min(run(large, "schema").processor for _ in range(RUNS))
    assert best.processor < 4 * start
    assert best.megabytes < MEGABYTES
