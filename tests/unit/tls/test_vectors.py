"""Certificates and PFX files that others made to break readers: each gets a named verdict."""

from collections import Counter
from pathlib import Path

import pytest

from mstunnel_setup.errors import SetupError
from mstunnel_setup.tls.judge import judge
from mstunnel_setup.tls.model import Identity, Material
from mstunnel_setup.tls.read import read_material
from mstunnel_setup.tls.read_pfx import read_pfx
from tests.unit.tls.pki import NOW, private_key

vectors = pytest.importorskip("cryptography_vectors", reason="needs the package cryptography-vectors")
FOLDER = Path(str(vectors.__file__)).parent

# How many files of each folder (cryptography-vectors 50.0.2) are read, and why the others are not.
EXPECTED = {
    "x509/PKITS_data/certs/*.crt": {"read": 403, "certificate-unreadable": 2},
    "x509/PKITS_data/pkcs12/*.p12": {"read": 403, "certificate-unreadable": 2},
    "x509/custom/*.pem": {
        "read": 69,
        "certificate-missing": 21,
        "certificate-unreadable": 14,
        "certificate-unsupported": 1,
    },
    "x509/custom/*.der": {"read": 4, "certificate-unreadable": 11},
    "x509/*.pem": {"read": 22, "certificate-unreadable": 2, "key-unreadable": 2},
    "pkcs12/*.p12": {"read": 30, "certificate-missing": 1},
}
PASSPHRASES = (b"password", b"cryptography", b"")


def verdict(path: Path) -> str:
    data = path.read_bytes()
    try:
        material = _pfx(data) if path.suffix == ".p12" else read_material(data)
    except SetupError as error:
        return error.code
    for certificate in material.certificates:
        identity = Identity(certificate, (certificate,), private_key("p256"), material.certificates)
        findings = judge(identity, public_address="www.example.org", now=NOW)
        assert all(finding.message.isprintable() for finding in findings)
    return "read" if material.certificates else "certificate-missing"


def _pfx(data: bytes) -> Material:
    for passphrase in PASSPHRASES[:-1]:
        try:
            return read_pfx(data, passphrase)
        except SetupError as error:
            if error.code != "pfx-passphrase-wrong":
                raise
    return read_pfx(data, PASSPHRASES[-1])


@pytest.mark.parametrize("pattern", EXPECTED)
def test_every_file_has_a_verdict(pattern: str) -> None:
    assert dict(Counter(verdict(path) for path in FOLDER.glob(pattern))) == EXPECTED[pattern]
