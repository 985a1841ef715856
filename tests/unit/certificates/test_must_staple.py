"""OCSP Must-Staple (RFC 7633): a real client refuses exactly the certificates that cause a warning."""

import ssl
import subprocess
from pathlib import Path

import pytest

from mstunnel_setup.certificates.chain_findings import judge
from mstunnel_setup.certificates.load import load_identity
from tests.serving import Answer, answering
from tests.unit.certificates.pki import NOW, Pki, Spec, key_bytes

ADDRESS = "127.0.0.1"
LEAF: Spec = {"names": [ADDRESS], "start": 0, "days": 3650}
DEMAND = {"features": ["status_request"]}
OLD_DEMAND = {"features": ["status_request_v2"]}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"leaf": LEAF}, set[str]()),
        ({"leaf": LEAF | OLD_DEMAND}, set[str]()),
        ({"leaf": LEAF | DEMAND}, {"must-staple"}),
        ({"leaf": LEAF, "inter": DEMAND}, {"chain-must-staple"}),
    ],
    ids=["nothing", "version-2", "leaf", "issuer"],
)
def test_openconnect_refuses_must_staple_certificates(
    tmp_path: Path, changes: dict[str, Spec], found: set[str]
) -> None:
    pki = Pki(changes)
    chain, key, root = (tmp_path / name for name in ("chain.pem", "key.pem", "root.pem"))
    chain.write_bytes(pki.pem("leaf") + pki.pem("inter"))
    key.write_bytes(key_bytes(pki.key_name("leaf")))
    root.write_bytes(pki.pem("root"))
    identity = load_identity(chain.read_bytes(), key.read_bytes())
    findings = judge(identity, public_address=ADDRESS, now=NOW, trusted_roots=[pki.certificate("root")])
    assert {finding.code for finding in findings} - {"lifetime-public"} == found
    options = ("--no-system-trust", "--cafile", str(root), "--non-inter", "--authenticate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    with answering(lambda _request: Answer(501), tls=context) as port:
        command = ["openconnect", *options, f"https://{ADDRESS}:{port}"]
        told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stderr
    assert ("failed verification" in told) == bool(found), told
    assert ("Connected to HTTPS" in told) != bool(found), told
