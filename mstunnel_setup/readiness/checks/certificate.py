"""Group `certificate`: the findings about the certificate, by subject."""

from collections.abc import Sequence

from mstunnel_setup.base import paths
from mstunnel_setup.base.text import text
from mstunnel_setup.readiness import findings
from mstunnel_setup.readiness.facts import CertificateFacts, CertificateFinding, RevocationFacts
from mstunnel_setup.readiness.model import Checks, Group, Severity, Verdict, passed, skipped

CHECKS = Checks(Group.CERTIFICATE)

_NAMES = frozenset({"name-missing", "wildcard-partial", "public-address-invalid", "name-mismatch"})
_TIMES = ("expire", "not-yet-valid", "lifetime")
_CHAIN = ("chain", "root", "private-ca", "certificate-unused")
_SOON = 30


def subject(finding: str) -> str:
    """What a verdict of the certificate judge is about: name, time, chain or leaf."""
    if finding in _NAMES:
        return "names"
    if any(word in finding for word in _TIMES):
        return "time"
    return "chain" if finding.startswith(_CHAIN) else "leaf"


@CHECKS.add(
    "certificate-present",
    "Certificate is there",
    Severity.RECOMMENDED,
    passes="The certificate is at its usual path, or where `--cert`, `--pfx` or the answer file specify.",
)
def _present(certificate: CertificateFacts) -> Verdict:
    if certificate.problem:
        return skipped(text("{place}: see certificate-readable", place=certificate.place))
    if certificate.place:
        return passed(certificate.place)
    return findings.CERTIFICATE_MISSING(certificate=paths.SITE_CERTIFICATE, key=paths.SITE_KEY)


@CHECKS.add(
    "certificate-readable",
    "Certificate and key",
    passes="Certificate and key can be read and match.",
)
def _readable(certificate: CertificateFacts) -> Verdict:
    if not certificate.place:
        return skipped(text("no certificate yet"))
    if certificate.problem:
        return findings.CERTIFICATE_UNUSABLE(problem=certificate.problem, hint=certificate.hint)
    return passed(text("the key belongs to the certificate"))


def _judged(name: str, title: str, fine: str, passes: str) -> None:
    @CHECKS.add(f"certificate-{name}", title, passes=passes)
    def certificate_judged(certificate: CertificateFacts) -> Verdict:
        if not certificate.place or certificate.problem:
            return skipped(text("no certificate to judge"))
        found = [
            item for item in certificate.findings if subject(item.id) == name and item.severity != "note"
        ]
        return _worst(found) if found else passed(fine)


_judged(
    "names",
    text("Names in the certificate"),
    text("the names fit"),
    text("Its names match `--address`; no partial wildcards."),
)
_judged(
    "time",
    text("Times of the certificate"),
    text("valid now and for a while"),
    text("Valid now, with its whole chain, and its lifetime is not too long for devices."),
)
_judged(
    "chain",
    text("Chain of the certificate"),
    text("the chain is complete"),
    text("The chain is complete and every issuer may sign."),
)
_judged(
    "leaf",
    text("Key and purpose"),
    text("key and purpose fit"),
    text("Key size and type, signature, purposes."),
)


def _worst(found: Sequence[CertificateFinding]) -> Verdict:
    """What the errors say, and without any the warnings; the first one's hint."""
    errors = [item for item in found if item.severity == "error"]
    said = errors or found
    finding = findings.CERTIFICATE_REFUSED if errors else findings.CERTIFICATE_DOUBTFUL
    return finding(findings="; ".join(item.message for item in said), hint=said[0].hint)


@CHECKS.add("certificate-days-left", "Days left", Severity.RECOMMENDED, passes="More than 30 days are left.")
def _days_left(certificate: CertificateFacts) -> Verdict:
    if certificate.days_left is None:
        return skipped(text("no certificate to judge"))
    if certificate.days_left > _SOON:
        return passed(text("{days_left} days", days_left=certificate.days_left))
    return findings.CERTIFICATE_EXPIRES(days_left=certificate.days_left)


@CHECKS.add(
    "certificate-revocation",
    "Revocation",
    passes=(
        "OCSP or CRL, queried now, do not report it as revoked. An address that does not answer is a warning."
    ),
)
def _revocation(revocation: RevocationFacts) -> Verdict:
    if not revocation.asked:
        return skipped(text("no certificate with an authority to ask"))
    return _worst(revocation.findings) if revocation.findings else passed(text("nothing is revoked"))
