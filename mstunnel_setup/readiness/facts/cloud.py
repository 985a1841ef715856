"""The endpoints of the cloud: resolved, then every address tried at once."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field

from mstunnel_setup.answers.variables import proxy_place
from mstunnel_setup.base.errors import NetworkError
from mstunnel_setup.base.text import text
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.endpoint import Destination, Trust, reach, resolve
from mstunnel_setup.io.threads import DaemonPool, LateError, result_within
from mstunnel_setup.readiness.data import CUSTOM, Endpoint
from mstunnel_setup.readiness.facts.host import ProxyFacts
from mstunnel_setup.readiness.facts.section import Section
from mstunnel_setup.readiness.proxies import bypassed


class Attempt(Section):
    """One try of an endpoint. `target` is an address, or the host itself when a proxy resolves it.

    `trust` is what the certificate chains to: a public root, only this host's roots, or none.
    `skew` is this host's clock minus the server's, in seconds.
    """

    target: str
    through: str = ""
    error: str = ""
    trust: Literal["public", "host", "none", ""] = ""
    issuer: str = ""
    status: int = 0
    skew: float | None = None
    mtu: int = 0
    seconds: float = 0.0


class EndpointFacts(Section):
    """What came of one name: its addresses as resolved here (with the reason if not) and all attempts.

    `expect` and `expect_certificate` are the statuses of the endpoint table; `with_certificate` is the try
    that showed a client certificate.
    """

    purpose: str
    host: str
    addresses: tuple[str, ...] = ()
    unresolved: str = ""
    attempts: tuple[Attempt, ...] = ()
    expect: tuple[int, ...] = ()
    expect_certificate: tuple[int, ...] = ()
    with_certificate: Attempt | None = None


class NetworkFacts(Section):
    """All endpoints of the cloud. `patterns` are names that must be allowed but cannot be tried.

    `missing_archive` is the archive that the images come from, where it was not found.
    """

    endpoints: tuple[EndpointFacts, ...] = ()
    patterns: dict[str, str] = Field(default_factory=dict)
    private: bool = False
    missing_archive: str = ""


_HTTPS = 443

# Names get this part of the time, so that connections have the rest even when DNS is dead.
_FOR_NAMES = 0.4

# What was not answered is reported this long before the deadline, so that it can still be reported.
_TO_TELL = 0.3

_LATE = text("no answer in time")


@dataclass(frozen=True)
class Way:
    """The proxy (its address as written) and the names that are reached without it."""

    proxy: str = ""
    bypass: str = ""

    @classmethod
    def of(cls, proxies: ProxyFacts) -> "Way":
        """The proxy settings in use: of each variable the first place that sets it."""
        first = {item.name: item.value for item in reversed(proxies.places)}
        return cls(first.get("https_proxy") or first.get("http_proxy") or "", first.get("no_proxy", ""))

    def to(self, host: str) -> tuple[str, int] | None:
        """Host and port of the proxy for `host`; None for the direct way."""
        return None if bypassed(host, self.bypass) else proxy_place(self.proxy)


@dataclass(frozen=True)
class CloudReader:
    """Tries `endpoints` for at most `deadline` seconds in all, however many there are."""

    endpoints: Sequence[Endpoint]
    way: Way
    trust: Trust
    clock: Clock
    deadline: float
    cloud: str = "public"

    def network(self) -> NetworkFacts:
        """What came of every endpoint."""
        end = self.clock.monotonic() + self.deadline - _TO_TELL
        tried = [item for item in self.endpoints if item.host]
        patterns = {item.pattern: item.purpose for item in self.endpoints if item.pattern}
        named = self._resolve(tried)
        found = self._attempt(tried, named, end)
        archive = next((item.archive for item in self.endpoints if item.archive), "")
        return NetworkFacts(
            endpoints=found, patterns=patterns, private=self.cloud == CUSTOM, missing_archive=archive
        )

    def _resolve(self, tried: Sequence[Endpoint]) -> "list[tuple[str, ...] | str]":
        """For each endpoint its addresses, or why there are none."""
        end = self.clock.monotonic() + self.deadline * _FOR_NAMES
        with DaemonPool(max(1, len(tried))) as pool:
            running = [pool.submit(resolve, *_place(item)) for item in tried]
            return [self._addresses(result, end) for result in running]

    def _addresses(self, result: "Future[tuple[str, ...]]", end: float) -> tuple[str, ...] | str:
        try:
            return result_within(result, end - self.clock.monotonic())
        except LateError:
            return _LATE
        except NetworkError as error:
            return error.message

    def _attempt(
        self, tried: Sequence[Endpoint], named: "Sequence[tuple[str, ...] | str]", end: float
    ) -> tuple[EndpointFacts, ...]:
        plans = [self._destinations(item, found) for item, found in zip(tried, named, strict=True)]
        with DaemonPool(max(1, sum(map(len, plans)))) as pool:
            running = [[(one, pool.submit(self._try, one, end)) for one in plan] for plan in plans]
            done = [tuple(self._outcome(one, result, end) for one, result in row) for row in running]
        return tuple(
            _facts(item, found, plan, attempts)
            for item, found, plan, attempts in zip(tried, named, plans, done, strict=True)
        )

    def _destinations(self, endpoint: Endpoint, found: tuple[str, ...] | str) -> list[Destination]:
        """The tries of an endpoint: each address, and the name too when a proxy takes names."""
        host, port = _place(endpoint)
        proxy = self.way.to(host)
        targets = found if isinstance(found, tuple) else ()
        names = [host, *(item for item in targets if item != host)] if proxy else targets
        plain = [Destination(host, port, target, endpoint.path, proxy) for target in names]
        shown = [replace(item, client_certificate=True) for item in plain[:1] if endpoint.expect_certificate]
        return [*plain, *shown]

    def _try(self, destination: Destination, end: float) -> Attempt:
        began = self.clock.monotonic()
        try:
            found = reach(destination, self.trust, self.clock, end)
        except NetworkError as error:
            return _failed(destination, error.message)
        skew = None if found.date is None else (self.clock.now() - found.date).total_seconds()
        return Attempt(
            target=_target(destination),
            through=_through(destination),
            trust=found.trust,
            issuer=found.issuer,
            status=found.status,
            skew=skew,
            mtu=found.mtu,
            seconds=round(self.clock.monotonic() - began, 3),
        )

    def _outcome(self, destination: Destination, result: "Future[Attempt]", end: float) -> Attempt:
        try:
            return result_within(result, end + _TO_TELL / 2 - self.clock.monotonic())
        except LateError:
            return _failed(destination, _LATE)


def _facts(
    endpoint: Endpoint,
    found: tuple[str, ...] | str,
    plan: Sequence[Destination],
    attempts: Sequence[Attempt],
) -> EndpointFacts:
    tried = list(zip(plan, attempts, strict=True))
    shown = [attempt for destination, attempt in tried if destination.client_certificate]
    return EndpointFacts(
        purpose=endpoint.purpose,
        host=endpoint.host,
        addresses=found if isinstance(found, tuple) else (),
        unresolved=found if isinstance(found, str) else "",
        attempts=tuple(attempt for destination, attempt in tried if not destination.client_certificate),
        expect=endpoint.expect,
        expect_certificate=endpoint.expect_certificate,
        with_certificate=shown[0] if shown else None,
    )


def _failed(destination: Destination, reason: str) -> Attempt:
    return Attempt(target=_target(destination), through=_through(destination), error=reason)


def _target(destination: Destination) -> str:
    """Address, or the endpoint's host as the table names it, with its port when that is not the usual one."""
    if destination.address != destination.host or destination.port == _HTTPS:
        return destination.address
    return f"{destination.host}:{destination.port}"


def _through(destination: Destination) -> str:
    return "" if destination.proxy is None else f"{destination.proxy[0]}:{destination.proxy[1]}"


def _place(endpoint: Endpoint) -> tuple[str, int]:
    parts = urlsplit(f"//{endpoint.host}")
    return parts.hostname or endpoint.host, parts.port or _HTTPS
