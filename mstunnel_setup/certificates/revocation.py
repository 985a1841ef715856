"""Revocation: what OCSP (RFC 6960) and CRLs (RFC 5280, section 5) say about the certificates of a chain.

The order is that of browsers: OCSP first, and the CRL when no responder gave a usable answer.
Answers are judged in `revocation_answers`; fetching is the caller's.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from mstunnel_setup.base.errors import NetworkError
from mstunnel_setup.base.problem import Problem, error, warning
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.certificates.certificate import extension, is_self_signed, title
from mstunnel_setup.certificates.revocation_answers import (
    Answer,
    RevocationState,
    ocsp_request,
    read_crl,
    read_ocsp,
)
from mstunnel_setup.io.http import HttpSession

Fetch = Callable[[str, bytes | None], bytes]
"""POST the bytes to the address, or GET it without any; the body of the answer. Raises NetworkError."""

_HTTP = ("http://", "https://")
_NOT_HTTP = text("only http and https addresses are asked")


@dataclass(frozen=True)
class Attempt:
    """One address that was asked: `method` is `ocsp` or `crl`; `problem` says why there is no answer."""

    method: str
    address: str
    answer: Answer | None = None
    problem: str = ""


@dataclass(frozen=True)
class Verdict:
    """What is known about one certificate after asking; `subject` names it for people."""

    subject: str
    state: RevocationState
    attempts: tuple[Attempt, ...]

    @property
    def decisive(self) -> Attempt | None:
        """The attempt that settled it."""
        return next((attempt for attempt in self.attempts if _settles(attempt)), None)


def ocsp_addresses(certificate: x509.Certificate) -> tuple[str, ...]:
    """The responders that a certificate names, those with http and https addresses."""
    access = extension(certificate, x509.AuthorityInformationAccess)
    return tuple(
        description.access_location.value
        for description in access or ()
        if description.access_method == AuthorityInformationAccessOID.OCSP
        and isinstance(description.access_location, x509.UniformResourceIdentifier)
        and description.access_location.value.startswith(_HTTP)
    )


def crl_addresses(certificate: x509.Certificate) -> tuple[str, ...]:
    """Where a certificate says its revocation list is; `ldap:` addresses of directories are left out."""
    return tuple(address for address in _list_addresses(certificate) if address.startswith(_HTTP))


def _list_addresses(certificate: x509.Certificate) -> Iterator[str]:
    for point in extension(certificate, x509.CRLDistributionPoints) or ():
        for name in point.full_name or ():
            if isinstance(name, x509.UniformResourceIdentifier):
                yield name.value


def _directory_attempts(certificate: x509.Certificate) -> tuple[Attempt, ...]:
    """The addresses of a certificate that names only directories; those cannot be queried from outside."""
    addresses = (plain(address, 200) for address in _list_addresses(certificate))
    return tuple(Attempt("crl", address, problem=_NOT_HTTP) for address in addresses)


def ask(certificates: Sequence[x509.Certificate], fetch: Fetch, now: datetime) -> tuple[Verdict, ...]:
    """Ask about every certificate that has its issuer behind it in `certificates` (leaf first)."""
    pairs = itertools.pairwise(certificates)
    return tuple(_ask_about(leaf, issuer, fetch, now) for leaf, issuer in pairs if not is_self_signed(leaf))


def revocation_findings(verdicts: Sequence[Verdict]) -> Iterator[Problem]:
    """Revoked is an error; an answer that could not be had is a warning that names every address."""
    for verdict in verdicts:
        if verdict.state is RevocationState.REVOKED:
            yield _revoked(verdict)
        elif verdict.state is RevocationState.UNKNOWN:
            yield warning(
                "revocation-unknown",
                "the authority's responder does not know the certificate of {subject} ({addresses})",
                hint="A certificate issued minutes ago may not be known yet; ask the authority if this "
                "stays.",
                subject=verdict.subject,
                addresses=_addresses(verdict),
            )
        elif verdict.state is RevocationState.UNREACHABLE:
            tried = "; ".join(
                text("{address}: {problem}", address=attempt.address, problem=attempt.problem)
                for attempt in verdict.attempts
            )
            yield warning(
                "revocation-unreachable",
                "cannot find out whether the certificate of {subject} is revoked: {tried}",
                hint="Let this server reach these addresses, directly or through the proxy in env.sh.",
                subject=verdict.subject,
                tried=tried,
            )
        elif verdict.state is RevocationState.NOT_ASKED:
            yield warning(
                "revocation-not-asked",
                (
                    "the certificate of {subject} names its revocation list only by addresses that devices "
                    "do not use ({addresses})"
                ),
                hint=(
                    "Have the authority put an http address into its certificates: for OCSP, or for the list."
                ),
                subject=verdict.subject,
                addresses=_addresses(verdict),
            )


def _ask_about(
    certificate: x509.Certificate, issuer: x509.Certificate, fetch: Fetch, now: datetime
) -> Verdict:
    attempts: list[Attempt] = []
    for attempt in _attempts(certificate, issuer, fetch, now):
        attempts.append(attempt)
        if _settles(attempt):
            break
    if not attempts and (directories := _directory_attempts(certificate)):
        return Verdict(title(certificate), RevocationState.NOT_ASKED, directories)
    return Verdict(title(certificate), _state(attempts), tuple(attempts))


def _attempts(
    certificate: x509.Certificate, issuer: x509.Certificate, fetch: Fetch, now: datetime
) -> Iterator[Attempt]:
    request = ocsp_request(certificate, issuer)
    for address in ocsp_addresses(certificate):
        yield _attempt("ocsp", address, lambda url: read_ocsp(fetch(url, request), certificate, issuer, now))
    for address in crl_addresses(certificate):
        yield _attempt("crl", address, lambda url: read_crl(fetch(url, None), certificate, issuer, now))


def _attempt(method: str, address: str, question: Callable[[str], Answer]) -> Attempt:
    try:
        return Attempt(method, plain(address, 200), question(address))
    except NetworkError as error:
        return Attempt(method, plain(address, 200), problem=plain(error.message, 200))


def _settles(attempt: Attempt) -> bool:
    return attempt.answer is not None and attempt.answer.state is not RevocationState.UNKNOWN


def _state(attempts: Sequence[Attempt]) -> RevocationState:
    if not attempts:
        return RevocationState.NOT_OFFERED
    answers = [attempt.answer.state for attempt in attempts if attempt.answer is not None]
    return answers[-1] if answers else RevocationState.UNREACHABLE


def _revoked(verdict: Verdict) -> Problem:
    attempt = verdict.decisive
    answer = attempt.answer if attempt else None
    since = f" since {answer.since:%Y-%m-%d %H:%M} UTC" if answer and answer.since else ""
    reason = text(" ({detail})", detail=answer.detail) if answer and answer.detail else ""
    where = f", says {attempt.address}" if attempt else ""
    return error(
        "revoked",
        "the certificate of {subject} is revoked{details}",
        hint="Request a new certificate with a new key from the authority.",
        subject=verdict.subject,
        details=f"{since}{reason}{where}",
    )


def _addresses(verdict: Verdict) -> str:
    return ", ".join(attempt.address for attempt in verdict.attempts)


def fetching(http: HttpSession) -> Fetch:
    """How `tls.revocation` fetches: any other status than 200 is no answer. Raises NetworkError."""

    def fetch(address: str, body: bytes | None) -> bytes:
        if body is None:
            response = http.get(address)
        else:
            headers = {"Content-Type": "application/ocsp-request", "Accept": "application/ocsp-response"}
            response = http.post(address, data=body, headers=headers)
        if response.status_code != HTTPStatus.OK:
            raise NetworkError(
                "revocation-refused",
                "the answer has HTTP status {status}",
                status=response.status_code,
            )
        return response.content

    return fetch
