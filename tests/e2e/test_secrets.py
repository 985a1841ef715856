"""No secret leaves its place: whatever runs wrote, showed or handed to processes is searched for it."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12

from tests.testbed import canary
from tests.testbed.certificates import as_pfx
from tests.testbed.installation import ADMINISTRATOR, ANSWERS, LAB, PUBLIC_ADDRESS, Installation
from tests.testbed.paths import JOURNAL
from tests.testbed.testbed import DOMAIN

pytestmark = pytest.mark.e2e

PASSPHRASE = "Pass/phrase+of the & testbed~7"
CLIENT_ID = "5b1c2f7e-64f1-4b8b-9c53-0a5a1f0c7d11"
# As in the seed file of the testbed.
CLIENT_SECRET = "Automation~of/the+testbed.8"
TOKEN_LENGTH = 64
SCRIPTS = Path(canary.__file__).parent
STOP, SAMPLES = "/tmp/stop-sampling", "/tmp/samples"


@dataclass
class Evidence:
    """What a run showed, by run; and the secrets that were used."""

    host: Installation
    shown: dict[str, bytes] = field(default_factory=dict)
    secrets: dict[str, bytes] = field(default_factory=dict)

    def run(self, name: str, code: int, *arguments: str, user: str = ADMINISTRATOR) -> None:
        """Install, and keep both streams."""
        fixed = ("--answers", ANSWERS, "--unattended", "--verbose", *arguments)
        finished = self.host.program("mstunnel-setup", *fixed, check=False, user=user)
        assert finished.code == code, finished.describe()
        self.shown[f"stdout of {name}"] = finished.stdout.encode()
        self.shown[f"stderr of {name}"] = finished.stderr.encode()

    def look(self) -> dict[str, bytes]:
        """Everything there is to search."""
        return {**self.shown, **canary.left_behind(self.host.server)}


@contextmanager
def sampling(host: Installation) -> Iterator[dict[str, bytes]]:
    """Collect command lines and environments of all processes meanwhile; they are there at the end."""
    found: dict[str, bytes] = {}
    host.server.write("/tmp/sampler.py", (SCRIPTS / "sampler.py").read_text())
    host.server.run(["rm", "-f", STOP, SAMPLES])
    host.server.start(["python3", "/tmp/sampler.py", STOP, SAMPLES])
    try:
        yield found
    finally:
        host.server.shell(f"touch {STOP}; while ! test -s {SAMPLES}; do sleep 0.1; done")
        found["processes"] = host.server.run(["cat", SAMPLES]).stdout.encode()


def place_pfx(host: Installation) -> bytes:
    """Put a PFX file and its passphrase on the server; 32 bytes of the key that must not appear."""
    chain, key = host.authority.issue(PUBLIC_ADDRESS)
    private = load_pem_private_key(key, None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    host.server.write("/root/site.pfx", as_pfx(chain, key, PASSPHRASE.encode()), 0o600)
    host.server.write("/root/passphrase", PASSPHRASE, 0o600)
    return private.private_numbers().private_value.to_bytes(32, "big")


def agent_key(host: Installation) -> bytes:
    """The first 48 bytes of a prime of the agent's key."""
    packed = host.server.run(["sh", "-c", "base64 /etc/mstunnel/private/agent.p12"]).stdout
    key, _, _ = pkcs12.load_key_and_certificates(base64.b64decode(packed), b"")
    assert isinstance(key, rsa.RSAPrivateKey)
    return key.private_numbers().p.to_bytes(192, "big")[:48]


def answers(host: Installation, sign_in: Mapping[str, str], **changes: object) -> None:
    tenant = {**host.answers()["tenant"], "id": host.lab["tenant_id"]}
    certificate = {"pfx": "/root/site.pfx", "passphrase": "file:/root/passphrase"}
    host.write_answers({"tenant": tenant, "certificate": certificate, "sign_in": sign_in, **changes})


@pytest.fixture
def evidence(host: Installation) -> Iterator[Evidence]:
    token = host.on_the_lab("graph.py", LAB, ADMINISTRATOR).strip()
    host.server.write("/root/client-secret", CLIENT_SECRET, 0o600)
    host.server.write("/root/wrong", "Wrong/secret+of the & testbed~9", 0o600)
    host.server.write("/root/token", token, 0o600)
    secrets = {
        "passphrase": PASSPHRASE.encode(),
        "client secret": CLIENT_SECRET.encode(),
        "wrong secret": b"Wrong/secret+of the & testbed~9",
        "key of the site": place_pfx(host),
        "access token": token.rpartition(".")[2].encode(),
        # The same for all tokens of this tenant, so it also finds tokens that are not known here.
        "any access token": token.partition(".")[0].encode(),
    }
    yield Evidence(host, secrets=secrets)
    host.uninstall()
    host.server.shell("rm -f /root/site.pfx /root/passphrase /root/client-secret /root/wrong /root/token")
    host.server.shell("rm -rf /tmp/sampler.py /var/log/planted")


