"""CAs and CRLs for the certificates of devices: only those that the gateway can rely on are accepted."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from mstunnel_setup.base.errors import CertificateError
from mstunnel_setup.certificates import device_authority
from mstunnel_setup.certificates.device_authority import (
    device_authorities,
    judge_lists,
    lists_pem,
    read_lists,
)
from tests.refusals import refused
from tests.unit.certificates.pki import NOW, Pki, key_bytes, private_key
from tests.unit.certificates.revocation_material import (
    OTHER_ISSUER,
    PARTIAL,
    PKI,
    UNKNOWN,
    revocation_list,
    scope,
)

CHANGED = Pki(
    {
        "over": {"like": "inter", "days": 300, "start": -365},
        "early": {"like": "inter", "start": 2},
        "no-signer": {"like": "inter", "usage": ["digital_signature"]},
        "forged": {"like": "inter", "hash": "sha1"},
        "bare": {"like": "inter", "usage": None},
        "no-lists": {"like": "inter", "subject": "inter", "usage": ["key_cert_sign"]},
    }
)
PATH = "/root/device-ca.pem"


def authorities(content: bytes) -> list[str]:
    found = device_authorities(content, PATH, NOW)
    return [certificate.subject.rfc4514_string() for certificate in found]


def test_authorities_keep_the_order_of_the_file() -> None:
    assert authorities(PKI.pem("inter")) == ["CN=inter"]
    assert authorities(PKI.pem("root") + PKI.pem("inter")) == ["CN=root", "CN=inter"]
    assert authorities(PKI.der("root")) == ["CN=root"]
    assert authorities(CHANGED.pem("bare")) == ["CN=bare"]


@pytest.mark.parametrize(
    ("content", "faults"),
    [
        (b"", ["it contains no certificate"]),
        (b"-----BEGIN NONSENSE-----\n", ["damaged"]),
        (PKI.pem("inter") + key_bytes("p256/inter"), ["it contains a private key"]),
        (PKI.pem("root") + PKI.pem("leaf"), ["leaf is not a CA (basic constraints)"]),
        (CHANGED.pem("over"), ["over expired on 2026-03-"]),
        (CHANGED.pem("early"), ["early is valid only from 2026-06-03"]),
        (CHANGED.pem("no-signer"), ["no-signer may not issue certificates (key usage)"]),
        (CHANGED.pem("forged"), ["forged is signed with SHA-1 or MD5"]),
        (CHANGED.pem("over") + PKI.pem("leaf"), ["over expired on", "leaf is not a CA"]),
    ],
)
def test_unusable_authorities_are_refused_with_every_fault(content: bytes, faults: list[str]) -> None:
    with refused(CertificateError, "device-authority-unusable") as caught:
        device_authorities(content, PATH, NOW)
    assert all(fault in caught.value.message for fault in [PATH, *faults])


def judged(content: bytes, *issuers: x509.Certificate) -> bytes:
    lists = read_lists(content, PATH)
    judge_lists(lists, PATH, issuers or [PKI.certificate("inter")], NOW)
    return lists_pem(lists)


def test_crls_in_pem_or_der_are_written_as_pem() -> None:
    """After reading a CRL in DER, ocserv 1.3.0 reads none in PEM until its restart."""
    der = revocation_list()
    pem = x509.load_der_x509_crl(der).public_bytes(Encoding.PEM)
    assert judged(der) == judged(pem) == pem
    other = list_of_root()
    both = (PKI.certificate("inter"), PKI.certificate("root"))
    assert judged(b"A comment\n" + PKI.pem("inter") + pem + other, *both) == pem + other


def list_of_root() -> bytes:
    """Return a CRL of the root, as another CA."""
    root = PKI.certificate("root")
    builder = x509.CertificateRevocationListBuilder().issuer_name(root.subject)
    builder = builder.last_update(NOW).next_update(NOW + timedelta(days=7))
    return builder.sign(private_key("p256/root"), hashes.SHA256()).public_bytes(Encoding.PEM)


def test_two_crls_with_one_issuer_name_are_refused() -> None:
    """GnuTLS keeps only the last one, so devices that the other one revokes could connect."""
    one, other = revocation_list(pem=True), revocation_list(pem=True, without_leaf=True)
    with pytest.raises(
        CertificateError, match="it holds 2 lists of CN=inter; the gateway uses one"
    ) as caught:
        judged(one + other)
    assert caught.value.code == "device-revocations-unusable"
    # A CA with a new key signs a second CRL with the same issuer name.
    renewed = Pki({"next": {"like": "inter", "subject": "inter", "key": "p256/next"}}).certificate("next")
    with pytest.raises(CertificateError, match="it holds 2 lists of CN=inter"):
        judged(one + revocation_list(pem=True, signer="p256/next"), PKI.certificate("inter"), renewed)


def test_duplicate_crl_is_dropped() -> None:
    pem = revocation_list(pem=True)
    assert judged(pem + pem) == pem


def test_delta_crl_is_the_only_fault_beside_its_base_crl() -> None:
    delta = revocation_list(pem=True, extensions=[(x509.DeltaCRLIndicator(1), True)])
    with pytest.raises(CertificateError, match=r": the list of CN=inter holds only the changes[^;]*$"):
        judged(revocation_list(pem=True) + delta)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"signer": "p256/stranger"}, "is not signed by that CA"),
        ({"start": NOW - timedelta(days=8)}, "has been out of date since 2026-05-31 12:00 UTC"),
        ({"start": NOW + timedelta(hours=1)}, "is from the future"),
        ({"extensions": [(x509.DeltaCRLIndicator(1), True)]}, "a delta list"),
        ({"extensions": [(scope(indirect_crl=True), True)]}, "is not about all of its devices"),
        ({"extensions": [(PARTIAL, True)]}, "is not about all of its devices"),
        ({"extensions": [(scope(only_contains_ca_certs=True), True)]}, "is not about all of its devices"),
        (
            {"extensions": [(scope(only_contains_attribute_certs=True), True)]},
            "is not about all of its devices",
        ),
        ({"extensions": [(UNKNOWN, True)]}, "the list of CN=inter has an unknown critical extension"),
        ({"of_entry": [(UNKNOWN, True)]}, "an entry of the list of CN=inter has an unknown critical"),
        ({"of_entry": [(OTHER_ISSUER, True)]}, "an entry of the list of CN=inter has an unknown critical"),
    ],
)
def test_unreliable_crl_is_refused(changes: dict[str, Any], fault: str) -> None:
    with refused(CertificateError, "device-revocations-unusable", fault):
        judged(revocation_list(**changes))


def test_crl_of_another_ca_is_refused() -> None:
    with pytest.raises(CertificateError, match="CN=inter, which is not one of the CAs"):
        judged(revocation_list(), PKI.certificate("root"))


def test_crl_of_a_ca_without_crl_sign_usage_is_refused() -> None:
    with pytest.raises(CertificateError, match="its key is not for lists"):
        judged(revocation_list(), CHANGED.certificate("no-lists"))


def test_crl_that_is_too_large_as_pem_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stored PEM is read again with the same limit, for example by `mst-cli cert check`."""
    der = revocation_list()
    monkeypatch.setattr(device_authority, "_MAX_BYTES", len(der))
    with pytest.raises(CertificateError, match=rf"as PEM it has \d+ bytes, and at most {len(der)} are read"):
        read_lists(der, PATH)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no list",
        PKI.pem("inter"),
        PKI.der("inter"),
        revocation_list()[:90],
        revocation_list(pem=True)[:90],
    ],
    ids=["empty", "text", "certificate", "certificate as DER", "cut off", "cut off PEM"],
)
def test_file_without_a_valid_crl_is_refused(content: bytes) -> None:
    with refused(CertificateError, "device-revocations-unusable", PATH):
        read_lists(content, PATH)
