"""Findings about certificates, each declared once (docs/reference/certificates.md)."""

from dataclasses import replace
from functools import partial
from typing import Final

from mstunnel_setup.base.errors import Declared, declare
from mstunnel_setup.certificates.model import Finding, Severity

PAGE: Final = "docs/reference/certificates.md"


def declare_finding(severity: Severity, code: str, message: str, hint: str = "") -> Declared[Finding]:
    """Declare a finding about a certificate. `code` is a contract: its meaning never changes."""

    def made(code: str, message: str, hint: str) -> Finding:
        return Finding(code, severity, message, hint)

    return declare(made, code, message, hint, PAGE)


_error = partial(declare_finding, Severity.ERROR)
_warning = partial(declare_finding, Severity.WARNING)
_note = partial(declare_finding, Severity.NOTE)

_RENEW = "Renew the certificate and import the new one."
_FRESH_CHAIN = "Get the intermediate certificates from the authority and give the whole chain again."
_NEW_KEY = "Request a certificate with an RSA key of 2048 to 8192 bits, or an EC key on P-256 or P-384."

# Time

EXPIRED = _error("expired", "the certificate expired on {end:%Y-%m-%d}", _RENEW)
NOT_YET_VALID = _error(
    "not-yet-valid",
    "the certificate is valid only from {start:%Y-%m-%d %H:%M} UTC",
    "Check the clock of this server, or import the certificate later.",
)
EXPIRES_SOON = _warning("expires-soon", "the certificate expires on {end:%Y-%m-%d}, in {days} days", _RENEW)
CHAIN_EXPIRED = _error(
    "chain-expired",
    "{name} in the chain expired on {end:%Y-%m-%d}",
    "Get the authority's current intermediate certificates and give the whole chain again.",
)
CHAIN_NOT_YET_VALID = _error(
    "chain-not-yet-valid",
    "{name} in the chain is valid only from {start:%Y-%m-%d}",
    "Check the clock of this server, or use the authority's current chain.",
)
CHAIN_EXPIRES_SOON = _warning(
    "chain-expires-soon",
    "{name} in the chain expires on {end:%Y-%m-%d}, in {days} days",
    "Get the authority's new chain before that day.",
)
LIFETIME_PUBLIC = _warning(
    "lifetime-public",
    "the certificate is issued for {days} days, more than {limit}: iOS refuses it, Android advises against "
    "it",
    "Request a certificate of at most {limit} days.",
)
LIFETIME_PRIVATE = _warning(
    "lifetime-private",
    "the certificate is issued for {days} days, more than {limit}: iOS refuses it",
    "Request a certificate of at most {limit} days.",
)

# Names

NAME_MISSING = _error(
    "name-missing",
    "the certificate has no host name and no IP address as subject alternative name (SAN); a common name "
    "alone is not accepted",
    "Request a certificate with the gateway's public address as SAN.",
)
NAME_MISMATCH = _error(
    "name-mismatch", "the certificate is not valid for {address}; it names {names}", "{remedy}"
)
PUBLIC_ADDRESS_INVALID = _error(
    "public-address-invalid",
    "the site's public address is neither a host name nor an IP address: {address}",
    "Correct the public address of the site.",
)
WILDCARD_PARTIAL = _warning(
    "wildcard-partial",
    "a wildcard only counts as the whole first label (`*.example.org`): {names}",
    "Request a certificate for the full name or for `*.` and the domain.",
)

# Key, signature, purpose. CHAIN has those that also apply to a certificate above the leaf.

