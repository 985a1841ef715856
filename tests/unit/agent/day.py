"""A day of an agent, in a separate process: real code, real HTTP, a clock that only sleeps advance.

`day.py ROOT HOURS` serves a misbehaving tenant in a second process and prints a report as JSON.
"""

import gc
import json
import multiprocessing
import sys
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from mstunnel_setup.agent.health_watch import HealthWatch, ask_registry
from mstunnel_setup.agent.loop import Agent
from mstunnel_setup.agent.metrics import Counters
from mstunnel_setup.agent.tenant import Renewal, enrol
from mstunnel_setup.base import paths
from mstunnel_setup.base.log_line import LogLine
from mstunnel_setup.exchange import mailbox
from mstunnel_setup.exchange.health_report import write_status
from mstunnel_setup.exchange.mailbox import UPGRADE, AgentRequest
from mstunnel_setup.exchange.release_catalogue import Digests, Release
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from tests.unit.agent.fakes import SERVER, SITE, host_side
from tests.unit.agent.misbehaving import Tenant, misbehaving
from tests.unit.tenant.credentials import write_pfx


class Over(BaseException):
    """The end of the day."""


@dataclass
class Host:
    """The host's part of the mailbox: it offers a release at half past each hour and obeys requests."""

    files: Files
    image: str
    offered: int = 0
    taken: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        for directory in (paths.INBOX, paths.OUTBOX):
            self.files.make_directories(directory)
        self._run(digests(0))

    def look(self, hours: float) -> None:
        """Take the agent's request, if any, and offer the releases published since."""
        if self.files.state(UPGRADE.request) is not None:
            asked = AgentRequest(UPGRADE, self.files.read(UPGRADE.request) or b"").images()
            self.files.remove(UPGRADE.request)
            self.taken.append(int(asked.server[7:], 16))
            self._run(asked)
        if int(hours + 0.5) > self.offered:
            self.offered = int(hours + 0.5)
            found = digests(self.offered)
            release = Release(published=date(2026, 1, 1), server=found.server, agent=found.agent)
            self.files.write(mailbox.OFFER, release.model_dump_json().encode())

    def _run(self, found: Digests) -> None:
        images = {"serverImageName": self.image, "serverImageDigest": found.server}
        document = json.dumps({**images, "agentImageDigest": found.agent})
        self.files.write(paths.IMAGES_CONFIGURED, document.encode())


def digests(number: int) -> Digests:
    return Digests(f"sha256:{number:064x}", f"sha256:{number:064x}")


@dataclass
class DayClock(Clock):
    """A clock that sleeps at once, tells the tenant the time, and notes the state at each hour's end."""

    tenant: Connection
    hours: float
    files: Files
    host: Host
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    elapsed: float = 0.0
    ends: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.monitor = host_side(self.files, self)

    def now(self) -> datetime:
        return self.started + timedelta(seconds=self.elapsed)

    def monotonic(self) -> float:
        return self.elapsed

    def sleep(self, seconds: float) -> None:
        before, self.elapsed = self.elapsed, self.elapsed + seconds
        self.tenant.send(self.elapsed / 60)
        state = self.tenant.recv()
        self.host.look(self.elapsed / 3600)
        self.monitor.look()
        if int(self.elapsed // 3600) > int(before // 3600):
            self.ends.append({**state, **self._here(), "offered": self.host.offered})
        if self.elapsed >= 3600 * self.hours:
            raise Over

    def _here(self) -> dict[str, Any]:
        gc.collect()
        conf = (self.files.read(paths.OCSERV_CONF) or b"").decode()
        network = next((line for line in conf.splitlines() if line.startswith("ipv4-network")), "")
        return {"network": network.rpartition(" ")[2], "rss": resident(), "objects": sys.getallocatedblocks()}


def resident() -> int:
    """Return the bytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def serve(pipe: Connection, roots: Path) -> None:
    """Run the tenant's process."""
    tenant = Tenant()
    with misbehaving(tenant, roots) as port:
        pipe.send(port)
        while (minutes := pipe.recv()) is not None:
            wanted = tenant.changes
            tenant.at(minutes)
            # A change from before this sleep must have arrived, but not one made during it.
            pipe.send({"wanted": wanted, "requests": tenant.requests, "check_ins": tenant.check_ins})
        pipe.send({"requests": tenant.requests, "failed": tenant.failed, "check_ins": tenant.check_ins})


def install(root: Path, port: int) -> Files:
    """Write the files that the set-up leaves for an agent."""
    files = Files(root)
    where = {"Authority": f"https://localhost:{port}/tenant", "Graph": f"https://localhost:{port}"}
    info = {"AgentId": SITE, "AADTenantId": SERVER, "Cloud": "custom", **where}
    files.write(paths.AGENT_INFO, json.dumps(info).encode())
    files.write(paths.AGENT_SETTINGS, json.dumps({"SiteId": SITE, "ServerId": SERVER}).encode())
    write_pfx(files.locate(paths.AGENT_CREDENTIAL))
    files.make_directories("/proc")
    for name in ("stat", "meminfo"):
        files.write(f"/proc/{name}", Path(f"/proc/{name}").read_bytes())
    return files


def main(root: Path, hours: float) -> None:
    """Run the day and report it."""
    files = Files(root)
    for directory in (
        paths.AGENT_DIRECTORY,
        paths.PRIVATE,
        paths.CA_TRUST,
        paths.AGENT_STATE,
        paths.SERVER_STATE_INSIDE,
    ):
        files.make_directories(directory)
    ours, theirs = multiprocessing.Pipe()
    assert isinstance(ours, Connection)
    roots = files.locate(f"{paths.CA_TRUST}/tenant.crt")
    tenant = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, roots), daemon=True)
    tenant.start()
    port = ours.recv()
    install(root, port)
    host = Host(files, f"localhost:{port}/gateway")
    clock, log, counters = DayClock(ours, hours, files, host), list[str](), Counters()

    def tell(line: LogLine) -> None:
        # Only the text is kept: the parts of a line would count as objects of the agent.
        log.append(str(line))

    watch = HealthWatch(files, clock, tell, counters, partial(ask_registry, clock))
    renewal = Renewal(files, clock, tell, counters)
    agent = Agent(
        lambda: enrol(files, clock, timeout=0.05),
        files,
        clock,
        tell,
        lambda status: write_status(files, status),
        counters,
        watch,
        renewal,
    )
    try:
        agent.run()
    except Over:
        ours.send(None)
    report = {"tenant": ours.recv(), "ends": clock.ends, "log": log, "counters": vars(counters)}
    report["taken"] = host.taken
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
