"""Endpoints over real sockets: trust, clock, proxy, and a common deadline."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import trustme

from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.network import Trust
from mstunnel_setup.readiness.checks import judge, of
from mstunnel_setup.readiness.data import Endpoint, endpoints, endpoints_of
from mstunnel_setup.readiness.facts.cloud import CloudReader, NetworkFacts
from mstunnel_setup.readiness.facts.host import ProxyFacts
from mstunnel_setup.readiness.facts.parse import ProxyPlace
from mstunnel_setup.readiness.model import Group, Outcome, ReadinessFacts
from mstunnel_setup.tenant.clouds import CLOUDS
from tests.unit.readiness.servers import proxy, serving, silent, tls


def head(status: int, ahead: float = 0) -> bytes:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=ahead), usegmt=True)
    return f"HTTP/1.1 {status} Whatever\r\nDate: {date}\r\nContent-Length: 0\r\n\r\n".encode()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA(organization_name="Contoso Roots")


@pytest.fixture
def server(authority: trustme.CA) -> Iterator[int]:
    with serving(tls(authority, "localhost", head(403))) as port:
        yield port


@pytest.fixture
def public(authority: trustme.CA) -> Trust:
    """Return trust in the authority as a public one."""
    return Trust(public_roots=authority.cert_pem.bytes().decode())


def read(
    *hosts: str, trust: Trust | None = None, deadline: float = 10, proxy: str = "", no_proxy: str = ""
) -> NetworkFacts:
    named = [Endpoint(purpose="graph", host=host) for host in hosts]
    return CloudReader(named, trust or Trust(), Clock(), deadline, proxy, no_proxy).network()


def result(facts: NetworkFacts, identifier: str) -> tuple[Outcome, str]:
    found = judge(of(frozenset({Group.NETWORK})), ReadinessFacts(network=facts))
    return next((item.result, item.seen) for item in found if item.id == identifier)


def test_public_root_is_trusted(server: int, public: Trust) -> None:
    facts = read(f"localhost:{server}", trust=public)

    attempts = [item for item in facts.endpoints[0].attempts if item.target == "127.0.0.1"]
    assert [(item.trust, item.issuer, item.status, item.error) for item in attempts] == [
        ("public", "Contoso Roots", 403, "")
    ]
    assert attempts[0].mtu > 1000
    assert result(facts, "inspection")[0] is Outcome.PASS
    assert result(facts, "clock")[0] is Outcome.PASS


@pytest.mark.parametrize(
    ("known", "words"), [(True, "trusted by this host only"), (False, "which no trust store has")]
)
def test_root_that_is_not_public_means_inspection(
    server: int, authority: trustme.CA, known: bool, words: str
) -> None:
    facts = read(
        f"localhost:{server}", trust=Trust(host_roots=authority.cert_pem.bytes().decode() if known else "")
    )

    seen = f"localhost:{server} presents a certificate of Contoso Roots, {words}"
    assert result(facts, "inspection") == (Outcome.FAIL, seen)


def test_clock_is_compared_with_the_servers(authority: trustme.CA, public: Trust) -> None:
    with serving(tls(authority, "localhost", head(200, ahead=900))) as port:
        facts = read(f"localhost:{port}", trust=public)

    outcome, seen = result(facts, "clock")
    assert outcome is Outcome.FAIL
    assert seen.endswith("s behind the servers")


def test_refused_connection_is_reported() -> None:
    assert result(read("127.0.0.1:1"), "endpoint-graph") == (
        Outcome.FAIL,
        "127.0.0.1:1: connection refused",
    )


def test_server_that_closes_after_the_handshake_is_reached(authority: trustme.CA, public: Trust) -> None:
    with serving(tls(authority, "localhost", b"")) as port:
        facts = read(f"localhost:{port}", trust=public)

    assert result(facts, "endpoint-graph")[0] in (Outcome.PASS, Outcome.WARNING)
    assert result(facts, "clock")[0] is Outcome.UNKNOWN


def test_server_without_tls_does_not_count_as_reached() -> None:
    with serving(lambda connection: connection.sendall(b"220 mail\r\n" * 9)) as port:
        outcome, seen = result(read(f"127.0.0.1:{port}"), "endpoint-graph")

    assert outcome is Outcome.FAIL
    assert "TLS failed" in seen or "reset" in seen


def test_name_is_sufficient_through_a_proxy(server: int, public: Trust) -> None:
    asked: list[str] = []
    with serving(proxy(asked, server, refuse_addresses=True)) as port:
        facts = read("localhost", trust=public, proxy=f"http://127.0.0.1:{port}")

    assert {"localhost:443", "127.0.0.1:443"} <= set(asked)
    refused = [item.error for item in facts.endpoints[0].attempts if item.target == "127.0.0.1"]
    assert refused == ["the proxy answers 403"]
    assert result(facts, "endpoint-graph") == (Outcome.PASS, "localhost (1 try, issued by Contoso Roots)")
    assert result(facts, "proxy-connects") == (Outcome.PASS, f"127.0.0.1:{port}")


def test_proxy_resolves_names_unknown_to_the_host(server: int) -> None:
    with serving(proxy([], server)) as port:
        facts = read("nowhere.invalid", proxy=f"http://127.0.0.1:{port}")

    assert result(facts, "dns")[0] is Outcome.WARNING
    assert result(facts, "endpoint-graph")[0] is Outcome.PASS


def test_endpoint_for_client_certificates_is_tried_with_one(server: int, public: Trust) -> None:
    wanted = Endpoint(purpose="intune", host=f"localhost:{server}", expect=(403,), expect_certificate=(403,))
    facts = CloudReader([wanted], public, Clock(), 10).network()

    shown = facts.endpoints[0].with_certificate
    assert shown is not None
    assert (shown.status, shown.trust) == (403, "public")
    targets = [item.target for item in facts.endpoints[0].attempts]
    assert len(targets) == len(set(targets))
    assert result(facts, "client-certificate")[0] is Outcome.PASS
    assert result(facts, "http-answers")[0] in (Outcome.PASS, Outcome.UNKNOWN)


@pytest.mark.parametrize(
    ("host", "no_proxy"),
    [("localhost", "localhost"), ("127.0.0.1", "127.0.0.0/8"), ("127.0.0.1", "127.0.0.1:{port}")],
)
def test_no_proxy_is_respected(server: int, host: str, no_proxy: str) -> None:
    facts = read(f"{host}:{server}", proxy="http://127.0.0.1:1", no_proxy=no_proxy.format(port=server))

    assert result(facts, "proxy-connects")[0] is Outcome.SKIPPED


def test_first_configured_proxy_is_used() -> None:
    places = (
        ProxyPlace(place="the environment", name="https_proxy", value="http://one:3128"),
        ProxyPlace(place="/etc/mstunnel/env.sh", name="https_proxy", value="http://two:3128"),
        ProxyPlace(place="/etc/mstunnel/env.sh", name="no_proxy", value="localhost"),
    )

    assert ProxyFacts(places=places).in_use == ("http://one:3128", "localhost")


def test_sixty_silent_endpoints_take_one_deadline() -> None:
    began = time.monotonic()
    with silent(60) as ports:
        facts = read(*(f"127.0.0.1:{port}" for port in ports), deadline=2)

    assert time.monotonic() - began < 30
    assert len(facts.endpoints) == 60
    assert {item.error for endpoint in facts.endpoints for item in endpoint.attempts} == {"no answer in time"}
    assert result(facts, "endpoint-graph")[0] is Outcome.FAIL


def test_every_cloud_has_its_own_endpoints() -> None:
    for name, cloud in CLOUDS.items():
        found = endpoints_of(name)
        hosts = {item.purpose: item.host for item in found}
        assert f"https://{hosts['sign-in']}" == cloud.authority
        assert f"https://{hosts['graph']}" == cloud.graph
        shown = {item.purpose: item.expect_certificate for item in found if item.expect_certificate}
        assert shown == {"intune": (403,)}


def test_clouds_share_only_the_registry() -> None:
    public = {item.host or item.pattern for item in endpoints_of("public") if "registry" not in item.purpose}
    government = {item.host or item.pattern for item in endpoints_of("gcc-high")}

    assert public.isdisjoint(government)


def test_endpoints_of_a_custom_cloud_are_its_addresses() -> None:
    found = endpoints_of("custom", "https://lab.example:8443/tenant", "https://lab.example:8443/graph")

    assert [(item.purpose, item.host) for item in found] == [
        ("sign-in", "lab.example:8443"),
        ("graph", "lab.example:8443"),
    ]


def test_every_endpoint_has_a_purpose_with_a_name() -> None:
    purposes = {item.purpose for cloud in endpoints().clouds.values() for item in cloud}

    assert purposes == set(endpoints().purposes)
