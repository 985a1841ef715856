"""`mst-cli cert show|check`: what the gateway serves, and everything there is to say about it."""

from collections.abc import Iterator
from typing import Annotated

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import Field

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CertificateError, ExitCode, NetworkError
from mstunnel_setup.base.problem import Problem, Severity
from mstunnel_setup.base.result import Day, Report, Result
from mstunnel_setup.base.text import Line, fold_all, text, with_hint
from mstunnel_setup.certificates import generations
from mstunnel_setup.certificates.ca_trust import exposed_keys
from mstunnel_setup.certificates.certificate import Identity, extension, issuer_title, serial_number, title
from mstunnel_setup.certificates.judge import days_left
from mstunnel_setup.certificates.judge_leaf import shown_names
from mstunnel_setup.install import device_certificates
from mstunnel_setup.install.session import Run
from mstunnel_setup.install.steps import certificate
from mstunnel_setup.install.steps.verify import leaf_in_service
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.operations.certificate.activation import installed_run, previous, serving_port
from mstunnel_setup.operations.certificate.findings import DEVICES_NOT_CHECKED, NONE_IN_USE, NOT_SERVED
from mstunnel_setup.operations.certificate.repair import placement_findings


class CertificateReport(Report):
    """The certificate in use."""

    subject: str
    names: str
    issuer: str
    serial: Annotated[str, Field(description="Hexadecimal.")]
    not_before: Day
    not_after: Day
    days_left: int
    sha256: str
    chain: Annotated[tuple[str, ...], Field(description="Leaf first.")]
    generation: str | None
    previous: Annotated[str | None, Field(description="The generation in use before.")]


class CertificateFinding(Report):
    """One finding about the certificate."""

    id: str
    severity: Severity
    message: str
    hint: str


class CertificateFindings(Report):
    """Everything there is to say about the certificate in use.

    Exit code 4 with an error among the findings.
    """

    findings: tuple[CertificateFinding, ...]


def show(operator: Operator) -> Result:
    """The certificate in use, in a few lines. Raises CertificateError when it cannot be read."""
    with installed_run(operator, {}, exclusively=False) as run:
        identity = generations.read(run.context.host.files, paths.ACTIVE)
        leaf = identity.leaf
        names = extension(leaf, x509.SubjectAlternativeName)
        generation = generations.linked(run.context.host.files)
        found = CertificateReport(
            subject=title(leaf),
            names=shown_names(names) if names else "",
            issuer=issuer_title(leaf),
            serial=f"{serial_number(leaf):x}",
            not_before=f"{leaf.not_valid_before_utc:%Y-%m-%d}",
            not_after=f"{leaf.not_valid_after_utc:%Y-%m-%d}",
            days_left=days_left(leaf, run.context.host.clock.now()),
            sha256=leaf.fingerprint(hashes.SHA256()).hex(),
            chain=tuple(title(certificate) for certificate in identity.chain),
            generation=generation,
            previous=previous(run, str(generation)),
        )
    rows = [
        (text("Subject"), found.subject),
        (text("Names"), found.names),
        (text("Issuer"), found.issuer),
        (text("Serial"), found.serial),
        (
            text("Valid"),
            text(
                "{not_before} to {not_after}, {days_left} days left",
                not_before=found.not_before,
                not_after=found.not_after,
                days_left=found.days_left,
            ),
        ),
        ("SHA-256", found.sha256),
        *((text("Chain") if number == 0 else "", name) for number, name in enumerate(found.chain)),
        (text("Earlier"), found.previous or "none"),
    ]
    return Result("ok", found.data, text=[Line(f"{name:8} {value}", name, value) for name, value in rows])


def check(operator: Operator) -> Result:
    """Judge what is in use again, as of now; ask the authorities; compare with what is served.

    The exit code is 4 with an error among the findings.
    """
    with installed_run(operator, {}) as run:
        found = tuple(examine(run))
    errors = any(finding.severity is Severity.ERROR for finding in found)
    warned = errors or any(finding.severity is Severity.WARNING for finding in found)
    lines = [
        text(
            "{severity:8} {problem}",
            severity=text(finding.severity.value),
            problem=with_hint(finding.message, finding.hint),
        )
        for finding in found
    ]
    return Result(
        "warning" if warned else "ok",
        CertificateFindings(
            findings=tuple(
                CertificateFinding(id=item.code, severity=item.severity, message=item.message, hint=item.hint)
                for item in found
            )
        ).data,
        text=fold_all(lines) or [text("No problem found with the certificate.")],
        exit_code=ExitCode.CERTIFICATE if errors else ExitCode.DONE,
    )


def examine(run: Run, *, ask_authority: bool = True) -> Iterator[Problem]:
    """The findings about placement, certificate and what is served.

    With `ask_authority` its answer is kept, for which the run has to hold the lock.
    """
    context = run.context
    placement = tuple(placement_findings(context.host.files))
    yield from placement
    yield from exposed_keys(context.host.files)
    try:
        device_certificates.judge_placed(context.host.files, context.host.clock.now())
    except CertificateError as error:
        yield DEVICES_NOT_CHECKED(problem=error.message, remedy=error.hint)
    identity = generations.in_use(context.host.files)
    if identity is None:
        if not placement:
            yield NONE_IN_USE()
        return
    yield from certificate.findings(context, identity, certificate.address(context))
    if ask_authority:
        asked = certificate.ask_authorities(context, identity)
        certificate.keep_revocation(context, identity, asked)
        yield from asked.findings
    yield from _served(run, identity)


def _served(run: Run, identity: Identity) -> Iterator[Problem]:
    try:
        port = serving_port(run.context)
        if port is None:
            return
        if leaf_in_service(run.files, port) == identity.leaf.public_bytes(Encoding.DER):
            return
        yield NOT_SERVED(
            reason=text("port {port} serves another certificate", port=port),
            remedy=text("Run `mst-cli server restart`."),
        )
    except NetworkError as error:
        yield NOT_SERVED(reason=error.message, remedy=error.hint)
