"""Findings about the server certificate itself: its key, signature, purpose and names."""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import replace

import idna
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, PublicKeyAlgorithmOID

from mstunnel_setup.base.problem import Problem, Severity, error, warning
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.certificates.certificate import (
    LONGEST_NAME,
    extension,
    has_explicit_curve,
    has_weak_signature,
    is_ca,
    is_self_signed,
    serial_number,
    title,
)

_NEW_KEY = "Request a certificate with an RSA key of 2048 to 8192 bits, or an EC key on P-256 or P-384."

_RSA_BITS = 2048
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_DIGESTS = ("sha256", "sha384", "sha512")
LEAF = text("the certificate")


def leaf_findings(leaf: x509.Certificate, *, allow_self_signed: bool) -> Iterator[Problem]:
    """Yield all findings that do not depend on address, time and chain; a lab may use a self-signed leaf."""
    allowed = allow_self_signed and is_self_signed(leaf)
    if is_self_signed(leaf):
        yield replace(
            error(
                "self-signed",
                "the certificate is self-signed: devices do not trust it",
                hint="Use a certificate of a public authority or of your own. In a lab, give devices the "
                "certificate with a trusted certificate profile.",
            ),
            severity=Severity.NOTE if allowed else Severity.ERROR,
        )
    else:
        yield from signature_findings(leaf)
    yield from key_findings(leaf)
    yield from _purpose(leaf)
    yield from stapling_findings(leaf)
    if is_ca(leaf):
        yield replace(
            error(
                "leaf-is-ca",
                "the certificate is one of an authority (CA), not one of a server",
                hint="Request a server certificate (basic constraints: not a CA).",
            ),
            severity=Severity.WARNING if allowed else Severity.ERROR,
        )
    if serial_number(leaf) <= 0:
        yield warning(
            "serial-not-positive",
            "the serial number is {number}; strict clients refuse it (RFC 5280)",
            hint="Ask the authority for a certificate with a positive serial number.",
            number=serial_number(leaf),
        )


def signature_findings(certificate: x509.Certificate, what: str = LEAF) -> Iterator[Problem]:
    """Yield findings about a certificate's signature; messages call the certificate `what`."""
    weak = has_weak_signature(certificate)
    # Phones do not accept EdDSA, which names no digest.
    digest = None if weak is None else certificate.signature_hash_algorithm
    if digest is None or not (weak or digest.name in _DIGESTS):
        yield error(
            "signature-unknown",
            "{what} is signed with an algorithm that devices do not support",
            hint="Ask the authority for a signature with SHA-256 and RSA or ECDSA.",
            what=what,
        )
    elif weak:
        yield error(
            "signature-weak",
            "{what} is signed with SHA-1 or MD5, which can be forged",
            hint="Ask the authority for a signature with SHA-256 or better.",
            what=what,
        )


