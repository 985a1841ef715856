"""The path as a whole, as OpenSSL and GnuTLS see it: critical extensions, key identifiers, name constraints.

The path verification of the library is made for public authorities. It refuses what private ones use
(critical policies, constraints on directory names), and accepts what OpenSSL refuses (critical identifiers).
"""

import itertools
from collections.abc import Iterator

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from mstunnel_setup.base.text import plain, text
from mstunnel_setup.certificates import findings
from mstunnel_setup.certificates.certificate import LONGEST_NAME, identifiers_fit, is_self_signed, title
from mstunnel_setup.certificates.chain_building import Path
from mstunnel_setup.certificates.model import Finding
from mstunnel_setup.certificates.name_constraints import forbidden_name

# What both OpenSSL 3.5 and GnuTLS 3.8 process or let pass; tests ask them.
_PROCESSED = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.CRL_DISTRIBUTION_POINTS,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.INHIBIT_ANY_POLICY,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.NAME_CONSTRAINTS,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    }
)
_NAMES = {
    ExtensionOID.AUTHORITY_INFORMATION_ACCESS: text("authority information access"),
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER: text("authority key identifier"),
    ExtensionOID.SUBJECT_KEY_IDENTIFIER: text("subject key identifier"),
}


def path_findings(path: Path) -> Iterator[Finding]:
    """What makes a client refuse this path although each signature is right."""
    for certificate in path.certificates:
        yield from _critical_extensions(certificate, is_leaf=certificate is path.certificates[0])
    root_over_itself = [path.end] if is_self_signed(path.end) else []
    for certificate, issuer in itertools.pairwise([*path.certificates, *root_over_itself]):
        if not identifiers_fit(certificate, issuer):
            yield findings.KEY_IDENTIFIER(name=title(certificate), issuer=title(issuer))
    for position, authority in enumerate(path.certificates[1:], start=1):
        name = forbidden_name(authority, path.certificates[:position])
        if name is not None:
            yield findings.NAME_CONSTRAINTS(issuer=title(authority), name=plain(name, LONGEST_NAME))


def _critical_extensions(certificate: x509.Certificate, *, is_leaf: bool) -> Iterator[Finding]:
    """RFC 5280, 4.2: a client refuses a certificate with a critical extension that it does not process."""
    critical = [item.oid for item in certificate.extensions if item.critical and item.oid not in _PROCESSED]
    names = ", ".join(_NAMES.get(oid) or oid.dotted_string for oid in critical)
    if names and is_leaf:
        yield findings.CRITICAL_EXTENSION(what=text("the certificate"), names=names)
    elif names:
        yield findings.CHAIN[findings.CRITICAL_EXTENSION](
            what=text("{certificate} in the chain", certificate=title(certificate)), names=names
        )
