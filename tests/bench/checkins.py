"""Gateways that check in with a lab each minute, as their agents do: over TLS, with tokens of their own.

A round is what the agent does in one: a new connection, read the own record, write it with a health report,
read the server configuration. Rounds begin by the clock, not when the last one has ended, so a lab that is
too slow shows as latency. Each gateway gets a new token once in an hour.
"""

import asyncio
import contextlib
import json
import os
import signal
import ssl
import statistics
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from mstunnel_lab.entra.permissions import APP_ROLE_IDS, Resource
from mstunnel_lab.entra.tokens import KeyRing, TokenService
from mstunnel_lab.graph.directory import new_assignment, new_principal
from mstunnel_lab.records import ApplicationRecord, ServerRecord, SiteRecord, TenantRecord, digest
from mstunnel_lab.store import Store
from mstunnel_lab.urls import Urls
from mstunnel_setup.tenant.wire import CONFIGURATION_READ_WRITE, GRAPH_APP_ID, ServicePrincipal
from tests.bench.bar import Bar, bars
from tests.unit.running_lab import start_lab

NAME = "lab-check-ins"
SIZES = (1_000, 20_000)
SECONDS = 20.0
MINUTE = 60.0
PACE = 50
RATES = (100, 200, 333, 500, 1_000)
RATE_LIMIT = 1_000
"""Check-ins in a second that the lab has to serve."""
P99_LIMIT = 0.05
"""Seconds in which 99 of 100 check-ins have to be done."""
GROWTH_LIMIT = 1.2
"""What a check-in may cost with many gateways, as a multiple of its cost with few."""
HOUR_OF_ROUNDS = 60
_PER_SITE = 20
_ROLE = APP_ROLE_IDS[CONFIGURATION_READ_WRITE]


@dataclass(frozen=True)
class Gateway:
    """A registered gateway and the application that checks in for it."""

    number: int
    app_id: str
    principal_id: str
    site_id: str
    server_id: str

    @property
    def secret(self) -> str:
        return f"secret of gateway {self.number}"


