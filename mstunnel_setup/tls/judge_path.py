"""Path verification by the library, after our rules: name constraints and critical extensions."""

from collections.abc import Iterator
from datetime import UTC, datetime

from cryptography import x509
from cryptography.x509 import verification

from mstunnel_setup.text import plain
from mstunnel_setup.tls.certificate import extension
from mstunnel_setup.tls.chain_building import Path
from mstunnel_setup.tls.findings import CHAIN_REFUSED
from mstunnel_setup.tls.judge_names import parse_address
from mstunnel_setup.tls.model import Finding

_AGNOSTIC = verification.Criticality.AGNOSTIC
_LONGEST_REASON = 300
# A part of the message of the library, what it means, and what to do.
_CAUSES = (
    (
        "name constraints",
        "an authority in the chain may not issue certificates for these names (name constraints)",
        "Request a certificate for a name that the authority may issue for, or use another authority.",
    ),
    (
        "Forbidden",
        "an authority in the chain uses a key or a signature of a type that devices do not accept",
        "Use an authority with RSA or EC keys and signatures with SHA-256.",
    ),
    (
        "critical extension",
        "a certificate of the chain has an unknown critical extension, so it must be refused",
        "Ask the authority for a certificate without it.",
    ),
)


def path_findings(path: Path, public_address: str | None, now: datetime) -> Iterator[Finding]:
    """Verify the path from its end; called only when our own rules found no error.

    The library's web rules are stricter than private authorities are (they demand key identifiers, for one),
    so only what RFC 5280 makes fatal is checked.
    """
    leaf, *issuers = path.certificates
    subject = _subject(leaf, public_address)
    if subject is None or not issuers or not path.complete:
        return
    reason = _refusal(leaf, issuers, subject, now)
    if reason:
        other = (f"strict verification refuses the chain: {reason}", "Show this message to the authority.")
        found = ((message, remedy) for sign, message, remedy in _CAUSES if sign in reason)
        message, remedy = next(found, other)
        yield CHAIN_REFUSED(reason=message, remedy=remedy)


def _refusal(
    leaf: x509.Certificate, issuers: list[x509.Certificate], subject: verification.Subject, now: datetime
) -> str:
    permitted = verification.ExtensionPolicy.permit_all()
    builder = verification.PolicyBuilder().store(verification.Store(issuers[-1:]))
    builder = builder.time(now.astimezone(UTC).replace(tzinfo=None)).extension_policies(
        ca_policy=permitted.require_present(x509.BasicConstraints, _AGNOSTIC, None),
        ee_policy=permitted.require_present(x509.SubjectAlternativeName, _AGNOSTIC, None),
    )
    try:
        builder.build_server_verifier(subject).verify(leaf, issuers[:-1])
    except (verification.VerificationError, ValueError) as error:
        return plain(str(error).removeprefix("validation failed: "), _LONGEST_REASON)
    return ""


def _subject(leaf: x509.Certificate, public_address: str | None) -> verification.Subject | None:
    """What to verify for: the address, else the first name the certificate has."""
    if public_address is not None:
        address = parse_address(public_address)
        return x509.DNSName(address) if isinstance(address, str) else x509.IPAddress(address)
    names = extension(leaf, x509.SubjectAlternativeName)
    for name in names or ():
        if isinstance(name, x509.DNSName):
            return x509.DNSName(name.value.replace("*", "wildcard"))
        if isinstance(name, x509.IPAddress):
            return name
    return None
