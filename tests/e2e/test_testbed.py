"""The testbed and the gateway image, without the installer: configuration by hand, a throw-away issuer."""

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jwt
import jwt.algorithms
import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.testbed import vpn
from tests.testbed.installation import URL
from tests.testbed.machine import Machine
from tests.testbed.process import Completed, TestbedError
from tests.testbed.testbed import INTRANET_PAGE, INTRANET_URL, Testbed

# Every installation of the other files runs on a testbed too, with the same gateway image.
pytestmark = [pytest.mark.e2e, pytest.mark.long]

ISSUER = "http://lab.tunnel.test:8080"
AUDIENCE = "3678c9e9-9681-447a-974d-d19f668fcd88"
CONFIGURATION = """
auth = "oidc[config=/etc/mstunnel/oidc.json]"
tcp-port = 443
udp-port = 443
run-as-group = nogroup
server-cert = /etc/mstunnel/certs/site.crt
server-key = /etc/mstunnel/private/site.key
socket-file = /run/ocserv-socket
use-occtl = true
isolate-workers = true
max-clients = 128
max-ban-score = 0
keepalive = 300
dpd = 60
device = vpns
ipv4-network = 169.254.0.0
ipv4-netmask = 255.255.0.0
route = 10.99.0.0/255.255.255.0
tls-priorities = "NORMAL:%SERVER_PRECEDENCE"
"""
QUADLET = """
[Container]
Image={image}
ContainerName=mstunnel-server
AddCapability=NET_ADMIN
DropCapability=all
AddDevice=/dev/net/tun
Sysctl=net.ipv4.ip_forward=1 net.ipv4.ip_unprivileged_port_start=0
User=0
Group=65534
NoNewPrivileges=true
ReadOnly=true
Tmpfs=/etc/ssl/certs
Volume=/etc/mstunnel:/etc/mstunnel:ro
PublishPort=443:443/tcp
PublishPort=443:443/udp
HealthCmd=/usr/libexec/mstunnel/healthcheck
HealthInterval=10s
HealthStartPeriod=5s
Notify=healthy
[Install]
WantedBy=multi-user.target
"""
KEYS = {name: rsa.generate_private_key(public_exponent=65537, key_size=2048) for name in ("key-1", "key-2")}


def token(key: str = "key-1", **changes: object) -> str:
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "oid": "user-1", "iat": now, "nbf": now - 60, "exp": now + 600}
    return jwt.encode(claims | changes, KEYS[key], "RS256", headers={"kid": key})


def publish(testbed: Testbed, *names: str) -> None:
    """Have the issuer publish these signing keys, and no other."""
    public = {name: jwt.algorithms.RSAAlgorithm.to_jwk(KEYS[name].public_key()) for name in names}
    keys = [json.loads(key) | {"kid": name, "use": "sig", "alg": "RS256"} for name, key in public.items()]
    testbed.lab.write("/srv/keys.json", json.dumps({"keys": keys}))


@dataclass(frozen=True)
class Gateway:
    """A testbed whose server runs the gateway image; `authority` issued its certificate."""

    testbed: Testbed
    authority: bytes

    @property
    def server(self) -> Machine:
        return self.testbed.server

    def run(self, *command: str) -> Completed:
        return self.server.run(["podman", "exec", "mstunnel-server", *command])

    def connect(self, bearer: str) -> Completed:
        return vpn.connect(self.testbed.client, URL, self.authority, token=bearer)


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    with Testbed() as booted:
        yield booted


@pytest.fixture(scope="module")
def gateway(testbed: Testbed) -> Gateway:
    """The gateway image as a Quadlet unit of the server's systemd, pulled by digest from the registry."""
    image = testbed.start_registry().references["gateway"]
    document = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys.json"}
    testbed.lab.write("/srv/openid.json", json.dumps(document))
    publish(testbed, "key-1")
    testbed.lab.start(["python3", "-m", "http.server", "--directory=/srv", "8080"])
    authority = trustme.CA()
    leaf = authority.issue_cert("vpn.tunnel.test")
    chain = b"".join(pem.bytes() for pem in leaf.cert_chain_pems)
    testbed.server.write("/etc/mstunnel/private/site.key", leaf.private_key_pem.bytes(), 0o600)
    testbed.server.write("/etc/mstunnel/certs/site.crt", chain)
    openid = {
        "openid_configuration_url": f"{ISSUER}/openid.json",
        "user_name_claim": "oid",
        "required_claims": {"aud": AUDIENCE, "iss": ISSUER},
        "minimum_jwk_refresh_time": 1,
    }
    testbed.server.write("/etc/mstunnel/oidc.json", json.dumps(openid))
    testbed.server.write("/etc/mstunnel/ocserv.conf", CONFIGURATION)
    testbed.server.write("/etc/containers/systemd/mstunnel-server.container", QUADLET.format(image=image))
    testbed.server.run(["systemctl", "daemon-reload"])
    testbed.server.run(["systemctl", "start", "mstunnel-server.service"], timeout=120)
    return Gateway(testbed, authority.cert_pem.bytes())


