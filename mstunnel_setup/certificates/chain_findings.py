"""Judge a certificate with its chain: do devices accept it at this address, now and in the near future?

All functions here are pure. Limits come from `docs/reference` (TLS certificate): 2048 bits, 730 days for
private CAs, names as whole labels; the limits for public CAs and for the remaining time are in `expiry.py`.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, ExtensionOID

from mstunnel_setup.base.problem import Problem, Severity, error, note, warning
from mstunnel_setup.base.result import Report
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.certificates.certificate import (
    LONGEST_NAME,
    Identity,
    access_addresses,
    extension,
    identifiers_fit,
    is_ca,
    is_self_signed,
    issuer_title,
    title,
)
from mstunnel_setup.certificates.chain_building import Path, best_path, forbidden_name, paths
from mstunnel_setup.certificates.expiry import Expiry, expiry_of, longest_public
from mstunnel_setup.certificates.leaf_findings import (
    LEAF,
    key_findings,
    leaf_findings,
    name_findings,
    signature_findings,
    stapling_findings,
)
from mstunnel_setup.certificates.read import MOST_RSA_BITS


def judge(
    identity: Identity,
    *,
    public_address: str | None,
    now: datetime,
    trusted_roots: Sequence[x509.Certificate] = (),
    private_roots: Sequence[x509.Certificate] = (),
    allow_self_signed: bool = False,
) -> tuple[Problem, ...]:
    """Return every finding, errors first; without an error the certificate may be used.

    `public_address` is the name or IP address that devices connect to (None: unknown, not judged); `now` is
    an aware time; `trusted_roots` are the system's, `private_roots` those an administrator added. Without any
    root, an incomplete chain can only be a warning.
    """
    roots = (*trusted_roots, *private_roots)
    path = best_path(identity.leaf, identity.given, roots, now)
    private = path.end in private_roots
    public = path.trusted and not private
    found = [
        *leaf_findings(identity.leaf, allow_self_signed=allow_self_signed),
        *name_findings(identity.leaf, public_address),
        *time_findings(path, now, public=public),
        *chain_findings(path, roots_known=bool(roots), private=private),
        *path_findings(path),
        *input_findings(identity, path, roots),
    ]
    return tuple(sorted(found, key=lambda finding: [*Severity].index(finding.severity)))


class CertificateFinding(Report):
    """One finding about a certificate."""

    id: str
    severity: Severity
    message: str
    hint: str

    @classmethod
    def of(cls, found: Problem) -> "CertificateFinding":
        """Return the problem as part of a report."""
        return cls(id=found.code, severity=found.severity, message=found.message, hint=found.hint)


_FRESH_CHAIN = "Get the intermediate certificates from the authority and give the whole chain again."


def chain_findings(path: Path, *, roots_known: bool, private: bool) -> Iterator[Problem]:
    """Yield findings on the path's end and on each CA above the leaf; `private` means a ca-trust root."""
    if len(path.certificates) == 1 and is_self_signed(path.end):
        return
    end, issuer = title(path.end), issuer_title(path.end)
    if not path.complete and len(path.certificates) > 1 and not roots_known:
        yield warning(
            "root-unknown",
            "the chain stops at {end}: its issuer {issuer} is missing; cannot verify whether {issuer} "
            "is a root: no trust store",
            hint="Add the root certificate to the chain to have it checked.",
            end=end,
            issuer=issuer,
        )
    elif not path.complete:
        offered = access_addresses(path.end, AuthorityInformationAccessOID.CA_ISSUERS)
        where = (
            text(" The authority offers it at {addresses}.", addresses=plain(offered[0])) if offered else ""
        )
        yield error(
            "chain-incomplete",
            "the chain stops at {end}: its issuer {issuer} is missing",
            hint="Add the certificate of {issuer} to the chain.{where}",
            end=end,
            issuer=issuer,
            where=where,
        )
    elif private:
        yield note(
            "private-ca",
            "the chain ends in {end}, which is not a public authority known to this server",
            hint="Give devices the whole chain with a trusted certificate profile, or they refuse the "
            "gateway.",
            end=end,
        )
    elif not path.trusted:
        yield warning(
            "root-not-trusted",
            "the chain ends in {end}, which is neither a public authority known to this server nor one "
            "of `mst-cli ca-trust list`",
            hint="Give devices the whole chain with a trusted certificate profile, or they refuse the "
            "gateway. If the authority is yours, compare the fingerprint of its root and add it with "
            "`mst-cli ca-trust add`.",
            end=end,
        )
    for depth, authority in enumerate(path.certificates[1:]):
        yield from map(_of_chain, _issuer_findings(authority, depth))


