"""A hostile tenant answers the product's requests, over real TLS: nothing it says leaks, hangs or crashes."""

import gzip
import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from mst_admin.apply import declarations_of
from mst_admin.kinds.tenant import TenantObjects
from mst_admin.objects.app_configuration import DEFENDER, TUNNEL_KEYS, PresentAppConfiguration
from mst_admin.objects.mam import TUNNEL
from mstunnel_setup.base.errors import SetupError, TenantError
from mstunnel_setup.io.http import HttpSession
from mstunnel_setup.tenant.client_credential import ClientSecret
from mstunnel_setup.tenant.clouds import Cloud, cloud
from mstunnel_setup.tenant.graph import Graph
from mstunnel_setup.tenant.graph_admin import CONFIGURATIONS, AdminGraph
from mstunnel_setup.tenant.sign_in import DeviceCode, SignIn
from mstunnel_setup.tenant.wire_intune import (
    IntuneObject,
    MobileAppConfiguration,
    TargetedManagedAppConfiguration,
)
from tests.attack.record import record
from tests.serving import Answer, Request, answering
from tests.unit.clocks import FakeClock

TENANT = "11111111-2222-4333-8444-555555555555"
CLIENT = "99999999-2222-4333-8444-555555555555"
SECRET = "hush-hush-hush"


@dataclass
class Host:
    """A server that answers as `answer` says, and keeps all it was sent."""

    name: str = "localhost"
    port: int = 0
    answer: Callable[[str, str], Answer] = lambda _method, _path: Answer()
    seen: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://{self.name}:{self.port}"

    def answered(self, request: Request) -> Answer:
        self.seen.append(f"{request.method} {request.path}\n{request.headers}\n{request.body.decode()}")
        found = self.answer(request.method, request.path)
        return replace(found, headers={"Content-Type": "application/json", **found.headers})


@dataclass
class Place:
    """The tenant, and another host that nothing of the tenant's must reach."""

    tenant: Host
    elsewhere: Host
    clock: FakeClock
    http: HttpSession

    def cloud(self) -> Cloud:
        return cloud("custom", f"{self.tenant.url}/{TENANT}", self.tenant.url)

    def graph(self) -> Graph:
        return Graph(self.http, self.cloud(), lambda: SECRET, self.clock)

    def admin(self) -> AdminGraph:
        return AdminGraph(self.http, self.cloud(), lambda: SECRET, self.clock)

    def sign_in(self) -> SignIn:
        return SignIn(self.http, self.clock, self.cloud(), TENANT, CLIENT)

    def discovery(self, **changes: object) -> Answer:
        base = f"{self.tenant.url}/{TENANT}"
        document = {
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        }
        return Answer(body=json.dumps(document | changes).encode())


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    tenant, elsewhere = Host(), Host("127.0.0.1")
    clock = FakeClock()
    http = HttpSession(clock, str(tmp_path / "ca.pem"))
    with (
        answering(tenant.answered, tls=context) as tenant.port,
        answering(elsewhere.answered, tls=context) as elsewhere.port,
    ):
        yield Place(tenant, elsewhere, clock, http)
        http.close()


def refused(call: Callable[[], object]) -> SetupError:
    """The declared error that a call ends with; any other exception is a failure."""
    with pytest.raises(SetupError) as caught:
        call()
    assert SECRET not in f"{caught.value.message!s} {caught.value.hint!s}"
    return caught.value


LINKS = [
    "{elsewhere}/beta/deviceManagement/microsoftTunnelSites",
    "http://localhost:{port}/beta/x",
    "https://localhost:{port}@localhost:{other}/beta/x",
    "https://localhost:{other}#@localhost:{port}/beta/x",
    "https://localhost:{other}\\@localhost:{port}/beta/x",
    "//localhost:{other}/beta/x",
    "/beta/x",
    "https://[localhost:{port}/beta/x",
    "https://localhost:٣/beta/x",
    "https://localhost:{port}.elsewhere.example/beta/x",
    "file:///etc/passwd",
    "\x00",
]


@pytest.mark.parametrize("link", LINKS)
def test_the_token_follows_no_link_to_another_host(place: Place, link: str) -> None:
    names = {"port": place.tenant.port, "other": place.elsewhere.port, "elsewhere": place.elsewhere.url}
    document = {"value": [], "@odata.nextLink": link.format(**names)}
    place.tenant.answer = lambda _method, _path: Answer(body=json.dumps(document).encode())
    assert refused(lambda: place.graph().sites()).code == "paging-broken"
    assert place.elsewhere.seen == []
    record("tenant", f"`@odata.nextLink`: {link!r}", "not followed; paging-broken")


def test_pages_have_an_end(place: Place) -> None:
    def next_page(_method: str, _path: str) -> Answer:
        link = f"{place.tenant.url}/beta/more?{len(place.tenant.seen)}"
        return Answer(body=json.dumps({"value": [], "@odata.nextLink": link}).encode())

    place.tenant.answer = next_page
    assert refused(lambda: place.graph().sites()).code == "paging-broken"
    assert len(place.tenant.seen) == 1000
    record("tenant", "pages without end", "left after 1000; paging-broken")


