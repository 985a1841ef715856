"""`mst-cli explain` as a whole, with prepared answers of the gateway's container."""

import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import EngineError, ExitCode, UsageError
from mstunnel_setup.base.result import Result
from mstunnel_setup.containers.engine import ContainerState
from mstunnel_setup.gateway.configuration import ServerConfiguration
from mstunnel_setup.gateway.ocserv_conf import TunnelSettings, ocserv_conf, read_tunnel_settings
from mstunnel_setup.gateway.options import Authentication, GatewayOptions
from mstunnel_setup.install.steps import certificate
from mstunnel_setup.io.process import Completed, Processes
from mstunnel_setup.operations import explain as explaining
from tests.refusals import refused
from tests.unit.certificates.pki import Pki, key_bytes
from tests.unit.fakes import FakeEngine
from tests.unit.install.scenes import Scene
from tests.unit.operations.conftest import validated
from tests.unit.operators import operator_of
from tests.unit.results import lines_of, rows_of

PHONE, TABLET = "192.0.2.7", "2001:db8::5"
INTRANET, HOST, OUTSIDE = "10.99.0.10", "10.99.0.1", "198.51.100.9"
DOCUMENT = {
    "network": "10.8.0.0/24",
    "dnsServers": ["10.99.0.53"],
    "splitDNS": ["corp.example"],
    "routeIncludes": ["10.99.0.0/16"],
}
CONFIGURATION = ServerConfiguration.from_wire(DOCUMENT)
ANSWERS = {
    "occtl --no-pager --json show users": json.dumps(
        [
            {"Username": "ada", "Remote IP": PHONE, "IPv4": "10.8.0.5", "State": "connected"},
            {"Username": "bob", "Remote IP": TABLET, "IPv4": "10.8.0.6", "State": "connected"},
        ]
    ),
    "occtl --no-pager --json show ip bans": "[]",
    "getent ahosts wiki.corp.example": f"{INTRANET} STREAM wiki\n{INTRANET} DGRAM\n",
    f"ip route get {INTRANET}": f"{INTRANET} via 10.88.0.1 dev eth0",
    f"ip route get {HOST}": f"{HOST} dev eth0",
    f"ip route get {OUTSIDE}": f"{OUTSIDE} via 10.88.0.1 dev eth0",
    f"nft get element inet mstunnel host {{ {HOST} }}": "in the set",
}


@dataclass
class Gateway(FakeEngine):
    """An engine whose container prints the entry of `ANSWERS` for a command, or fails without one."""

    asked: list[str] = field(default_factory=list)
    there: bool = True

    def inspect(self, name: str) -> ContainerState | None:
        if not self.there:
            raise EngineError("engine-missing", "there is no container engine")
        return ContainerState("running", "healthy", process_id=42)

    def execute(self, name: str, arguments: Sequence[str], timeout: float) -> Completed:
        self.asked.append(" ".join(arguments))
        if not self.there:
            raise EngineError("engine-missing", "there is no container engine")
        if arguments[0] == "timeout":
            return Completed(0, "", "")
        output = ANSWERS.get(" ".join(arguments))
        return Completed(1, "", "no") if output is None else Completed(0, output, "")


@dataclass
class Log(Processes):
    """Processes that print a log with one refused sign-in."""

    reason: str = "Token not within validity period NBF: 1 EXP: 2 Current: 3"

    def lines(self, arguments: Sequence[str], **_options: object) -> Iterator[str]:
        yield f"ocserv-oidc: {self.reason}"
        yield "worker: 192.0.2.9 worker-auth.c:1745: failed authentication for ''"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    scene = Scene(tmp_path, engine=Gateway(), processes=Log())
    scene.write(paths.OCSERV_CONF, ocserv_conf(CONFIGURATION))
    scene.write(paths.OIDC_JSON, json.dumps({"required_claims": {"tid": "t"}, "user_name_claim": "oid"}))
    monkeypatch.setattr(explaining, "installed_run", lambda *_given, **_more: nullcontext(scene.opened()))
    return scene