def test_no_secret_is_anywhere_but_in_its_place(evidence: Evidence) -> None:
    host = evidence.host
    with sampling(host) as processes:
        fail_in_many_ways(evidence)
        answers(
            host,
            {"method": "client-secret", "client_id": CLIENT_ID, "client_secret": "file:/root/client-secret"},
        )
        evidence.run("the installation", 0, "--output", "json")
        evidence.secrets["key of the agent"] = agent_key(host)
        evidence.run("the second run", 0)
        installed = evidence.look()
        removed = host.program("mst-cli", "uninstall", "--unattended", "--verbose")
        evidence.shown["uninstall"] = (removed.stdout + removed.stderr).encode()
    places = {**installed, **evidence.look(), **processes}

    for path in (JOURNAL, "/var/log/mstunnel/setup.log", "journal", "processes"):
        assert b"mstunnel" in places[path]
    assert canary.leaks(evidence.secrets, places) == []
    digests = json.loads(host.on_the_lab("secret_digests.py", f"{LAB}/lab.sqlite"))
    assert len(digests["DeviceCodeRecord"]) > 1
    assert len(digests["RefreshTokenRecord"]) > 1
    known = {*digests["DeviceCodeRecord"], *digests["RefreshTokenRecord"]}
    assert canary.leaked_tokens(known, TOKEN_LENGTH, places) == []


@pytest.mark.long
def test_agent_signs_in_with_a_secret_that_stays_in_place(evidence: Evidence) -> None:
    host = evidence.host
    sign_in = {"method": "client-secret", "client_id": CLIENT_ID, "client_secret": "file:/root/client-secret"}
    answers(host, sign_in, identity={"credential": "secret"})
    evidence.run("the installation", 0)
    host.wait_until_healthy()
    evidence.secrets["secret of the agent"] = host.server.read("/etc/mstunnel/private/agent-secret").encode()
    assert canary.leaks(evidence.secrets, evidence.look()) == []


def fail_in_many_ways(evidence: Evidence) -> None:
    """Runs that stop with every kind of secret in their hands."""
    host = evidence.host
    wrong = {"pfx": "/root/site.pfx", "passphrase": "file:/root/wrong"}
    device_code = {"method": "device-code", "client_id": host.lab["client_id"]}
    answers(host, device_code, certificate=wrong)
    evidence.run("a wrong passphrase", 4)
    answers(host, {"method": "client-secret", "client_id": CLIENT_ID, "client_secret": "file:/root/wrong"})
    evidence.run("a wrong client secret", 5)
    answers(host, device_code)
    evidence.run("a user without the role", 5, user=f"reader@{DOMAIN}")
    answers(host, device_code, site="Atlantis")
    evidence.run("a device code", 6, "--output", "json")
    answers(host, {"method": "token-file", "token_file": "/root/token"}, site="Atlantis")
    evidence.run("a token file", 6)


@pytest.mark.long
def test_the_search_finds_what_is_planted(evidence: Evidence) -> None:
    host, secrets = evidence.host, evidence.secrets
    for name, secret in secrets.items():
        for form, written in canary.forms(secret).items():
            host.server.write(f"/var/log/planted/{name} {form}", b"x" + written + b"y")
    with sampling(host) as processes:
        host.server.run(["sleep", "0.5"], env={"PLANTED": CLIENT_SECRET})
        host.server.run(["sh", "-c", "sleep 0.5", PASSPHRASE])
    host.server.run(["logger", CLIENT_SECRET])
    places = {**evidence.look(), **processes}

    found = set(canary.leaks(secrets, places))
    for name, secret in secrets.items():
        for form in canary.forms(secret):
            assert f"{name} as {form} in /var/log/planted/{name} {form}" in found
    assert {
        "client secret as raw in processes",
        "passphrase as raw in processes",
        "client secret as raw in journal",
    } <= found
    token = "t" * TOKEN_LENGTH
    digest = hashlib.sha256(token.encode()).hexdigest()
    assert canary.leaked_tokens([digest], TOKEN_LENGTH, {"here": f"a {token}.".encode()}) == ["here"]