REDIRECTS = [301, 302, 303, 307, 308]


@pytest.mark.parametrize("status", REDIRECTS)
def test_no_redirect_takes_a_bearer_token_along(place: Place, status: int) -> None:
    place.tenant.answer = lambda _method, _path: Answer(status, b"", {"Location": f"{place.elsewhere.url}/x"})
    refused(lambda: place.graph().sites())
    refused(lambda: place.graph().delete_server(TENANT, CLIENT))
    assert place.elsewhere.seen == []
    record("tenant", f"redirect ({status}) of a request with a bearer token", "not followed")


@pytest.mark.parametrize("status", REDIRECTS)
def test_no_redirect_takes_a_secret_along(place: Place, status: int) -> None:
    redirect = Answer(status, b"{}", {"Location": f"{place.elsewhere.url}/token"})
    place.tenant.answer = lambda method, _path: redirect if method == "POST" else place.discovery()
    refused(lambda: place.sign_in().application(ClientSecret(SECRET)))
    refused(lambda: place.sign_in().device_code(lambda _code: None))
    assert place.elsewhere.seen == []
    assert any(SECRET in request for request in place.tenant.seen)
    record("tenant", f"redirect ({status}) of a sign-in with a secret", "not followed")


ENDPOINTS = [
    "{elsewhere}/token",
    "https://[localhost/token",
    "http://localhost:{port}/token",
    "x",
    "",
    7,
    None,
]


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_metadata_sends_no_secret_elsewhere(place: Place, endpoint: Any) -> None:
    names = {"port": place.elsewhere.port, "elsewhere": place.elsewhere.url}
    named = endpoint.format(**names) if isinstance(endpoint, str) else endpoint
    changed = place.discovery(token_endpoint=named, device_authorization_endpoint=named)
    place.tenant.answer = lambda _method, _path: changed
    refused(lambda: place.sign_in().application(ClientSecret(SECRET)))
    refused(lambda: place.sign_in().device_code(lambda _code: None))
    assert place.elsewhere.seen == []
    record("tenant", f"OpenID metadata with the token endpoint {endpoint!r}", "refused, nothing sent")


WAITS = ["²", "٣", "-1", "1e9", "9" * 5000, "nan", "inf", "", "Fri, 31 Dec 9999 23:59:59 GMT", "Mon", "0x10"]


@pytest.mark.parametrize("wait", [*WAITS, "Thu, 01 Jan 2026 00:00:30", "Thu, 01 Jan 2026 00:00:30 -9999"])
def test_no_retry_after_holds_the_product_up(place: Place, wait: str) -> None:
    headers = {"Retry-After": wait if wait == "²" else wait.encode().decode("latin-1")}
    place.tenant.answer = lambda _method, _path: Answer(429, b"{}", headers)
    refused(lambda: place.graph().sites())
    assert place.clock.elapsed <= 120
    record("tenant", f"Retry-After: {wait[:32]}", "given up within two minutes")


@pytest.mark.parametrize("where", ["https://[localhost/", "https://localhost:99999/", "//[", "\\\\x", "x:"])
def test_no_redirect_to_nowhere_breaks_the_product(place: Place, where: str) -> None:
    place.tenant.answer = lambda _method, _path: Answer(302, b"", {"Location": where})
    refused(lambda: place.graph().sites())
    refused(lambda: place.sign_in().application(ClientSecret(SECRET)))
    record("tenant", f"redirect to {where!r}", "a declared error")


BODIES = {
    "deep": b"[" * 200_000,
    "deep object": b'{"a":' * 100_000,
    "not utf-8": b'{"value": "\xff\xfe"}',
    "long number": b'{"value": ' + b"9" * 5000 + b"}",
    "a list": b"[1]",
    "text": b'"text"',
    "half": b'{"value": [',
    "no list": b'{"value": {"a": 1}}',
    "no objects": b'{"value": [1, null, "a", []]}',
    "no id": b'{"value": [{"displayName": []}]}',
    "number beyond a machine": b'{"value": [{"id": "a", "agentCount": ' + b"9" * 400 + b"}]}",
    "lone surrogate": b'{"value": [{"id": "\\ud800", "displayName": 3}]}',
    "date without zone": b'{"value": [{"id": "a", "lastCheckinDateTime": "never"}]}',
    "date too far": b'{"value": [{"id": "a", "lastCheckinDateTime": 1e300}]}',
    "date of nothing": b'{"value": [{"id": "a", "lastCheckinDateTime": NaN}]}',
}