def explain(scene: Scene, who: str, token_file: Path | None = None) -> Result:
    """Return the result after checking its schema and its width of at most 80 columns."""
    operator = operator_of(scene.root, clock=scene.clock)
    result = validated("mst-cli explain", explaining.explain(operator, who, token_file))
    assert max(map(len, lines_of(result))) <= 80
    return result


def outcome(result: Result, row: str) -> object:
    return next(each["result"] for each in rows_of(result, "rows") if each["id"] == row)


def seen(result: Result, row: str) -> str:
    return str(next(each["seen"] for each in rows_of(result, "rows") if each["id"] == row))


def test_file_modes_of_the_host_are_not_reported(host: Scene) -> None:
    pki = Pki()
    host.write(paths.SITE_PFX, b"").chmod(0o644)
    host.write(paths.SITE_CERTIFICATE, pki.pem("leaf") + pki.pem("inter"))
    host.write(paths.SITE_KEY, key_bytes(pki.key_name("leaf"))).chmod(0o644)
    host.trusted = (pki.certificate("root"),)
    host.run(certificate.STEP, host.opened())
    assert "mode" not in seen(explain(host, PHONE), "certificate")


def test_device_refused_device_and_destination_are_explained(host: Scene) -> None:
    connected = explain(host, "ada")
    assert [outcome(connected, name) for name in ("session", "lease", "token", "dns")] == ["ok"] * 4
    refused = explain(host, "192.0.2.9")
    assert (outcome(refused, "token"), "validity period" in seen(refused, "token")) == ("problem", True)
    assert refused.exit_code is ExitCode.CHECK
    outside = explain(host, OUTSIDE)
    assert (outcome(outside, "routes"), outcome(outside, "session")) == ("problem", "unknown")


@pytest.mark.parametrize("who", [TABLET, "2001:DB8::5", "2001:db8:0:0::5"])
def test_address_is_accepted_in_any_notation(host: Scene, who: str) -> None:
    found = explain(host, who)
    assert (outcome(found, "session"), found.data["subject"]) == ("ok", who)


def test_destination_is_compared_with_the_firewall_rules(host: Scene) -> None:
    assert outcome(explain(host, INTRANET), "firewall") == "ok"
    refused = explain(host, HOST)
    assert (outcome(refused, "firewall"), "host" in seen(refused, "firewall")) == ("problem", True)
    assert "no route" in seen(explain(host, "10.99.0.99"), "firewall")


def test_name_is_resolved_by_the_gateway(host: Scene) -> None:
    named = explain(host, "wiki.corp.example")
    assert seen(named, "dns") == f"wiki.corp.example is {INTRANET} on the gateway"
    assert outcome(named, "routes") == "ok"


def test_given_token_is_decoded_and_never_shown(host: Scene, tmp_path: Path) -> None:
    file = token_of(host, tmp_path / "token", tid="x", oid="ada", upn="ada@example.com")
    result = explain(host, "ada", file)
    assert outcome(result, "token") == "ok"
    assert seen(result, "claims") == "tid is x, required is t (rule tenant)"
    shown = json.dumps(dict(result.data)) + "".join(lines_of(result))
    assert file.read_text().split(".")[1] not in shown
    assert "ada@example.com" not in shown


