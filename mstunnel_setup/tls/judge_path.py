"""The library's own path verification as the last word: name constraints and critical extensions."""

from collections.abc import Iterator
from datetime import UTC, datetime

from cryptography import x509
from cryptography.x509 import verification

from mstunnel_setup.tls.certificate import extension, plain
from mstunnel_setup.tls.judge_names import parse_address
from mstunnel_setup.tls.model import Finding, Severity
from mstunnel_setup.tls.paths import Path

_AGNOSTIC = verification.Criticality.AGNOSTIC
_LONGEST_REASON = 300


def path_findings(path: Path, public_address: str | None, now: datetime) -> Iterator[Finding]:
    """Verify the path from its end; called only when our own rules found no error.

    The library's web rules are stricter than private authorities are (they demand key identifiers, for one),
    so only what RFC 5280 makes fatal is asked of it.
    """
    leaf, *issuers = path.certificates
    subject = _subject(leaf, public_address)
    if subject is None or not issuers or not path.complete:
        return
    reason = _refusal(leaf, issuers, subject, now)
    if reason:
        yield Finding(
            "chain-refused",
            Severity.ERROR,
            f"strict verification refuses the chain: {reason}",
            "Ask the authority: its name constraints or critical extensions do not allow this certificate.",
        )


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
