"""A tenant with 5,000 sites, one of them with 5,000 servers: `mst-admin` by the clock, and its memory.

The limits hold on a machine that does nothing else; tests/unit/mst_admin/test_large_tenant.py bounds what the
processor does, which other work on the machine does not change.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mstunnel_lab.records import ServerRecord, SiteRecord
from mstunnel_lab.store import Store
from tests.bench.bar import Bar, bars
from tests.unit.mst_admin.labs import HERE, Tenant, running

NAME: Final = "large-tenant"
OBJECTS: Final = 5000
SECONDS: Final = 2.0
MEGABYTES: Final = 100
RUNS: Final = 3
SITE: Final = "Site 04321"
CASES: Final = {
    "list sites": ("site", "list"),
    "choose a site by name": ("site", "show", "site 04322"),
    "choose a site by id": ("site", "show", "00004321-0000-4000-8000-000000000000"),
    "list servers": ("server", "list", "--site", SITE),
    "list the servers of all sites": ("servers",),
    "choose a server by name": ("server", "show", "gateway 04321", "--site", SITE),
}
# The kernel's peak of this address space; ru_maxrss would also count the process that started it.
PROGRAM: Final = """
import sys
from mst_admin.cli import main
code = main()
print(next(line.split()[1] for line in open("/proc/self/status") if "VmHWM" in line), file=sys.stderr)
sys.exit(code)
"""


@contextmanager
def large_tenant(directory: Path) -> Iterator[Tenant]:
    """A lab with that many objects: put into its database, for one request for each would take minutes."""
    seed = directory / "seed.yaml"
    # A page is as large as the service makes it: Graph gives up to 999 objects at once.
    seed.write_text((HERE / "seed.yaml").read_text(encoding="utf-8") + "page_size: 999\n", encoding="utf-8")
    with running(directory / "lab", seed) as tenant:
        store = Store(directory / "lab" / "lab.sqlite")
        pattern = store.each(SiteRecord)[0]
        with store.transaction():
            for number in range(OBJECTS):
                update = {"id": _id(number, 8), "display_name": f"Site {number:05}"}
                store.add(pattern.model_copy(update=update))
            for number in range(OBJECTS):
                name, site = f"Gateway {number:05}", _id(4321, 8)
                store.add(ServerRecord(id=_id(number, 9), display_name=name, site_id=site), parent=site)
        store.close()
        yield tenant


def _id(number: int, kind: int) -> str:
    return f"{number:08}-0000-4000-{kind}000-000000000000"


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


def run(tenant: Tenant, *arguments: str) -> Run:
    """Run `mst-admin` against the tenant."""
    command = [sys.executable, "-c", PROGRAM, *arguments, "--answers", str(tenant.answers()), "--unattended"]
    started, used = time.monotonic(), _processor(tenant)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, used = time.monotonic() - started, _processor(tenant) - used
    return Run(used, seconds, int(done.stderr.split()[-1]) / 1024, done.stdout)


def _processor(tenant: Tenant) -> float:
    """Seconds that the lab and all children of this process that have ended were on a processor."""
    fields = Path(f"/proc/{tenant.facts['pid']}/stat").read_text().rpartition(")")[2].split()
    lab = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return lab + children.ru_utime + children.ru_stime


def measure() -> dict[str, Any]:
    """The median of the runs of each case."""
    figures: dict[str, Any] = {"limits": {"seconds": SECONDS, "megabytes": MEGABYTES}}
    found: list[Bar] = []
    with tempfile.TemporaryDirectory() as directory, large_tenant(Path(directory)) as tenant:
        for name, arguments in CASES.items():
            runs = [run(tenant, *arguments) for _ in range(RUNS)]
            clock = round(statistics.median(item.clock for item in runs), 2)
            megabytes = round(statistics.median(item.megabytes for item in runs))
            processor = round(statistics.median(item.processor for item in runs), 2)
            figures[name] = {"seconds": clock, "processor": processor, "megabytes": megabytes}
            about = f"`mst-admin`, {OBJECTS} objects: {name}"
            found.append(Bar(about, clock, SECONDS, "s"))
            found.append(Bar(f"{about}, memory", megabytes, MEGABYTES, "MB"))
    return {**figures, **bars(*found)}
