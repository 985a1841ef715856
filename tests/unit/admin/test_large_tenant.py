"""A tenant with 5,000 sites: listing and choosing by name, measured on the program as it is run."""

import json
import os
import resource
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pytest

from mstunnel_setup.lab.records import SiteRecord
from mstunnel_setup.lab.store import Store
from tests.unit.admin.labs import HERE, Tenant, running

SITES = 5000
SECONDS = 2.0
MEGABYTES = 100
# The kernel's peak of this address space; ru_maxrss would also count the test runner that started it.
PROGRAM = """
import sys
from mstunnel_setup.cli.admin import main
code = main()
print(next(line.split()[1] for line in open("/proc/self/status") if "VmHWM" in line), file=sys.stderr)
sys.exit(code)
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    """A lab with many sites: they are put into its database, one request for each would take minutes."""
    directory = tmp_path_factory.mktemp("large")
    seed = tmp_path_factory.mktemp("seed") / "seed.yaml"
    # A page is as large as the service makes it: Graph gives up to 999 objects at once.
    seed.write_text((HERE / "seed.yaml").read_text(encoding="utf-8") + "page_size: 999\n", encoding="utf-8")
    with running(directory, seed) as tenant:
        store = Store(directory / "lab.sqlite")
        pattern = store.each(SiteRecord)[0]
        with store.transaction():
            for number in range(SITES):
                update = {"id": str(uuid.uuid4()), "display_name": f"Site {number:05}"}
                store.add(pattern.model_copy(update=update))
        store.close()
        yield tenant


@dataclass(frozen=True, order=True)
class Run:
    """What a run took: processor seconds of command and tenant together, seconds by the clock, megabytes.

    The two take turns, so on a machine that does nothing else the first bounds the second; while other tests
    run, only the first says something about this program.
    """

    processor: float
    clock: float
    megabytes: float
    output: str


def _processor(tenant: Tenant) -> float:
    """Seconds that the lab and all children of this process that have ended were on a processor."""
    fields = Path(f"/proc/{tenant.facts['pid']}/stat").read_text().rpartition(")")[2].split()
    lab = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return lab + children.ru_utime + children.ru_stime


def _run(tenant: Tenant, *arguments: str) -> Run:
    command = [sys.executable, "-c", PROGRAM, *arguments, "--answers", str(tenant.answers()), "--unattended"]
    started, used = time.monotonic(), _processor(tenant)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, used = time.monotonic() - started, _processor(tenant) - used
    return Run(used, seconds, int(done.stderr.split()[-1]) / 1024, done.stdout)


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [(("site", "list"), SITES + 3), (("site", "show", "site 04321"), 0)],
    ids=["list", "choose by name"],
)
def test_it_is_quick_and_small(large: Tenant, arguments: tuple[str, ...], lines: int) -> None:
    runs = [_run(large, *arguments) for _ in range(3)]
    best = min(runs)
    assert "Site 04321" in best.output
    assert not lines or len(best.output.splitlines()) == lines
    print(json.dumps({"what": arguments, **asdict(replace(best, output=""))}))
    assert best.processor < SECONDS
    assert best.megabytes < MEGABYTES