def key_findings(certificate: x509.Certificate, what: str = LEAF) -> Iterator[Problem]:
    """Yield findings about the public key."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        if certificate.public_key_algorithm_oid == PublicKeyAlgorithmOID.RSASSA_PSS:
            yield warning(
                "key-pss",
                "{what} has an RSA key that is restricted to PSS (RSASSA-PSS); Android and browsers "
                "refuse it",
                hint="Request a certificate for an ordinary RSA key (rsaEncryption) of 2048 to 8192 "
                "bits, or for an EC key on P-256 or P-384.",
                what=what,
            )
        if key.key_size < _RSA_BITS:
            yield error(
                "key-too-small",
                "{what} has an RSA key of {bits} bits, fewer than {least}",
                hint=_NEW_KEY,
                what=what,
                bits=key.key_size,
                least=_RSA_BITS,
            )
    elif isinstance(key, ec.EllipticCurvePublicKey):
        yield from _curve_findings(certificate, key.curve, what)
    elif isinstance(key, ed25519.Ed25519PublicKey):
        yield warning(
            "key-ed25519",
            "{what} has an Ed25519 key; phones do not accept it in TLS",
            hint=_NEW_KEY,
            what=what,
        )
    else:
        yield error(
            "key-type", "{what} has a key of a type that TLS servers do not use", hint=_NEW_KEY, what=what
        )


def _curve_findings(certificate: x509.Certificate, curve: ec.EllipticCurve, what: str) -> Iterator[Problem]:
    if not isinstance(curve, _CURVES):
        yield error(
            "key-curve",
            "{what} has a key on the curve {curve}, which devices do not accept",
            hint=_NEW_KEY,
            what=what,
            curve=curve.name,
        )
    elif has_explicit_curve(certificate):
        yield error(
            "key-explicit-curve",
            "{what} has an EC key with explicit parameters instead of a named curve; the gateway "
            "cannot load it",
            hint="Make a new key with a named curve (`openssl ecparam -name prime256v1 -genkey -noout`), "
            "and request a certificate for it.",
            what=what,
        )
    elif isinstance(curve, ec.SECP521R1) and what == LEAF:
        # Clients accept this key of a CA, but offer no signature with it in the handshake.
        yield warning(
            "key-p521",
            "the certificate has a key on the curve P-521; Android and browsers refuse it in TLS",
            hint=_NEW_KEY,
        )


def stapling_findings(certificate: x509.Certificate, what: str = LEAF) -> Iterator[Problem]:
    """Yield a warning if the TLS feature extension (RFC 7633) requires a feature that the gateway lacks.

    GnuTLS refuses such a certificate since 3.5.1; most clients on phones ignore the extension.
    """
    features = extension(certificate, x509.TLSFeature)
    if features is not None and x509.TLSFeatureType.status_request in features:
        yield warning(
            "must-staple",
            "{what} requires OCSP stapling (Must-Staple), which the gateway does not do: "
            "OpenConnect and other clients that use GnuTLS refuse it",
            hint="Request a certificate without OCSP Must-Staple (certbot: without `--must-staple`).",
            what=what,
        )


def _purpose(leaf: x509.Certificate) -> Iterator[Problem]:
    purposes, usage = extension(leaf, x509.ExtendedKeyUsage), extension(leaf, x509.KeyUsage)
    if purposes is None:
        yield warning(
            "eku-missing",
            "the certificate has no extended key usage; iOS refuses such certificates",
            hint="Request it with the purpose `serverAuth`.",
        )
    elif ExtendedKeyUsageOID.SERVER_AUTH not in purposes:
        yield error(
            "eku-server-auth",
            "the certificate of {subject} is not for servers (no `serverAuth` in extended key usage)",
            hint="Request a certificate for a web server (TLS server authentication).",
            subject=title(leaf),
        )
    if usage is not None and not usage.digital_signature:
        yield error(
            "key-usage",
            "the key usage does not allow digital signatures, which TLS 1.3 needs",
            hint="Request it with key usage `digitalSignature` (and `keyEncipherment` for RSA).",
        )
    if usage is not None and usage.key_cert_sign and not is_ca(leaf):
        yield warning(
            "usage-cert-sign",
            "the key usage allows the certificate to sign others (`keyCertSign`), but it is not one of "
            "an authority: strict clients refuse it",
            hint="Request it with key usage `digitalSignature` (and `keyEncipherment` for RSA).",
        )


IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_MAX_NAME = 253
_SHOWN = 10


def name_findings(leaf: x509.Certificate, public_address: str | None) -> Iterator[Problem]:
    """Yield findings about the subject alternative names: missing, unusable, or not for the address.

    The common name is ignored, as clients ignore it. Without `public_address` no name is compared.
    """
    names = extension(leaf, x509.SubjectAlternativeName)
    if names is None or not any(isinstance(name, x509.DNSName | x509.IPAddress) for name in names):
        yield error(
            "name-missing",
            "the certificate has no host name and no IP address as subject alternative name (SAN); a "
            "common name alone is not accepted",
            hint="Request a certificate with the gateway's public address as SAN.",
        )
        return
    bad = [name for name in names.get_values_for_type(x509.DNSName) if "*" in name and not _is_wildcard(name)]
    if bad:
        yield warning(
            "wildcard-partial",
            "a wildcard only counts as the whole first label (`*.example.org`): {names}",
            hint="Request a certificate for the full name or for `*.` and the domain.",
            names=plain(", ".join(bad)),
        )
    if public_address is None:
        return
    try:
        wanted = parse_address(public_address)
    except ValueError:
        yield error(
            "public-address-invalid",
            "the site's public address is neither a host name nor an IP address: {address}",
            hint="Correct the public address of the site.",
            address=plain(public_address),
        )
        return
    if not covers(names, wanted):
        remedy = text("Request a certificate for this address, or correct the public address of the site.")
        dns_names = [name.lower() for name in names.get_values_for_type(x509.DNSName)]
        if str(wanted) in dns_names:
            remedy = text("The address is there as a DNS name; request it as an IP address entry.")
        elif f"{wanted}." in dns_names:
            remedy = text("The name in the certificate ends in a dot; request it without the dot.")
        yield error(
            "name-mismatch",
            "the certificate is not valid for {address}; it names {names}",
            hint="{remedy}",
            address=wanted,
            names=shown_names(names),
            remedy=remedy,
        )


def _is_wildcard(name: str) -> bool:
    """Return whether it is `*.` and a domain of at least two labels: no client accepts `*.org`."""
    rest = name.removeprefix("*.")
    return rest != name and "*" not in rest and "." in rest.rstrip(".")


def parse_address(text: str) -> str | IpAddress:
    """Return an IP address, or a host name in lower-case ASCII form (IDNA 2008); raise ValueError."""
    try:
        return ipaddress.ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        name = text if text.isascii() else idna.encode(text, uts46=True).decode("ascii")
    name = name.lower().removesuffix(".")
    if len(name) > _MAX_NAME or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError(text)
    return name


def covers(names: x509.SubjectAlternativeName, wanted: str | IpAddress) -> bool:
    """Return whether one of the names covers the address; IP addresses count only as IP entries."""
    if not isinstance(wanted, str):
        return wanted in names.get_values_for_type(x509.IPAddress)
    # A name with a final dot is kept, because clients' libraries never match it (RFC 5280, 4.2.1.6).
    known = {name.lower() for name in names.get_values_for_type(x509.DNSName)}
    # OpenSSL and programs that use it match no wildcard with a label that has an underscore.
    first, _, rest = wanted.partition(".")
    wildcard = f"*.{rest}" in known and _is_wildcard(f"*.{rest}") and "_" not in first
    return wildcard or wanted in {name for name in known if not _is_wildcard(name)}


def is_valid_for(leaf: x509.Certificate, address: str) -> bool:
    """Return whether the certificate names this host name or IP address; False for a malformed address."""
    names = extension(leaf, x509.SubjectAlternativeName)
    try:
        return names is not None and covers(names, parse_address(address))
    except ValueError:
        return False


def shown_names(names: x509.SubjectAlternativeName) -> str:
    """Return the DNS and IP names for people, at most ten."""
    found = [
        *names.get_values_for_type(x509.DNSName),
        *(str(address) for address in names.get_values_for_type(x509.IPAddress)),
    ]
    if not found:
        return text("no host")
    shown = ", ".join(plain(name, LONGEST_NAME) for name in found[:_SHOWN])
    more = len(found) - _SHOWN
    return text("{names} and {more} more", names=shown, more=more) if more > 0 else shown