def test_the_server_boots_without_a_failed_unit(testbed: Testbed) -> None:
    assert testbed.server.run(["systemctl", "is-system-running"]).stdout.strip() == "running"


def test_names_resolve_and_unknown_ones_are_refused_at_once(testbed: Testbed) -> None:
    assert "10.90.0.30" in testbed.server.run(["getent", "hosts", "lab.tunnel.test"]).stdout
    assert "10.90.0.10" in testbed.client.run(["getent", "hosts", "vpn.tunnel.test"]).stdout
    unknown = testbed.client.run(["getent", "hosts", "no.such.name"], check=False)
    assert unknown.code == 2
    assert unknown.seconds < 3


def test_a_snapshot_sees_every_change_and_nothing_else(testbed: Testbed) -> None:
    before = testbed.server.snapshot()
    assert testbed.server.snapshot() == before
    testbed.server.write("/etc/mstunnel-probe", "text", 0o600)
    changed = {path for path, entry in testbed.server.snapshot().items() if before.get(path) != entry}
    testbed.server.run(["rm", "/etc/mstunnel-probe"])
    assert changed == {"/etc/mstunnel-probe", "/etc"}


def test_a_command_that_hangs_is_ended(testbed: Testbed) -> None:
    with pytest.raises(TestbedError, match="no answer within 1 s"):
        testbed.server.run(["sleep", "30"], timeout=1)


def test_the_page_is_out_of_reach_without_the_tunnel(testbed: Testbed) -> None:
    for url in (INTRANET_URL, "http://10.99.0.80/"):
        assert testbed.client.run(["curl", "--silent", "--max-time", "3", url], check=False).code in {
            6,
            7,
            28,
        }
    assert testbed.server.run(["curl", "--silent", "--max-time", "3", INTRANET_URL]).stdout == INTRANET_PAGE


def test_the_first_token_of_a_new_signing_key_is_accepted(gateway: Gateway) -> None:
    publish(gateway.testbed, "key-2")
    connected = gateway.connect(token("key-2"))
    assert connected.code == 0, connected.describe() + gateway.server.shell("journalctl -n 40").stdout
    vpn.disconnect(gateway.testbed.client)
    refused = gateway.connect(token("key-1"))
    assert "401 Authentication failed" in refused.stdout
    publish(gateway.testbed, "key-1")


@pytest.mark.parametrize(
    "bearer",
    [
        pytest.param("not-a-token", id="no parts"),
        pytest.param("a.b.c", id="three parts of nothing"),
        pytest.param("." * 10, id="only dots"),
        pytest.param("eyJhbGciOiJub25lIn0.e30.", id="algorithm none"),
        pytest.param("eyJhbGciOiJSUzI1NiIsImtpZCI6MX0.e30.AAAA", id="key id is a number"),
        pytest.param("eyJhbGciOiJSUzI1NiJ9.e30.AAAA", id="no key id"),
    ],
)
def test_a_bad_token_is_refused_and_the_gateway_lives_on(gateway: Gateway, bearer: str) -> None:
    refused = gateway.connect(bearer)
    assert refused.code != 0
    assert "401 Authentication failed" in refused.stdout
    gateway.run("/usr/libexec/mstunnel/healthcheck")


def test_nothing_is_left_when_a_testbed_is_gone(testbed: Testbed) -> None:
    with Testbed(preloaded=True, built=testbed.images) as short:
        images = short.server.run(["podman", "images", "--format={{.Repository}}"]).stdout
        assert "localhost/mstunnel/gateway" in images
        pid, state = short.namespace.pid, short.state
        marker = f"TESTBED_STATE={state}".encode()
    assert not Path(f"/proc/{pid}").exists()
    assert not state.exists()
    environments = [path for path in Path("/proc").glob("[0-9]*/environ") if marker in _read(path)]
    assert environments == []
    assert str(state) not in subprocess.run(["mount"], capture_output=True, text=True, check=True).stdout


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
