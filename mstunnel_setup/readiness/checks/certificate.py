"""Group `certificate`: the findings about the certificate, by subject."""

from collections.abc import Sequence

from mstunnel_setup.base import paths
from mstunnel_setup.base.problem import Problem, Severity
from mstunnel_setup.base.text import joined, text
from mstunnel_setup.certificates.expiry import Expiry
from mstunnel_setup.readiness.facts.certificate import CertificateFacts, RevocationFacts
from mstunnel_setup.readiness.model import Checks, Group, Verdict, passed, problem, skipped, warning

CHECKS = Checks(Group.CERTIFICATE)

_NAMES = frozenset({"name-missing", "wildcard-partial", "public-address-invalid", "name-mismatch"})
_TIMES = ("expire", "not-yet-valid", "lifetime")
_CHAIN = ("chain", "root", "private-ca", "certificate-unused")


def subject(finding: str) -> str:
    """Return the subject of a certificate finding: names, time, chain or leaf."""
    if finding in _NAMES:
        return "names"
    if any(word in finding for word in _TIMES):
        return "time"
    return "chain" if finding.startswith(_CHAIN) else "leaf"


@CHECKS.add("certificate-present", "Certificate present", "recommended")
def _present(certificate: CertificateFacts) -> Verdict:
    """The certificate is at its usual path, or where `--cert`, `--pfx` or the answer file specify.

    Without a certificate the gateway does not start; the installation waits for it.

    Copy chain and key to /etc/mstunnel/certs/site.crt and /etc/mstunnel/private/site.key, or name the files
    with --cert and --key, or with --pfx.
    """
    if certificate.problem:
        return skipped("{place}: see certificate-readable", place=certificate.place)
    if certificate.place:
        return passed(certificate.place)
    return problem(
        "no certificate yet",
        hint="Put it at {certificate} and {key}, or name it with --cert and --key or with --pfx.",
        certificate=paths.SITE_CERTIFICATE,
        key=paths.SITE_KEY,
    )


@CHECKS.add("certificate-readable", "Certificate and key")
def _readable(certificate: CertificateFacts) -> Verdict:
    """Certificate and key can be read and match.

    A key that does not belong to the certificate, or cannot be read, cannot be served.

    Export certificate and key again, together; give a PFX with `--pfx` and its passphrase file.
    """
    if not certificate.place:
        return skipped("no certificate yet")
    if certificate.problem:
        return problem(certificate.problem, hint=certificate.hint)
    return passed("the key belongs to the certificate")


def _judged(name: str, title: str, fine: str, *, passes: str, why: str, fix: str) -> None:
    @CHECKS.add(f"certificate-{name}", title, passes=passes, why=why, fix=fix)
    def certificate_judged(certificate: CertificateFacts) -> Verdict:
        """{passes}

        {why}

        {fix}
        """
        if not certificate.place or certificate.problem:
            return skipped("no certificate to check")
        found = [
            item
            for item in certificate.findings
            if subject(item.code) == name and item.severity is not Severity.NOTE
        ]
        return _worst(found) if found else passed(fine)


_judged(
    "names",
    text("Names in the certificate"),
    text("the names match"),
    passes="Its names match `--address`; no partial wildcards.",
    why="Devices refuse a certificate that does not name the public address of the site.",
    fix="Request a certificate that names the public address of the site as a subject alternative name.",
)
_judged(
    "time",
    text("Validity of the certificate"),
    text("valid now, for an accepted time"),
    passes="Valid now, with its whole chain, and its lifetime is not too long for devices.",
    why="Devices refuse a certificate that has expired, is not valid yet, or is valid for too long.",
    fix="Request a certificate that is valid now, and for no more days than the finding allows.",
)
_judged(
    "chain",
    text("Chain of the certificate"),
    text("the chain is complete"),
    passes="The chain is complete and every issuer may sign.",
    why="Devices know only root certificates: without every intermediate certificate they do not trust "
    "the chain.",
    fix="Append the intermediate certificates of your authority to the file, after the certificate itself.",
)
_judged(
    "leaf",
    "Key and purpose",
    text("key and purpose are suitable"),
    passes="Devices accept its key size, key type, signature and purposes.",
    why="Devices refuse weak keys and signatures, and certificates that are not meant for servers.",
    fix="Request a certificate for server authentication with RSA 2048 bits or more, signed with SHA-256.",
)


def _worst(found: Sequence[Problem]) -> Verdict:
    """Return the errors, or else the warnings, with the hint of the first one."""
    errors = [item for item in found if item.severity is Severity.ERROR]
    said = errors or found
    return (problem if errors else warning)(
        joined((text(item.message) for item in said), "; "), hint=said[0].hint
    )


@CHECKS.add("certificate-days-left", "Days left", "recommended")
def _days_left(certificate: CertificateFacts) -> Verdict:
    """More than 30 days are left, or more than a third of a lifetime of less than 90 days.

    After it expires, no device can connect.

    Renew it and run `mst-cli import_cert`; `mst-cli help certificates` shows how to automate that.
    """
    if certificate.days_left is None:
        return skipped("no certificate to check")
    if certificate.expiry is Expiry.FAR:
        return passed("{days_left} days", days_left=certificate.days_left)
    if certificate.expiry is Expiry.SOON:
        return problem(
            "{days_left} days",
            hint="Renew it and import it with `mst-cli import_cert`.",
            days_left=certificate.days_left,
        )
    return problem(
        "{days_left} days; no device can connect after that",
        hint="Renew it now and import it with `mst-cli import_cert`.",
        days_left=certificate.days_left,
    )


@CHECKS.add("certificate-revocation", "Revocation")
def _revocation(revocation: RevocationFacts) -> Verdict:
    """OCSP or CRL, queried now, do not report it as revoked. An address that does not answer is a warning.

    Devices refuse a certificate that its authority has revoked.

    Request a new certificate. Where an address does not answer, allow it in firewall and proxy.
    """
    if not revocation.asked:
        return skipped("no certificate names an authority to query")
    return _worst(revocation.findings) if revocation.findings else passed("no certificate is revoked")
