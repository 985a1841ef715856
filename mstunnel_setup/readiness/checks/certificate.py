"""Group `certificate`: the house judge's verdicts, by subject."""

from collections.abc import Callable, Sequence

from mstunnel_setup import paths
from mstunnel_setup.readiness.facts import CertificateFacts, CertificateFinding, RevocationFacts
from mstunnel_setup.readiness.model import (
    Check,
    Group,
    Severity,
    Verdict,
    check,
    passed,
    problem,
    skipped,
    warning,
)

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


@check("certificate-present", Group.CERTIFICATE, "Certificate is there", Severity.RECOMMENDED)
def _present(certificate: CertificateFacts) -> Verdict:
    if certificate.problem:
        return skipped(f"{certificate.place}: see certificate-readable")
    if certificate.place:
        return passed(certificate.place)
    return problem(
        "no certificate yet",
        f"Put it at {paths.SITE_CERTIFICATE} and {paths.SITE_KEY}, or name it with --cert and --key "
        "or with --pfx.",
    )


@check("certificate-readable", Group.CERTIFICATE, "Certificate and key")
def _readable(certificate: CertificateFacts) -> Verdict:
    if not certificate.place:
        return skipped("no certificate yet")
    if certificate.problem:
        return problem(certificate.problem, certificate.hint)
    return passed("the key belongs to the certificate")


def _judged(name: str, title: str, fine: str) -> Check:
    @check(f"certificate-{name}", Group.CERTIFICATE, title)
    def certificate_judged(certificate: CertificateFacts) -> Verdict:
        if not certificate.place or certificate.problem:
            return skipped("no certificate to judge")
        found = [
            item for item in certificate.findings if subject(item.id) == name and item.severity != "note"
        ]
        return _worst(found) if found else passed(fine)

    return certificate_judged


def _worst(found: Sequence[CertificateFinding]) -> Verdict:
    """What the errors say, and without any the warnings; the first one's hint."""
    errors = [item for item in found if item.severity == "error"]
    make: Callable[[str, str], Verdict] = problem if errors else warning
    said = errors or found
    return make("; ".join(item.message for item in said), said[0].hint)


@check("certificate-days-left", Group.CERTIFICATE, "Days left", Severity.RECOMMENDED)
def _days_left(certificate: CertificateFacts) -> Verdict:
    if certificate.days_left is None:
        return skipped("no certificate to judge")
    if certificate.days_left > _SOON:
        return passed(f"{certificate.days_left} days")
    return problem(f"{certificate.days_left} days", "Renew it and import it with `mst-cli import_cert`.")


@check("certificate-revocation", Group.CERTIFICATE, "Revocation")
def _revocation(revocation: RevocationFacts) -> Verdict:
    if not revocation.asked:
        return skipped("no certificate with an authority to ask")
    return _worst(revocation.findings) if revocation.findings else passed("nothing is revoked")


CHECKS: tuple[Check, ...] = (
    _present,
    _readable,
    _judged("names", "Names in the certificate", "the names fit"),
    _judged("time", "Times of the certificate", "valid now and for a while"),
    _judged("chain", "Chain of the certificate", "the chain is complete"),
    _judged("leaf", "Key and purpose", "key and purpose fit"),
    _days_left,
    _revocation,
)