def _of_chain(found: Problem) -> Problem:
    """Return the problem with the code that it has above the leaf."""
    return found if found.code.startswith("chain-") else replace(found, code=f"chain-{found.code}")


def _issuer_findings(issuer: x509.Certificate, depth: int) -> Iterator[Problem]:
    """Yield findings on an issuer; `depth` is the number of intermediates below it."""
    what = text("{issuer} in the chain", issuer=title(issuer))
    if not is_ca(issuer):
        yield error("chain-not-ca", "{what} is not an authority (CA)", hint=_FRESH_CHAIN, what=what)
    if not is_self_signed(issuer):
        yield from signature_findings(issuer, what)
    yield from key_findings(issuer, what)
    key = issuer.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size > MOST_RSA_BITS:
        yield error(
            "chain-key-too-large",
            "{what} has an RSA key of {bits} bits, more than {most}: Android, iOS and browsers refuse it",
            hint="Use a certificate of an authority with a smaller key.",
            what=what,
            bits=key.key_size,
            most=MOST_RSA_BITS,
        )
    yield from stapling_findings(issuer, what)
    constraints = extension(issuer, x509.BasicConstraints)
    if constraints and constraints.path_length is not None and constraints.path_length < depth:
        yield error(
            "chain-path-length",
            "{what} allows {allowed} authorities below it, the chain has {found}",
            hint=_FRESH_CHAIN,
            what=what,
            allowed=constraints.path_length,
            found=depth,
        )
    usage = extension(issuer, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        yield error(
            "chain-key-usage", "{what} may not sign certificates (key usage)", hint=_FRESH_CHAIN, what=what
        )
    purposes = extension(issuer, x509.ExtendedKeyUsage)
    allowed = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    if purposes is not None and not is_self_signed(issuer) and not allowed & set(purposes):
        yield error(
            "chain-eku",
            "{what} may not issue server certificates (extended key usage)",
            hint=_FRESH_CHAIN,
            what=what,
        )


def input_findings(identity: Identity, path: Path, roots: Sequence[x509.Certificate]) -> Iterator[Problem]:
    """Yield notes on the input's other contents, and on how they are handled."""
    used = [certificate for certificate in path.certificates if certificate in identity.given]
    in_input_order = [certificate for certificate in identity.given if certificate in used]
    if used != in_input_order:
        yield note("chain-reordered", "the certificates were not in order; they are served leaf first")
    choices = paths(identity.leaf, identity.given, roots)
    if len(choices) > 1:
        yield note(
            "chain-cross-signed",
            "the chain has {count} possible paths; the one to {end} is used",
            count=len(choices),
            end=title(path.end),
        )
    if len(used) > 1 and is_self_signed(used[-1]):
        yield note(
            "root-included",
            "the root {root} is in the input; it is not sent to devices",
            root=title(used[-1]),
        )
    reachable = {certificate for choice in choices for certificate in choice.certificates}
    names = [title(certificate) for certificate in identity.given if certificate not in reachable]
    if names:
        yield note(
            "certificate-unused",
            "certificates that do not belong to this chain are left out: {names}",
            names=", ".join(names[:5]),
        )


# OpenSSL 3.5 and GnuTLS 3.8 accept these extensions even if they are critical; tests verify that.
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


def path_findings(path: Path) -> Iterator[Problem]:
    """Yield the reasons for which a client refuses this path although all signatures are right."""
    yield from _critical_extensions(path.certificates[0], LEAF)
    for certificate in path.certificates[1:]:
        what = text("{certificate} in the chain", certificate=title(certificate))
        yield from map(_of_chain, _critical_extensions(certificate, what))
    root_over_itself = [path.end] if is_self_signed(path.end) else []
    for certificate, issuer in itertools.pairwise([*path.certificates, *root_over_itself]):
        if not identifiers_fit(certificate, issuer):
            yield error(
                "chain-key-identifier",
                "{name} names an issuer other than {issuer} (authority key "
                "identifier): same name, other key or serial number",
                hint=_FRESH_CHAIN,
                name=title(certificate),
                issuer=title(issuer),
            )
    for position, authority in enumerate(path.certificates[1:], start=1):
        name = forbidden_name(authority, path.certificates[:position])
        if name is not None:
            yield error(
                "chain-name-constraints",
                "{issuer} in the chain may not issue certificates for {name} (name constraints)",
                hint="Request a certificate for a name that the authority may issue for, or use another "
                "authority.",
                issuer=title(authority),
                name=plain(name, LONGEST_NAME),
            )


def _critical_extensions(certificate: x509.Certificate, what: str) -> Iterator[Problem]:
    """Yield critical extensions that clients do not process, and so refuse (RFC 5280, 4.2)."""
    critical = [item.oid for item in certificate.extensions if item.critical and item.oid not in _PROCESSED]
    names = ", ".join(_NAMES.get(oid) or oid.dotted_string for oid in critical)
    if names:
        yield error(
            "critical-extension",
            "{what} has a critical extension that clients do not process, so they refuse it: {names}",
            hint="Ask the authority for a certificate without it, or with it not marked critical.",
            what=what,
            names=names,
        )


_PRIVATE_DAYS = 730


def days_left(certificate: x509.Certificate, now: datetime) -> int:
    """Return the whole days until the end; negative after it."""
    return (certificate.not_valid_after_utc - now).days


def time_findings(path: Path, now: datetime, *, public: bool) -> Iterator[Problem]:
    """Yield findings on the validity of the leaf and its CAs, and on the leaf's lifetime."""
    leaf = path.certificates[0]
    if now < leaf.not_valid_before_utc:
        yield error(
            "not-yet-valid",
            "the certificate is valid only from {start:%Y-%m-%d %H:%M} UTC",
            hint="Check the clock of this server, or import the certificate later.",
            start=leaf.not_valid_before_utc,
        )
    elif now > leaf.not_valid_after_utc:
        yield error(
            "expired",
            "the certificate expired on {end:%Y-%m-%d}",
            hint="Renew the certificate and import the new one.",
            end=leaf.not_valid_after_utc,
        )
    elif expiry_of(leaf, now) is not Expiry.FAR:
        yield warning(
            "expires-soon",
            "the certificate expires on {end:%Y-%m-%d} (days left: {days})",
            hint="Renew the certificate and import the new one.",
            end=leaf.not_valid_after_utc,
            days=days_left(leaf, now),
        )
    for certificate in path.certificates[1:]:
        yield from _issuer_validity(certificate, now)
    life = leaf.not_valid_after_utc - leaf.not_valid_before_utc + timedelta(seconds=1)
    limit, since = longest_public(leaf.not_valid_before_utc.date())
    if public and life > timedelta(days=limit):
        yield warning(
            "lifetime-public",
            "the certificate is issued for {days} days; since {since} a public authority may issue at most "
            "{limit}, and devices may refuse it",
            hint="Request a certificate of at most {limit} days.",
            days=life.days,
            since=f"{since:%Y-%m-%d}",
            limit=limit,
        )
    if not public and life > timedelta(days=_PRIVATE_DAYS):
        yield warning(
            "lifetime-private",
            "the certificate is issued for {days} days, more than {limit}: iOS refuses it",
            hint="Request a certificate of at most {limit} days.",
            days=life.days,
            limit=_PRIVATE_DAYS,
        )


def _issuer_validity(certificate: x509.Certificate, now: datetime) -> Iterator[Problem]:
    name, end = title(certificate), certificate.not_valid_after_utc
    if now < certificate.not_valid_before_utc:
        yield error(
            "chain-not-yet-valid",
            "{name} in the chain is valid only from {start:%Y-%m-%d}",
            hint="Check the clock of this server, or use the authority's current chain.",
            name=name,
            start=certificate.not_valid_before_utc,
        )
    elif now > end:
        yield error(
            "chain-expired",
            "{name} in the chain expired on {end:%Y-%m-%d}",
            hint="Get the authority's current intermediate certificates and give the whole chain again.",
            name=name,
            end=end,
        )
    elif expiry_of(certificate, now) is not Expiry.FAR:
        yield warning(
            "chain-expires-soon",
            "{name} in the chain expires on {end:%Y-%m-%d} (days left: {days})",
            hint="Get the authority's new chain before that day.",
            name=name,
            end=end,
            days=days_left(certificate, now),
        )
