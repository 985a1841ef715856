"""The endpoints of the cloud: resolved, then all addresses tried concurrently."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import Field

from mstunnel_setup.answers.variables import proxy_place
from mstunnel_setup.base.errors import NetworkError
from mstunnel_setup.base.text import text
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.network import Destination, Trust, reach, resolve
from mstunnel_setup.io.threads import DaemonPool, LateError, result_within
from mstunnel_setup.readiness.data import CUSTOM, Endpoint
from mstunnel_setup.readiness.facts.section import Section


class EndpointAttempt(Section):
    """One attempt for an endpoint. `target` is an address, or the host itself if a proxy resolves it.

    `trust` is the end of the certificate's chain: a public root, a root of only this host, or none. `skew` is
    this host's clock minus the server's, in seconds.
    """

    target: str
    through: str = ""
    error: str = ""
    trust: Literal["public", "host", "none", ""] = ""
    issuer: str = ""
    status: int = 0
    skew: float | None = None
    mtu: int = 0


class EndpointFacts(Section):
    """The result for one name: all attempts, and why it could not be resolved here, if so.

    `expect` and `expect_certificate` are the statuses of the endpoint table; `with_certificate` is the
    attempt with a client certificate.
    """

    purpose: str
    host: str
    unresolved: str = ""
    attempts: tuple[EndpointAttempt, ...] = ()
    expect: tuple[int, ...] = ()
    expect_certificate: tuple[int, ...] = ()
    with_certificate: EndpointAttempt | None = None

    @property
    def port(self) -> int:
        """The TCP port of the attempts."""
        return _place(self.host)[1]


class NetworkFacts(Section):
    """All endpoints of the cloud. `patterns` are names that must be allowed but cannot be tried.

    `missing_archive` is the archive for the images if it was not found.
    """

    endpoints: tuple[EndpointFacts, ...] = ()
    patterns: dict[str, str] = Field(default_factory=dict)
    private: bool = False
    missing_archive: str = ""


# The addresses of a name, or why there are none.
Resolved: TypeAlias = tuple[str, ...] | str

_HTTPS = 443
# The part of the time for names, so that connections have the rest even if DNS is down.
_FOR_NAMES = 0.4
# Seconds before the deadline at which missing responses are reported, while there is still time to do so.
_TO_TELL = 0.3
_LATE = text("no answer in time")


def bypassed(host: str, port: int, no_proxy: str) -> bool:
    """Return whether `no_proxy` includes the host: by name, domain, address or network, or by `*`.

    Entries are separated by commas. One with a port is for that port only; an address or a network is not
    compared with the addresses of a name.

    Source: Go's golang.org/x/net/http/httpproxy, which Podman and Docker use.
    """
    entries = [entry.strip().lower() for entry in no_proxy.split(",")]
    return "*" in entries or any(_names(entry, host.lower(), port) for entry in entries)


def _names(entry: str, host: str, port: int) -> bool:
    with suppress(ValueError):
        return ip_address(host) in ip_network(entry, strict=False)
    with suppress(ValueError):
        parts = urlsplit(f"//{entry}")
        name = (parts.hostname or "").removeprefix("*").lstrip(".")
        return name != "" and parts.port in (None, port) and f".{host}".endswith(f".{name}")
    return False


@dataclass(frozen=True)
class CloudReader:
    """Tries any number of `endpoints` for at most `deadline` seconds in all.

    `proxy` is the address of the proxy as written (empty: none), `no_proxy` lists the exceptions.
    """

    endpoints: Sequence[Endpoint]
    trust: Trust
    clock: Clock
    deadline: float
    proxy: str = ""
    no_proxy: str = ""
    cloud: str = "public"

    def network(self) -> NetworkFacts:
        """Return the results for all endpoints."""
        end = self.clock.monotonic() + self.deadline - _TO_TELL
        tried = [item for item in self.endpoints if item.host]
        named = self._resolve(tried)
        plans = [self._destinations(item, found) for item, found in zip(tried, named, strict=True)]
        endpoints = []
        with DaemonPool(max(1, sum(map(len, plans)))) as pool:
            running = [[(one, pool.submit(self._try, one, end)) for one in plan] for plan in plans]
            for endpoint, found, row in zip(tried, named, running, strict=True):
                attempts, with_certificate = [], None
                for destination, result in row:
                    try:
                        attempt = result_within(result, end + _TO_TELL / 2 - self.clock.monotonic())
                    except LateError:
                        attempt = _attempt(destination, error=_LATE)
                    if destination.client_certificate:
                        with_certificate = attempt
                    else:
                        attempts.append(attempt)
                known = EndpointFacts(
                    purpose=endpoint.purpose,
                    host=endpoint.host,
                    unresolved=found if isinstance(found, str) else "",
                    attempts=tuple(attempts),
                    expect=endpoint.expect,
                    expect_certificate=endpoint.expect_certificate,
                    with_certificate=with_certificate,
                )
                endpoints.append(known)
        return NetworkFacts(
            endpoints=tuple(endpoints),
            patterns={item.pattern: item.purpose for item in self.endpoints if item.pattern},
            private=self.cloud == CUSTOM,
            missing_archive=next((item.archive for item in self.endpoints if item.archive), ""),
        )

    def _resolve(self, tried: Sequence[Endpoint]) -> list[Resolved]:
        end = self.clock.monotonic() + self.deadline * _FOR_NAMES
        found: list[Resolved] = []
        with DaemonPool(max(1, len(tried))) as pool:
            for result in [pool.submit(resolve, *_place(item.host)) for item in tried]:
                try:
                    found.append(result_within(result, end - self.clock.monotonic()))
                except LateError:
                    found.append(_LATE)
                except NetworkError as error:
                    found.append(error.message)
        return found

    def _destinations(self, endpoint: Endpoint, found: Resolved) -> list[Destination]:
        """Return the attempts for an endpoint: each address, and behind a proxy also the name."""
        host, port = _place(endpoint.host)
        proxy = None if bypassed(host, port, self.no_proxy) else proxy_place(self.proxy)
        targets = found if isinstance(found, tuple) else ()
        names = [host, *(item for item in targets if item != host)] if proxy else targets
        plain = [Destination(host, port, target, endpoint.path, proxy) for target in names]
        shown = [replace(item, client_certificate=True) for item in plain[:1] if endpoint.expect_certificate]
        return [*plain, *shown]

    def _try(self, destination: Destination, end: float) -> EndpointAttempt:
        try:
            found = reach(destination, self.trust, self.clock, end)
        except NetworkError as error:
            return _attempt(destination, error=error.message)
        return _attempt(
            destination,
            trust=found.trust,
            issuer=found.issuer,
            status=found.status,
            skew=None if found.date is None else (self.clock.now() - found.date).total_seconds(),
            mtu=found.mtu,
        )


def _attempt(destination: Destination, **found: Any) -> EndpointAttempt:
    """Return an attempt for an address or host, with the port unless it is the usual one."""
    target, port = destination.address, destination.port
    if target == destination.host and port != _HTTPS:
        target = f"{target}:{port}"
    through = "" if destination.proxy is None else f"{destination.proxy[0]}:{destination.proxy[1]}"
    return EndpointAttempt(target=target, through=through, **found)


def _place(host: str) -> tuple[str, int]:
    parts = urlsplit(f"//{host}")
    return parts.hostname or host, parts.port or _HTTPS
