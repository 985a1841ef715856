"""The leaf alone: key, signature, what it may be used for."""

from collections.abc import Iterator

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from mstunnel_setup.tls.certificate import (
    extension,
    has_weak_signature,
    is_ca,
    is_self_signed,
    serial_number,
    title,
)
from mstunnel_setup.tls.model import Finding, Severity

_RSA_BITS = 2048
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_DIGESTS = ("sha256", "sha384", "sha512")
_NEW_KEY = "Request a certificate with an RSA key of 2048 bits or more, or an EC key on P-256 or P-384."


def leaf_findings(leaf: x509.Certificate, *, allow_self_signed: bool) -> Iterator[Finding]:
    """Everything that can be said without address, time and chain."""
    self_signed = is_self_signed(leaf)
    if self_signed:
        yield _self_signed(allowed=allow_self_signed)
    else:
        yield from signature_findings(leaf, "signature", "the certificate")
    yield from key_findings(leaf, "key", "the certificate")
    yield from _purpose(leaf)
    yield from _key_usage(leaf)
    yield from stapling_findings(leaf, "must-staple", "the certificate")
    if is_ca(leaf):
        yield _leaf_is_ca(allowed=self_signed and allow_self_signed)
    if serial_number(leaf) <= 0:
        yield Finding(
            "serial-not-positive",
            Severity.WARNING,
            f"the serial number is {serial_number(leaf)}; strict clients refuse it (RFC 5280)",
            "Ask the authority for a certificate with a positive serial number.",
        )


def _self_signed(*, allowed: bool) -> Finding:
    if allowed:
        return Finding(
            "self-signed",
            Severity.NOTE,
            "the certificate is self-signed, which a lab tenant allows",
            "Give devices the certificate with a trusted certificate profile, or they refuse the gateway.",
        )
    return Finding(
        "self-signed",
        Severity.ERROR,
        "the certificate is self-signed: devices have no reason to trust it",
        "Use a certificate of a public authority or of your own one; self-signed ones are for labs only.",
    )


def _leaf_is_ca(*, allowed: bool) -> Finding:
    return Finding(
        "leaf-is-ca",
        Severity.WARNING if allowed else Severity.ERROR,
        "the certificate is one of an authority (CA), not one of a server",
        "Request a server certificate (basic constraints: not a CA).",
    )


def signature_findings(certificate: x509.Certificate, prefix: str, what: str) -> Iterator[Finding]:
    """Findings `<prefix>-weak` and `<prefix>-unknown` about the signature on a certificate."""
    weak = has_weak_signature(certificate)
    if weak is None or not (weak or _has_usual_digest(certificate)):
        yield Finding(
            f"{prefix}-unknown",
            Severity.ERROR,
            f"{what} is signed with an algorithm that devices do not know",
            "Ask the authority for a signature with SHA-256 and RSA or ECDSA.",
        )
    elif weak:
        yield Finding(
            f"{prefix}-weak",
            Severity.ERROR,
            f"{what} is signed with SHA-1 or MD5, which can be forged",
            "Ask the authority for a signature with SHA-256 or better.",
        )


def _has_usual_digest(certificate: x509.Certificate) -> bool:
    """Whether TLS clients take it; EdDSA has no digest of its own choice."""
    digest = certificate.signature_hash_algorithm
    return digest is None or digest.name in _DIGESTS


def key_findings(certificate: x509.Certificate, prefix: str, what: str) -> Iterator[Finding]:
    """Findings `<prefix>-too-small`, `<prefix>-curve` and `<prefix>-type` about the public key."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < _RSA_BITS:
            message = f"{what} has an RSA key of {key.key_size} bits, fewer than {_RSA_BITS}"
            yield Finding(f"{prefix}-too-small", Severity.ERROR, message, _NEW_KEY)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        if not isinstance(key.curve, _CURVES):
            message = f"{what} has a key on the curve {key.curve.name}, which devices do not accept"
            yield Finding(f"{prefix}-curve", Severity.ERROR, message, _NEW_KEY)
    elif isinstance(key, ed25519.Ed25519PublicKey):
        message = f"{what} has an Ed25519 key; phones do not accept it in TLS"
        yield Finding(f"{prefix}-ed25519", Severity.WARNING, message, _NEW_KEY)
    else:
        message = f"{what} has a key of a kind that TLS servers do not use"
        yield Finding(f"{prefix}-type", Severity.ERROR, message, _NEW_KEY)


def stapling_findings(certificate: x509.Certificate, name: str, what: str) -> Iterator[Finding]:
    """Finding `name` where the TLS feature extension (RFC 7633) asks for what the gateway does not do.

    A warning: GnuTLS refuses such a certificate (since 3.5.1), most clients on phones do not look at it.
    """
    features = extension(certificate, x509.TLSFeature)
    if features is not None and x509.TLSFeatureType.status_request in features:
        yield Finding(
            name,
            Severity.WARNING,
            f"{what} demands that the server sends an OCSP answer along, which the gateway does not do: "
            "OpenConnect and other clients that use GnuTLS refuse it",
            "Request a certificate without OCSP Must-Staple (certbot: without `--must-staple`).",
        )


def _purpose(leaf: x509.Certificate) -> Iterator[Finding]:
    usage = extension(leaf, x509.ExtendedKeyUsage)
    if usage is None:
        yield Finding(
            "eku-missing",
            Severity.WARNING,
            "the certificate does not say what it is for (extended key usage); iOS refuses such certificates",
            "Request it with the purpose `serverAuth`.",
        )
    elif ExtendedKeyUsageOID.SERVER_AUTH not in usage:
        yield Finding(
            "eku-server-auth",
            Severity.ERROR,
            f"the certificate of {title(leaf)} is not for servers (no `serverAuth` in extended key usage)",
            "Request a certificate for a web server (TLS server authentication).",
        )


def _key_usage(leaf: x509.Certificate) -> Iterator[Finding]:
    usage = extension(leaf, x509.KeyUsage)
    if usage is not None and not usage.digital_signature:
        yield Finding(
            "key-usage",
            Severity.ERROR,
            "the key usage does not allow digital signatures, which TLS 1.3 needs",
            "Request it with key usage `digitalSignature` (and `keyEncipherment` for RSA).",
        )