@pytest.mark.parametrize("kind", ["application/json", "text/html", "", "application/json; charset=utf-7"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_no_body_breaks_the_product(place: Place, body: bytes, kind: str) -> None:
    place.tenant.answer = lambda _method, _path: Answer(200, body, {"Content-Type": kind})
    refused(lambda: place.graph().servers(TENANT))
    with suppress(SetupError):
        place.graph().server(TENANT, CLIENT)
    refused(lambda: place.sign_in().application(ClientSecret(SECRET)))
    record("tenant", "a body that cannot be read", "a declared error")


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_no_body_fills_the_memory(place: Place, encoding: str) -> None:
    body = b'{"value": [' + b" " * (40 << 20)
    packed = gzip.compress(body) if encoding else body
    headers = {"Content-Encoding": encoding} if encoding else {}
    place.tenant.answer = lambda _method, _path: Answer(200, packed, headers)
    assert refused(lambda: place.graph().sites()).code == "answer-too-large"
    assert refused(lambda: place.sign_in().application(ClientSecret(SECRET))).code == "answer-too-large"
    record("tenant", f"40 MiB {encoding}".strip(), "given up at 32 MiB; answer-too-large")


FLOWS: list[dict[str, Any]] = [
    {"expires_in": "soon"},
    {"expires_in": 1e308},
    {"expires_in": -1},
    {"expires_in": None},
    {"expires_in": []},
    {"interval": "x"},
    {"interval": 1e9},
    {"interval": -5},
    {"interval": None},
    {"user_code": {}},
    {"user_code": "a\x1b[2J\n" * 1000},
    {"verification_uri": 7},
    {"message": ["\x1b]0;x\x07"]},
]


@pytest.mark.parametrize("changes", FLOWS, ids=[str(flow)[:40] for flow in FLOWS])
def test_no_device_code_breaks_or_holds_up_a_sign_in(place: Place, changes: dict[str, Any]) -> None:
    flow = {"user_code": "ABC", "device_code": "d", "verification_uri": "https://a/", "expires_in": 900}
    begun = Answer(body=json.dumps(flow | {"interval": 5} | changes).encode())
    pending = Answer(400, b'{"error": "authorization_pending"}')

    def answer(method: str, path: str) -> Answer:
        if method == "GET":
            return place.discovery()
        return begun if path.endswith("devicecode") else pending

    place.tenant.answer = answer
    shown: list[DeviceCode] = []
    refused(lambda: place.sign_in().device_code(shown.append))
    assert place.clock.elapsed <= 3600
    assert all(code.url.isprintable() and code.code.isprintable() for code in shown)
    record("tenant", f"a device code answer with {str(changes)[:40]}", "a declared error within an hour")


@pytest.mark.parametrize("identifier", ["../../applications", "a/b", "a\nb", "a?b", "%2e%2e", "", "a" * 9000])
def test_no_id_becomes_part_of_a_path(place: Place, identifier: str) -> None:
    """What the tenant gives as an id is asked for as one, or not at all."""
    entity = {"id": identifier, "displayName": "x"}
    place.tenant.answer = lambda _method, _path: Answer(body=json.dumps({"value": [entity]}).encode())
    site = place.graph().sites()[0]
    place.tenant.seen.clear()
    with pytest.raises(TenantError) as caught:
        place.graph().servers(site.id)
    assert caught.value.code == "id-malformed"
    assert caught.value.message.isprintable()
    assert place.tenant.seen == []
    record("tenant", f"the id {identifier[:20]!r}", "not asked for; id-malformed")


def _app_configuration(kind: type[IntuneObject], **properties: object) -> PresentAppConfiguration:
    found = kind.model_validate({"id": kind.__name__, "displayName": f"Main{TUNNEL}", **properties})
    assert isinstance(found, MobileAppConfiguration | TargetedManagedAppConfiguration)
    return PresentAppConfiguration(found, is_ios=True, apps=(DEFENDER,))


@pytest.mark.parametrize("number", ["9" * 5000, "-" + "9" * 5000, "²", "٣" * 5000, "-", "--1"])
def test_no_number_in_a_text_breaks_an_export(place: Place, number: str) -> None:
    """Graph has some numbers as text: an advanced setting, a setting of an iOS app, the port of a proxy."""
    timeout = {"name": "session-timeout", "value": number}
    wire = {"id": TENANT, "displayName": "Main", "advancedSettings": [timeout]}
    place.tenant.answer = lambda _method, _path: Answer(body=json.dumps({"value": [wire]}).encode())
    setting = {"appConfigKey": "mtu", "appConfigKeyType": "integerType", "appConfigKeyValue": number}
    proxy = {
        "connection_type": "MicrosoftProtect",
        "proxy_address": "proxy.contoso.com",
        "proxy_port": number,
    }
    custom = [{"name": f"{TUNNEL_KEYS}{name}", "value": value} for name, value in proxy.items()]
    tenant = TenantObjects(
        configurations=tuple(place.admin().objects(CONFIGURATIONS)),
        app_policies=(
            _app_configuration(MobileAppConfiguration, settings=[setting]),
            _app_configuration(TargetedManagedAppConfiguration, customSettings=custom),
        ),
    )
    assert tenant.mam
    assert all(text.encode() for text in declarations_of(tenant).values())
    shown = f"{number[:3]!r} ({len(number)} characters)"
    record("tenant", f"{shown} where a text should be a number, exported", "kept as text, or left out")