SIGNATURE_WEAK = _error(
    "signature-weak",
    "{what} is signed with SHA-1 or MD5, which can be forged",
    "Ask the authority for a signature with SHA-256 or better.",
)
SIGNATURE_UNKNOWN = _error(
    "signature-unknown",
    "{what} is signed with an algorithm that devices do not support",
    "Ask the authority for a signature with SHA-256 and RSA or ECDSA.",
)
KEY_TOO_SMALL = _error("key-too-small", "{what} has an RSA key of {bits} bits, fewer than {least}", _NEW_KEY)
KEY_CURVE = _error(
    "key-curve", "{what} has a key on the curve {curve}, which devices do not accept", _NEW_KEY
)
KEY_TYPE = _error("key-type", "{what} has a key of a type that TLS servers do not use", _NEW_KEY)
KEY_EXPLICIT_CURVE = _error(
    "key-explicit-curve",
    "{what} has an EC key with explicit parameters instead of a named curve; the gateway cannot load it",
    "Make a new key with a named curve (`openssl ecparam -name prime256v1 -genkey -noout`), and request a "
    "certificate for it.",
)
KEY_P521 = _warning(
    "key-p521",
    "the certificate has a key on the curve P-521; Android and browsers refuse it in TLS",
    _NEW_KEY,
)
KEY_PSS = _warning(
    "key-pss",
    "{what} has an RSA key that is restricted to PSS (RSASSA-PSS); Android and browsers refuse it",
    "Request a certificate for an ordinary RSA key (rsaEncryption) of 2048 to 8192 bits, or for an EC key on "
    "P-256 or P-384.",
)
KEY_ED25519 = _warning("key-ed25519", "{what} has an Ed25519 key; phones do not accept it in TLS", _NEW_KEY)
MUST_STAPLE = _warning(
    "must-staple",
    "{what} requires OCSP stapling (Must-Staple), which the gateway does not do: OpenConnect and other "
    "clients that use GnuTLS refuse it",
    "Request a certificate without OCSP Must-Staple (certbot: without `--must-staple`).",
)
CRITICAL_EXTENSION = _error(
    "critical-extension",
    "{what} has a critical extension that clients do not process, so they refuse it: {names}",
    "Ask the authority for a certificate without it, or with it not marked critical.",
)
CHAIN: Final = {
    item: replace(item, code=f"chain-{item.code}")
    for item in (
        SIGNATURE_WEAK,
        SIGNATURE_UNKNOWN,
        KEY_TOO_SMALL,
        KEY_CURVE,
        KEY_EXPLICIT_CURVE,
        KEY_PSS,
        KEY_TYPE,
        KEY_ED25519,
        MUST_STAPLE,
        CRITICAL_EXTENSION,
    )
}
EKU_MISSING = _warning(
    "eku-missing",
    "the certificate has no extended key usage; iOS refuses such certificates",
    "Request it with the purpose `serverAuth`.",
)
EKU_SERVER_AUTH = _error(
    "eku-server-auth",
    "the certificate of {subject} is not for servers (no `serverAuth` in extended key usage)",
    "Request a certificate for a web server (TLS server authentication).",
)
KEY_USAGE = _error(
    "key-usage",
    "the key usage does not allow digital signatures, which TLS 1.3 needs",
    "Request it with key usage `digitalSignature` (and `keyEncipherment` for RSA).",
)
USAGE_CERT_SIGN = _warning(
    "usage-cert-sign",
    "the key usage allows the certificate to sign others (`keyCertSign`), but it is not one of an authority: "
    "strict clients refuse it",
    "Request it with key usage `digitalSignature` (and `keyEncipherment` for RSA).",
)
LEAF_IS_CA = _error(
    "leaf-is-ca",
    "the certificate is one of an authority (CA), not one of a server",
    "Request a server certificate (basic constraints: not a CA).",
)
SELF_SIGNED = _error(
    "self-signed",
    "the certificate is self-signed: devices do not trust it",
    "Use a certificate of a public authority or of your own. In a lab, give devices the certificate with a "
    "trusted certificate profile.",
)
SERIAL_NOT_POSITIVE = _warning(
    "serial-not-positive",
    "the serial number is {number}; strict clients refuse it (RFC 5280)",
    "Ask the authority for a certificate with a positive serial number.",
)

# Chain

