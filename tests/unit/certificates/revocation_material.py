"""Create certificates, CRLs and OCSP responses of the intermediate CA, with any fault."""

from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from tests.unit.certificates.pki import NOW, Pki, private_key

PKI = Pki()
LEAF, ISSUER = PKI.certificate("leaf"), PKI.certificate("inter")


def certificate_with_crl_at(*addresses: str) -> x509.Certificate:
    """Return a certificate of the intermediate CA with these CRL addresses."""
    names = [x509.UniformResourceIdentifier(address) for address in addresses]
    point = x509.DistributionPoint(names, None, None, None)
    builder = x509.CertificateBuilder(
        ISSUER.subject, LEAF.subject, LEAF.public_key(), 4711, NOW, NOW + timedelta(days=9)
    )
    builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
    return builder.sign(private_key("p256/inter"), hashes.SHA256())


def revocation_list(**changes: object) -> bytes:
    """Return a CRL of the intermediate CA that revokes the leaf, unless `without_leaf` is given."""
    start = changes.get("start", NOW - timedelta(days=1))
    assert isinstance(start, datetime)
    builder = x509.CertificateRevocationListBuilder().issuer_name(ISSUER.subject)
    builder = builder.last_update(start).next_update(start + timedelta(days=7))
    serial = 4713 if changes.get("without_leaf") else LEAF.serial_number
    entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(start)
    for extension, critical in changes.get("extensions", ()):  # type: ignore[attr-defined]
        builder = builder.add_extension(extension, critical)
    for extension, critical in changes.get("of_entry", ()):  # type: ignore[attr-defined]
        entry = entry.add_extension(extension, critical)
    crl = builder.add_revoked_certificate(entry.build()).sign(
        private_key(str(changes.get("signer", "p256/inter"))), hashes.SHA256()
    )
    return crl.public_bytes(Encoding.PEM if changes.get("pem") else Encoding.DER)


def response(**changes: object) -> bytes:
    """Return an OCSP response that the intermediate CA itself signed: the leaf is good."""
    start = changes.get("start", NOW - timedelta(days=1))
    about = changes.get("about", LEAF)
    assert isinstance(start, datetime)
    assert isinstance(about, x509.Certificate)
    end = None if changes.get("undated") else start + timedelta(days=7)
    builder = ocsp.OCSPResponseBuilder().add_response(
        about, ISSUER, hashes.SHA256(), ocsp.OCSPCertStatus.GOOD, start, end, None, None
    )
    signer = str(changes.get("signer", "inter"))
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.NAME, PKI.certificate(signer))
    signed = builder.sign(private_key(f"p256/{signer}"), hashes.SHA256())
    return signed.public_bytes(Encoding.DER)


def scope(**changes: object) -> x509.IssuingDistributionPoint:
    """Return an issuing distribution point, which limits the certificates that a CRL covers."""
    plain = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**{**plain, **changes})  # type: ignore[arg-type]


PLACE = x509.UniformResourceIdentifier("http://pki.example/ca.crl")
PARTIAL = scope(only_some_reasons=frozenset({x509.ReasonFlags.key_compromise}))
OTHER_ISSUER = x509.CertificateIssuer([x509.DirectoryName(PKI.certificate("stranger").subject)])
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