def token_of(host: Scene, file: Path, **claims: object) -> Path:
    """Write an access token with these claims to a file."""
    now = int(host.clock.now().timestamp())
    header = {"alg": "RS256", "typ": "JWT", "kid": "k"}
    whole = {"tid": "t", "nbf": now, "iat": now, "exp": now + 60, **claims}
    parts = (base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=") for each in (header, whole))
    file.write_text(f"{b'.'.join(parts).decode()}.signature")
    return file


def test_user_principal_name_is_resolved_by_the_users_token(host: Scene, tmp_path: Path) -> None:
    file = token_of(host, tmp_path / "token", oid="ada", upn="Ada@contoso.com")
    result = explain(host, "ada@contoso.com", file)
    assert [outcome(result, name) for name in ("token", "claims", "session")] == ["ok"] * 3
    assert result.data["subject"] == "ada@contoso.com"


def test_user_principal_name_without_token_is_refused(host: Scene, tmp_path: Path) -> None:
    of_another = token_of(host, tmp_path / "token", oid="bob", upn="bob@contoso.com")
    for file in (None, of_another):
        with refused(UsageError, "user-name-unresolved") as caught:
            explain(host, "ada@contoso.com", file)
        assert "az ad user show --id ada@contoso.com" in caught.value.hint


def test_any_user_name_is_accepted_with_certificates(host: Scene) -> None:
    by_certificate = GatewayOptions(authentication=Authentication.CERTIFICATE)
    host.write(paths.OCSERV_CONF, ocserv_conf(CONFIGURATION, by_certificate))
    assert outcome(explain(host, "ada@contoso.com"), "session") == "problem"


def test_guest_is_explained_without_a_token(host: Scene) -> None:
    result = explain(host, "ada_fabrikam.com#EXT#@contoso.onmicrosoft.com")
    assert outcome(result, "claims") == "problem"
    assert "guest" in seen(result, "claims")


def test_refused_guest_is_explained_by_device_address(host: Scene) -> None:
    host.processes = Log("Token has another value in claim: acct")
    (row,) = (each for each in rows_of(explain(host, "192.0.2.9"), "rows") if each["id"] == "token")
    assert str(row["seen"]).endswith("(rule member)")
    assert "Guests and personal accounts cannot use the tunnel" in str(row["hint"])


def test_missing_token_file_is_refused(host: Scene) -> None:
    with refused(UsageError, "file-missing"):
        explain(host, "ada", Path("/nowhere/token"))


@pytest.mark.parametrize("who", ["", "two words", "a\nb"])
def test_subject_must_be_one_word(host: Scene, who: str) -> None:
    with pytest.raises(UsageError):
        explain(host, who)


def test_routes_are_explained_without_an_engine(host: Scene) -> None:
    assert isinstance(host.engine, Gateway)
    host.engine.there = False
    result = explain(host, OUTSIDE)
    assert [outcome(result, name) for name in ("gateway", "session", "routes")] == [
        "problem",
        "unknown",
        "problem",
    ]


def served(**changes: Any) -> TunnelSettings:
    configuration = ServerConfiguration.from_wire({**DOCUMENT, **changes})
    found = read_tunnel_settings(ocserv_conf(configuration).encode())
    assert found is not None
    return found


def test_served_settings_are_read_from_the_configuration() -> None:
    found = served(ipv6Network="fd00:1::/64", routeExcludes=["10.99.7.0/24"])
    assert found == TunnelSettings(
        port=443,
        by_token=True,
        pools=(ip_network("10.8.0.0/24"), ip_network("fd00:1::/64")),
        dns_servers=("10.99.0.53",),
        split_dns=("corp.example",),
        includes=(ip_network("10.99.0.0/16"),),
        excludes=(ip_network("10.99.7.0/24"),),
        udp=True,
        session_timeout=3600,
    )
    assert found.is_of_device(ip_address("fd00:1::7"))


def test_without_ranges_only_exclusions_bypass_the_tunnel() -> None:
    full = served(routeIncludes=[], routeExcludes=["10.0.0.0/8"])
    assert full.route_to(ip_address(OUTSIDE)) == ip_network("0.0.0.0/0")
    assert full.route_to(ip_address("2001:db8::1")) == ip_network("::/0")
    assert full.route_to(ip_address("10.1.2.3")) is None
    assert not full.is_of_device(ip_address("fdb3:7c1e:94a2::1")), "IPv6 that ends at the gateway is no pool"


def test_authentication_is_read_and_damaged_file_is_ignored() -> None:
    options = GatewayOptions(authentication=Authentication.CERTIFICATE)
    found = read_tunnel_settings(ocserv_conf(CONFIGURATION, options).encode())
    assert found is not None
    assert not found.by_token
    for damaged in (b"", b"tcp-port = 443\n", b"\xff", ocserv_conf(CONFIGURATION).encode()[:200]):
        assert read_tunnel_settings(damaged) is None