def populate(directory: Path, count: int) -> list[Gateway]:
    """Add so many gateways, their sites and applications to a lab that is not running."""
    store = Store(directory / "lab.sqlite")
    try:
        with store.transaction():
            template = store.each(SiteRecord)[0]
            graph = store.with_app_id(ServicePrincipal, GRAPH_APP_ID)
            assert graph is not None
            sites = [str(uuid.uuid4()) for _ in range(-(-count // _PER_SITE))]
            for number, site in enumerate(sites):
                store.add(template.model_copy(update={"id": site, "display_name": f"Site {number}"}))
            return [_gateway(store, graph, sites[number // _PER_SITE], number) for number in range(count)]
    finally:
        store.close()


def _gateway(store: Store, graph: ServicePrincipal, site: str, number: int) -> Gateway:
    app_id, name = str(uuid.uuid4()), f"gateway {number}"
    principal = new_principal(app_id, name)
    gateway = Gateway(number, app_id, principal.id, site, str(uuid.uuid4()))
    secrets = (digest(gateway.secret),)
    application = ApplicationRecord(
        id=str(uuid.uuid4()), app_id=app_id, display_name=name, secret_digests=secrets
    )
    server = ServerRecord(id=gateway.server_id, display_name=name, site_id=site, agent_app_id=app_id)
    store.add(application)
    store.add(principal)
    store.add(new_assignment(principal, graph, _ROLE), parent=principal.id)
    store.add(server, parent=site)
    return gateway


def tokens(directory: Path, description: dict[str, Any], gateways: Sequence[Gateway]) -> list[str]:
    """Tokens that the gateways already have, as they would after their first hour."""
    store = Store(directory / "lab.sqlite")
    tenant = store.each(TenantRecord)[0]
    store.close()
    service = TokenService(KeyRing(directory), Urls(description["graph"], tenant.id), 2)
    graph = Resource(GRAPH_APP_ID, "https://graph.microsoft.com")
    roles = (CONFIGURATION_READ_WRITE,)
    return [
        service.application_token(gateway.principal_id, gateway.app_id, graph, roles, 3600)
        for gateway in gateways
    ]


@dataclass(frozen=True)
class Round:
    """How one round went; seconds from the moment it was due."""

    seconds: float
    statuses: tuple[int, ...]

    @property
    def good(self) -> bool:
        return all(200 <= status < 300 for status in self.statuses)


class Fleet:
    """All gateways of a lab."""

    def __init__(self, description: dict[str, Any], gateways: Sequence[Gateway], known: list[str]) -> None:
        parts = urlsplit(description["graph"])
        self._host, self._port = str(parts.hostname), int(parts.port or 443)
        self._token_path = urlsplit(description["authority"]).path + "/oauth2/v2.0/token"
        self._context = ssl.create_default_context(cafile=description["ca_file"])
        self._gateways = gateways
        self._tokens = known

    async def check_in(self, seconds: float, minute: float = MINUTE) -> list[Round]:
        """Let every gateway check in once per `minute` for so many seconds."""
        begin = asyncio.get_running_loop().time() + 0.2
        step = minute / len(self._gateways)
        running = []
        for number in range(int(seconds / step)):
            due = begin + number * step
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
            running.append(asyncio.create_task(self._round(number, due)))
        return await asyncio.gather(*running)

    async def _round(self, number: int, due: float) -> Round:
        position = number % len(self._gateways)
        statuses: list[int] = []
        try:
            reader, writer = await asyncio.open_connection(self._host, self._port, ssl=self._context)
            link = Link(self._host, reader, writer, statuses)
            try:
                if number % HOUR_OF_ROUNDS == 0:
                    self._tokens[position] = await self._new_token(link, self._gateways[position])
                await _three(link, self._gateways[position], self._tokens[position])
            finally:
                # How the other side takes it does not matter.
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
        except (OSError, asyncio.IncompleteReadError):
            statuses.append(0)
        return Round(asyncio.get_running_loop().time() - due, tuple(statuses))

    async def _new_token(self, link: "Link", gateway: Gateway) -> str:
        form = {
            "grant_type": "client_credentials",
            "client_id": gateway.app_id,
            "client_secret": gateway.secret,
            "scope": "https://graph.microsoft.com/.default",
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await link.exchange("POST", self._token_path, headers, urlencode(form).encode())
        return str(json.loads(answer).get("access_token", ""))


async def _three(link: "Link", gateway: Gateway, token: str) -> None:
    """The three requests of a round."""
    site = f"/beta/deviceManagement/microsoftTunnelSites/{gateway.site_id}"
    own = f"{site}/microsoftTunnelServers/{gateway.server_id}"
    report = {"displayName": f"gateway {gateway.number}"}
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    await link.exchange("GET", own, headers)
    await link.exchange("PATCH", own, headers, json.dumps(report).encode())
    await link.exchange("GET", f"{site}/microsoftTunnelConfiguration", headers)


@dataclass(frozen=True)
class Link:
    """An open connection; notes the status of each answer."""

    host: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    statuses: list[int]

    async def exchange(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
        """Send a request and return the body of its answer."""
        fixed = {"Host": self.host, "Content-Length": str(len(body))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in {**fixed, **headers}.items())
        self.writer.write(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body)
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        self.statuses.append(int(head.split(" ", 2)[1]))
        found = [line for line in head.split("\r\n") if line.startswith("content-length:")]
        return await self.reader.readexactly(int(found[0].partition(":")[2]) if found else 0)


@dataclass(frozen=True)
class Figures:
    """What a run came to. Times in seconds, `memory` in bytes.

    `cpu` is what the lab used, in cores; `cpu_of_clients` what all gateways together used, `cpu_of_others`
    what the rest of the machine did meanwhile.
    """

    gateways: int
    rounds: int
    seconds: float
    failed: int
    requests_per_second: float
    median: float
    p95: float
    p99: float
    slowest: float
    cpu: float
    cpu_of_clients: float
    cpu_of_others: float
    cores: int
    memory: int


@dataclass(frozen=True)
class Usage:
    """Seconds of CPU: of the lab, of this process, of the whole machine, and the time."""

    lab: float
    clients: float
    machine: float
    at: float

    @classmethod
    def now(cls, pid: int) -> "Usage":
        """Everything so far."""
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        busy = [int(field) for field in Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
        idle = busy[3] + busy[4]
        lab, machine = int(fields[11]) + int(fields[12]), sum(busy[:8]) - idle
        return cls(lab / 100, time.process_time(), machine / 100, time.monotonic())

    def since(self, before: "Usage") -> tuple[float, float, float]:
        """Cores used by the lab, by the clients and by others since then."""
        spent = self.at - before.at
        lab, clients = self.lab - before.lab, self.clients - before.clients
        others = self.machine - before.machine - lab - clients
        return lab / spent, clients / spent, others / spent


def figures(rounds: Sequence[Round], gateways: int, before: Usage, after: Usage, memory: int) -> Figures:
    """Sum up a run."""
    times = sorted(item.seconds for item in rounds)
    cuts = statistics.quantiles(times, n=100)
    lab, clients, others = after.since(before)
    requests = sum(len(item.statuses) for item in rounds)
    return Figures(
        gateways=gateways,
        rounds=len(rounds),
        seconds=round(after.at - before.at, 2),
        failed=sum(not item.good for item in rounds),
        requests_per_second=round(requests / (after.at - before.at), 1),
        median=round(cuts[49], 4),
        p95=round(cuts[94], 4),
        p99=round(cuts[98], 4),
        slowest=round(times[-1], 4),
        cpu=round(lab, 3),
        cpu_of_clients=round(clients, 3),
        cpu_of_others=round(others, 3),
        cores=os.cpu_count() or 1,
        memory=memory,
    )


def run(
    directory: Path,
    description: dict[str, Any],
    gateways: Sequence[Gateway],
    seconds: float,
    minute: float = MINUTE,
) -> Figures:
    """Let the gateways check in with the lab that runs there, and measure it."""
    fleet = Fleet(description, gateways, tokens(directory, description, gateways))
    pid = int(description["pid"])
    before = Usage.now(pid)
    rounds = asyncio.run(fleet.check_in(seconds, minute))
    memory = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
    return figures(rounds, len(gateways), before, Usage.now(pid), memory)


def measure() -> dict[str, Any]:
    """Few and many gateways at one pace, then many at a growing one, until check-ins take too long."""
    few, *_ = _measured(SIZES[0], [PACE])
    many, *faster = _measured(SIZES[1], [PACE, *RATES])
    growth = round(_milliseconds(many) / _milliseconds(few), 2)
    reached = max((rate for rate, found in zip(RATES, faster, strict=False) if _quick(found)), default=0)
    return {
        "what": "check-ins of gateways with a lab, all on this machine",
        "runs": [asdict(found) for found in (few, many, *faster)],
        "milliseconds_of_processor": {f"{found.gateways}": _milliseconds(found) for found in (few, many)},
        **bars(
            Bar(
                f"Check-ins in a second, 99 % within {P99_LIMIT * 1000:.0f} ms",
                reached,
                RATE_LIMIT,
                "",
                at_least=True,
            ),
            Bar(f"Cost of a check-in, {SIZES[1]} gateways to {SIZES[0]}", growth, GROWTH_LIMIT, ""),
        ),
    }


def _measured(count: int, rates: Sequence[int]) -> list[Figures]:
    """A lab with so many gateways at each rate (check-ins in a second), up to the first that is too fast."""
    found: list[Figures] = []
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name) / "lab"
        start_lab(directory, "--port", "0").stop(signal.SIGTERM)
        gateways = populate(directory, count)
        lab = start_lab(directory, "--port", "0")
        try:
            for rate in rates:
                found.append(run(directory, lab.description, gateways, SECONDS, count / rate))
                if not _quick(found[-1]):
                    break
        finally:
            lab.stop(signal.SIGTERM)
    return found


def _quick(found: Figures) -> bool:
    return found.p99 <= P99_LIMIT and not found.failed


def _milliseconds(found: Figures) -> float:
    """Processor time of the lab for one check-in."""
    return round(1000 * found.cpu * found.seconds / found.rounds, 2)