CHAIN_INCOMPLETE = _error(
    "chain-incomplete",
    "the chain stops at {end}: its issuer {issuer} is missing",
    "Add the certificate of {issuer} to the chain.{where}",
)
ROOT_UNKNOWN = _warning(
    "root-unknown",
    "the chain stops at {end}: its issuer {issuer} is missing; cannot verify whether {issuer} is a root: no "
    "trust store",
    "Add the root certificate to the chain to have it checked.",
)
CHAIN_NOT_CA = _error("chain-not-ca", "{what} is not an authority (CA)", _FRESH_CHAIN)
CHAIN_PATH_LENGTH = _error(
    "chain-path-length", "{what} allows {allowed} authorities below it, the chain has {found}", _FRESH_CHAIN
)
CHAIN_KEY_TOO_LARGE = _error(
    "chain-key-too-large",
    "{what} has an RSA key of {bits} bits, more than {most}: Android, iOS and browsers refuse it",
    "Use a certificate of an authority with a smaller key.",
)
CHAIN_KEY_USAGE = _error("chain-key-usage", "{what} may not sign certificates (key usage)", _FRESH_CHAIN)
CHAIN_EKU = _error("chain-eku", "{what} may not issue server certificates (extended key usage)", _FRESH_CHAIN)
KEY_IDENTIFIER = _error(
    "chain-key-identifier",
    "{name} names another certificate as its issuer than {issuer} (authority key identifier): same name, "
    "other key or serial number",
    _FRESH_CHAIN,
)
NAME_CONSTRAINTS = _error(
    "chain-name-constraints",
    "{issuer} in the chain may not issue certificates for {name} (name constraints)",
    "Request a certificate for a name that the authority may issue for, or use another authority.",
)
ROOT_NOT_TRUSTED = _warning(
    "root-not-trusted",
    "the chain ends in {end}, which is neither a public authority known to this server nor one of "
    "`mst-cli ca-trust list`",
    "Give devices the whole chain with a trusted certificate profile, or they refuse the gateway. If the "
    "authority is yours, compare the fingerprint of its root and add it with `mst-cli ca-trust add`.",
)
PRIVATE_CA = _note(
    "private-ca",
    "the chain ends in {end}, which is not a public authority known to this server",
    "Give devices the whole chain with a trusted certificate profile, or they refuse the gateway.",
)
CHAIN_REORDERED = _note("chain-reordered", "the certificates were not in order; they are served leaf first")
CHAIN_CROSS_SIGNED = _note(
    "chain-cross-signed", "the chain has {count} possible paths; the one to {end} is used"
)
ROOT_INCLUDED = _note("root-included", "the root {root} is in the input; it is not sent to devices")
CERTIFICATE_UNUSED = _note(
    "certificate-unused", "certificates that do not belong to this chain are left out: {names}"
)

# Revocation

REVOKED = _error(
    "revoked",
    "the certificate of {subject} is revoked{details}",
    "Request a new certificate with a new key from the authority.",
)
REVOCATION_UNKNOWN = _warning(
    "revocation-unknown",
    "the authority's responder does not know the certificate of {subject} ({addresses})",
    "A certificate issued minutes ago may not be known yet; ask the authority if this stays.",
)
REVOCATION_UNREACHABLE = _warning(
    "revocation-unreachable",
    "cannot find out whether the certificate of {subject} is revoked: {tried}",
    "Let this server reach these addresses, directly or through the proxy in env.sh.",
)
REVOCATION_NOT_ASKED = _warning(
    "revocation-not-asked",
    "the certificate of {subject} names its revocation list only by addresses that devices do not use "
    "({addresses})",
    "Have the authority put an http address into its certificates: for OCSP, or for the list.",
)

# Files

KEY_EXPOSED = _error(
    "key-exposed",
    "{path} holds a private key and has mode {mode:04o}, so other accounts can read it",
    "Leave only certificates in that file, and replace the key: others may have copied it.",
)
KEY_MODE = _error(
    "key-mode",
    "{path} has mode {mode:04o}, not {wanted:04o}",
    "Repair it with `mst-cli cert repair`; before the installation: `chmod {wanted:04o} {path}`.",
)
ROOT_UNREADABLE = _warning(
    "root-unreadable", "{path} cannot be read: {problem}", "Remove it, or give the authority as PEM."
)
ROOT_NOT_PEM = _warning(
    "root-not-pem",
    "{path} is not PEM: the commands trust it, but the gateway does not",
    "Run `mst-cli ca-trust add {path}`.",
)
ROOT_NOT_CA = _warning(
    "root-not-ca",
    "{path} holds the certificate of {subject}, which is not an authority (CA)",
    "Give the certificate of the authority instead.",
)
