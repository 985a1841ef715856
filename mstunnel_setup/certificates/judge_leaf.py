"""The leaf alone: key, signature, what it may be used for."""

from collections.abc import Iterator
from dataclasses import replace

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, PublicKeyAlgorithmOID

from mstunnel_setup.base.errors import Declared
from mstunnel_setup.base.text import text
from mstunnel_setup.certificates import findings
from mstunnel_setup.certificates.certificate import (
    extension,
    has_explicit_curve,
    has_weak_signature,
    is_ca,
    is_self_signed,
    serial_number,
    title,
)
from mstunnel_setup.certificates.model import Finding, Severity

_RSA_BITS = 2048
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_DIGESTS = ("sha256", "sha384", "sha512")
_LEAF = text("the certificate")


def leaf_findings(leaf: x509.Certificate, *, allow_self_signed: bool) -> Iterator[Finding]:
    """Everything that does not depend on address, time and chain. In a lab, a self-signed one is a note."""
    allowed = allow_self_signed and is_self_signed(leaf)
    if is_self_signed(leaf):
        yield replace(findings.SELF_SIGNED(), severity=Severity.NOTE if allowed else Severity.ERROR)
    else:
        yield from signature_findings(leaf)
    yield from key_findings(leaf)
    yield from _purpose(leaf)
    yield from stapling_findings(leaf)
    if is_ca(leaf):
        yield replace(findings.LEAF_IS_CA(), severity=Severity.WARNING if allowed else Severity.ERROR)
    if serial_number(leaf) <= 0:
        yield findings.SERIAL_NOT_POSITIVE(number=serial_number(leaf))


def signature_findings(certificate: x509.Certificate, what: str = _LEAF) -> Iterator[Finding]:
    """Findings about the signature on a certificate, which messages call `what`."""
    weak = has_weak_signature(certificate)
    if weak is None or not (weak or _has_usual_digest(certificate)):
        yield _about(what, findings.SIGNATURE_UNKNOWN)
    elif weak:
        yield _about(what, findings.SIGNATURE_WEAK)


def _about(what: str, finding: Declared[Finding], **values: object) -> Finding:
    """The finding, or for a certificate above the leaf the one of the chain."""
    return (finding if what == _LEAF else findings.CHAIN[finding])(what=what, **values)


def _has_usual_digest(certificate: x509.Certificate) -> bool:
    """Whether phones take it; EdDSA, which they do not, names no digest."""
    digest = certificate.signature_hash_algorithm
    return digest is not None and digest.name in _DIGESTS


def key_findings(certificate: x509.Certificate, what: str = _LEAF) -> Iterator[Finding]:
    """Findings about the public key."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        if certificate.public_key_algorithm_oid == PublicKeyAlgorithmOID.RSASSA_PSS:
            yield _about(what, findings.KEY_PSS)
        if key.key_size < _RSA_BITS:
            yield _about(what, findings.KEY_TOO_SMALL, bits=key.key_size, least=_RSA_BITS)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        yield from _curve_findings(certificate, key.curve, what)
    elif isinstance(key, ed25519.Ed25519PublicKey):
        yield _about(what, findings.KEY_ED25519)
    else:
        yield _about(what, findings.KEY_TYPE)


def _curve_findings(certificate: x509.Certificate, curve: ec.EllipticCurve, what: str) -> Iterator[Finding]:
    if not isinstance(curve, _CURVES):
        yield _about(what, findings.KEY_CURVE, curve=curve.name)
    elif has_explicit_curve(certificate):
        yield _about(what, findings.KEY_EXPLICIT_CURVE)
    elif isinstance(curve, ec.SECP521R1) and what == _LEAF:
        # Clients accept it as an authority's key, but offer no signature with it for the handshake.
        yield findings.KEY_P521()


def stapling_findings(certificate: x509.Certificate, what: str = _LEAF) -> Iterator[Finding]:
    """A warning where the TLS feature extension (RFC 7633) requires what the gateway does not do.

    GnuTLS refuses such a certificate (since 3.5.1), most clients on phones ignore the extension.
    """
    features = extension(certificate, x509.TLSFeature)
    if features is not None and x509.TLSFeatureType.status_request in features:
        yield _about(what, findings.MUST_STAPLE)


def _purpose(leaf: x509.Certificate) -> Iterator[Finding]:
    purposes, usage = extension(leaf, x509.ExtendedKeyUsage), extension(leaf, x509.KeyUsage)
    if purposes is None:
        yield findings.EKU_MISSING()
    elif ExtendedKeyUsageOID.SERVER_AUTH not in purposes:
        yield findings.EKU_SERVER_AUTH(subject=title(leaf))
    if usage is not None and not usage.digital_signature:
        yield findings.KEY_USAGE()
    if usage is not None and usage.key_cert_sign and not is_ca(leaf):
        yield findings.USAGE_CERT_SIGN()
