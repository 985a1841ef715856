"""Attacker: a stranger, or a device, who writes lines of their own into the gateway's log.

The real ocserv of the image, with each way to sign in, logs as much as it can.
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from unicodedata import category

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from mstunnel_setup.operations.explain_facts import read_log
from mstunnel_setup.operations.gateway_log import session_record
from tests.attack import log_attacker
from tests.attack.record import record
from tests.attack.tokens import STRANGER
from tests.testbed import images
from tests.testbed.certificates import Authority
from tests.testbed.namespace import Namespace

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(600)]

ATTACKER: Final = "device"
OUTCOME: Final = "one line each; control characters are replaced"
VICTIM: Final = "203.0.113.77"
SESSION: Final = f"OCSERV_TELEMETRY,disconnect,{VICTIM},x,x,x,forged,x,x,9,9,9"
REFUSAL: Final = f"worker: {VICTIM} failed authentication for ''"
REASON: Final = "ocserv-oidc: Token malformed - forged"
# What ends a line for a program, a library or a terminal; each character is one byte.
BREAKS: Final = (
    "\n",
    "\r",
    "\r\n",
    "\r\n ",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x1b[2J\x1b[H",
    "\x7f",
    "\xc2\x85",
    "\x00",
)
EVERYTHING: Final = 8
PORTS: Final = {"plain": 4433, "certificate": 4434, "oidc": 4435}

CONFIGURATION: Final = """
tcp-port = {port}
server-cert = /attack/chain.pem
server-key = /attack/key.pem
ca-cert = /attack/ca.pem
cert-user-oid = 2.5.4.3
cert-group-oid = 2.5.4.11
run-as-user = ocserv
run-as-group = ocserv
isolate-workers = true
socket-file = /run/{way}
use-occtl = true
occtl-socket-file = /run/occtl-{way}
use-utmp = false
log-level = {level}
connect-script = /usr/libexec/mstunnel/session-log
disconnect-script = /usr/libexec/mstunnel/session-log
device = {way}
ipv4-network = 10.66.{net}.0
ipv4-netmask = 255.255.255.0
select-group = one
select-group-by-url = true
max-ban-score = 0
cookie-timeout = 60
cisco-client-compat = true
"""


@dataclass
class Servers:
    """One ocserv for each way to sign in, in the network of `namespace`; their log is read once."""

    namespace: Namespace
    directory: Path
    authority: Authority
    key: rsa.RSAPrivateKey

    def send(self, way: str, *requests: Sequence[str], certificate: Path | None = None) -> list[str]:
        """Send requests as an attacker; those of one sequence on one connection. Return the answers."""
        given = {
            "port": PORTS[way],
            "certificate": str(certificate) if certificate else None,
            "requests": requests,
        }
        argv = (sys.executable, str(Path(log_attacker.__file__)))
        done = self.namespace.run(*argv, stdin=json.dumps(given), timeout=120)
        answers: list[str] = json.loads(done.stdout)
        return answers

    def log(self, way: str) -> bytes:
        """Return everything that this server has logged; the end of a session is logged late."""
        path = self.directory / f"{way}.log"
        size = -1
        while size != (size := path.stat().st_size):
            time.sleep(0.3)
        return path.read_bytes()

    def token(self, header: Mapping[str, object], **claims: object) -> str:
        """A token that the server believes, with this header and these claims."""
        now = int(time.time())
        usual = {"iss": "tenant", "oid": STRANGER, "iat": now - 9, "nbf": now - 9, "exp": now + 600}
        return jwt.encode({**usual, **claims}, self.key, "RS256", {"kid": "1", "typ": "JWT", **header})

    def device_certificate(self, name: str, text: str) -> Path:
        """Certificate and key of a device whose user has this name, in one file."""
        path = self.directory / f"{name}.pem"
        path.write_bytes(b"".join(self.authority.issue_device(text)))
        return path


def _start(servers: Servers, container: str, way: str, auth: str) -> None:
    settings = {"port": PORTS[way], "way": way, "net": PORTS[way] % 100, "level": EVERYTHING}
    path = servers.directory / f"{way}.conf"
    path.write_text(f"auth = {json.dumps(auth)}\n{CONFIGURATION.format(**settings)}")
    command = f"ocserv --foreground --log-stderr --config /attack/{way}.conf >/attack/{way}.log 2>&1"
    servers.namespace.podman("exec", "--detach", container, "sh", "-c", command)
    end = time.monotonic() + 30
    while not servers.send(way, ["GET / HTTP/1.1\r\nHost: x\r\n\r\n"])[0].startswith("HTTP/1.1"):
        assert time.monotonic() < end, servers.log(way).decode(errors="replace")
        time.sleep(0.2)


def _keys(directory: Path, key: rsa.RSAPrivateKey) -> None:
    """The documents that the server fetches, and the rules for tokens."""
    public = json.loads(RSAAlgorithm.to_jwk(key.public_key()))
    (directory / "keys.json").write_text(json.dumps({"keys": [{**public, "kid": "1"}]}))
    (directory / "openid.json").write_text(json.dumps({"jwks_uri": "file:///attack/keys.json"}))
    rules = {
        "openid_configuration_url": "file:///attack/openid.json",
        "user_name_claim": "oid",
        "required_claims": {"iss": "tenant"},
    }
    (directory / "oidc.json").write_text(json.dumps(rules))


@contextmanager
def _running(directory: Path) -> Iterator[Servers]:
    authority, key = Authority(), rsa.generate_private_key(65537, 2048)
    directory.chmod(0o755)
    chain, private = authority.issue("vpn.tunnel.test")
    (directory / "chain.pem").write_bytes(chain)
    (directory / "key.pem").write_bytes(private)
    (directory / "ca.pem").write_bytes(authority.pem)
    (directory / "passwd").write_text("")
    _keys(directory, key)
    reference = images.build()["gateway"].reference
    with ExitStack() as stack:
        namespace = Namespace(directory / "state")
        stack.callback(namespace.close)
        options = ["--detach", "--name=gateway", "--network=host", "--cap-add=NET_ADMIN"]
        options += ["--device=/dev/net/tun", f"--volume={directory}:/attack", "--entrypoint=sleep"]
        namespace.podman("run", *options, reference, "infinity")
        servers = Servers(namespace, directory, authority, key)
        _start(servers, "gateway", "plain", "plain[passwd=/attack/passwd]")
        _start(servers, "gateway", "certificate", "certificate")
        _start(servers, "gateway", "oidc", "oidc[config=/attack/oidc.json]")
        yield servers


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with _running(tmp_path_factory.mktemp("log")) as servers:
        yield servers


def _request(headers: Sequence[str] = (), body: str = "", path: str = "/auth", method: str = "POST") -> str:
    head = [f"{method} {path} HTTP/1.1", "Host: vpn.tunnel.test", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join([*head, "", body])


def _url(text: str) -> str:
    return "".join(f"%{ord(character):02X}" for character in text)


def _xml(text: str) -> str:
    return "".join(f"&#{ord(character)};" for character in text)


def _document(user: str, group: str) -> str:
    return (
        '<?xml version="1.0"?><config-auth client="vpn" type="auth-reply"><auth>'
        f"<username>{user}</username></auth><group-select>{group}</group-select></config-auth>"
    )


_AGENT: Final = "User-Agent: AnyConnect"
_HEADERS: Final = (
    "User-Agent",
    "X-CSTP-Hostname",
    "X-AnyConnect-Identifier-DeviceType",
    "X-AnyConnect-Identifier-Platform",
    "X-AnyConnect-Identifier-Device-UniqueID",
    "X-Support-HTTP-Auth",
    "Authorization",
    "Cookie",
    "X-CSTP-Accept-Encoding",
    "X-DTLS-CipherSuite",
    "X-Forged",
)


def _attacks(mark: str, text: str) -> Iterator[tuple[str, ...]]:
    """Put the text into each field, in each form that a decoder of the gateway makes it from."""
    for form in (f"{mark}{text}", f"{mark}{_url(text)}", f"{mark}{_xml(text)}"):
        yield (_request([_AGENT], f"username={form}"),)
        yield (_request([_AGENT], f"username={form}&group%5flist={form}"),)
        yield (_request([_AGENT, "X-Aggregate-Auth: 1"], _document(form, form)),)
        yield (_request(path=f"/{form}", method="GET"),)
        yield (_request([f"{name}: {form}" for name in _HEADERS]),)
        yield from ((_request([f"{name}: {form}"]),) for name in _HEADERS)
    yield (_request([f"{mark}{text}: x"]),)
    yield (f"{mark}{text} / HTTP/1.1\r\n\r\n",)


def _lines(log: bytes) -> list[str]:
    """The lines of a log, in which no control character is, and which no stranger has begun."""
    lines = log.decode("utf-8", errors="replace").split("\n")
    assert not [line for line in lines if any(category(character) == "Cc" for character in line)]
    begun = [line for line in lines if line.lstrip("? ").startswith((SESSION, REFUSAL, REASON))]
    assert not begun, begun
    found = read_log(lines, VICTIM)
    assert (found.refused, found.last) == (0, None)
    assert "forged" not in found.reason
    return lines


@pytest.mark.parametrize("way", PORTS)
def test_no_request_begins_a_line_of_the_log(servers: Servers, way: str) -> None:
    attacks: list[tuple[str, ...]] = []
    for number, line_break in enumerate(BREAKS):
        forged = (SESSION, REFUSAL, REASON)[number % 3]
        attacks += _attacks(f"mark{number}.", f"{line_break}{forged}{line_break}")
    answers = servers.send(way, *attacks)
    assert sum(answer.startswith("HTTP/1.1") for answer in answers) > len(answers) / 3
    lines = _lines(servers.log(way))
    # The fields do reach the log, or this proves nothing. What follows a null character does not.
    marks = [f"mark{number}." for number in range(len(BREAKS))]
    fields = [
        "User-agent: '",
        "Platform: '",
        "Device-type: '",
        "invalid hostname '",
        "HTTP GET /",
        "username=",
    ]
    for field in fields:
        assert any(f"{field}{mark}" in line for line in lines for mark in marks), field
    if way == "plain":
        for mark in marks[:-1]:
            assert any(f"authentication for '{mark}?" in line for line in lines), mark
    record(ATTACKER, f"fields of a request with line breaks, for the log ({way})", OUTCOME)


_START = _request([_AGENT, "X-Aggregate-Auth: 1"], '<config-auth client="vpn" type="init"></config-auth>')
_TUNNEL = "CONNECT /CSCOSSLC/tunnel HTTP/1.1\r\nHost: x\r\nCookie: COOKIES\r\nX-CSTP-Version: 1\r\n\r\n"


def test_no_subject_of_a_certificate_begins_a_line_of_the_log(servers: Servers) -> None:
    for number, line_break in enumerate(BREAKS):
        if line_break in ("\x00", "\xc2\x85"):
            continue
        path = servers.device_certificate(f"device{number}", f"eve{number}.{line_break}{SESSION[:40]}")
        answers = servers.send("certificate", [_START, _TUNNEL], certificate=path)
        assert "200 CONNECTED" in answers[0], answers
    lines = _lines(servers.log("certificate"))
    for number in (0, 1, 7):
        assert any(f"eve{number}.?" in line for line in lines)
    sessions = [found for line in lines if (found := session_record(line))]
    assert {found.client for found in sessions} == {"127.0.0.1"}
    record(ATTACKER, "subject of a certificate with line breaks, for the log", OUTCOME)


def test_no_part_of_a_token_begins_a_line_of_the_log(servers: Servers) -> None:
    for number, line_break in enumerate(BREAKS):
        for text in (f"mark{number}.{line_break}{forged}" for forged in (SESSION, REFUSAL, REASON)):
            tokens = [servers.token({name: text}) for name in ("kid", "typ")]
            tokens += [servers.token({}, **{name: text}) for name in ("iss", "oid", "aud", "upn")]
            servers.send(
                "oidc", *([_request([_AGENT, f"Authorization: Bearer {token}"]), _TUNNEL] for token in tokens)
            )
    lines = _lines(servers.log("oidc"))
    assert any("mark0.?" in line for line in lines)
    record(ATTACKER, "claims and header of a token with line breaks, for the log", OUTCOME)
