"""Check the revocation of the certificates of a chain by OCSP (RFC 6960) and CRLs (RFC 5280, section 5).

As in browsers, OCSP comes first, and the CRL only if no responder gives a usable answer. The module
`revocation_answers` verifies the answers; the caller provides the function that fetches them. The last
answers are stored in a file for commands that must not wait for the network. A file that is damaged or from
a newer release is ignored, and the CAs are asked again.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Literal

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID
from pydantic import BaseModel, Field

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import NetworkError
from mstunnel_setup.base.problem import Problem, error, warning
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.base.values import json_bytes
from mstunnel_setup.certificates.certificate import access_addresses, extension, is_self_signed, title
from mstunnel_setup.certificates.revocation_answers import RevocationState, ocsp_request, read_crl, read_ocsp
from mstunnel_setup.io import messages
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.messages import UtcTime

if TYPE_CHECKING:
    from mstunnel_setup.io.http import HttpSession

Fetch = Callable[[str, bytes | None], bytes]
"""Sends bytes to a URL by POST, or None by GET, and returns the body. Raises NetworkError."""

ASKED_BY_COMMANDS: Final = f"{paths.STATE}/revocation.json"
ASKED_BY_AGENT: Final = f"{paths.AGENT_STATE}/revocation.json"
_LARGEST_RECORD: Final = 256 * 1024
_LONGEST_PROBLEM: Final = 420
_HTTP = ("http://", "https://")


class RevocationSource(BaseModel, frozen=True, extra="forbid", defer_build=True):
    """One queried address, with its answer or the reason for its absence.

    `method` is `ocsp` or `crl`. `details` has time and reason of a revocation, if the CA gives them; they are
    not stored.
    """

    method: str
    address: str
    answer: RevocationState | None
    problem: str
    details: str = Field(default="", exclude=True)


class RevocationStatus(BaseModel, frozen=True, extra="forbid", defer_build=True):
    """The revocation state of one certificate and the addresses queried; `subject` is its name to display."""

    subject: str
    state: RevocationState
    attempts: tuple[RevocationSource, ...]

    @property
    def addresses(self) -> str:
        """All queried addresses, to display."""
        return ", ".join(attempt.address for attempt in self.attempts)


class Record(BaseModel, frozen=True, extra="forbid", defer_build=True):
    """The content of the file: answers about the generation `fingerprint`, leaf first, and the time."""

    # The first release that wrote this file did not include a version.
    version: Literal[1] = 1
    fingerprint: str
    asked: UtcTime
    state: RevocationState
    certificates: tuple[RevocationStatus, ...]

    @property
    def problems(self) -> list[str]:
        """The reason for each address without an answer, safe to print on a terminal."""
        attempts = (attempt for certificate in self.certificates for attempt in certificate.attempts)
        return [
            plain(text("{address}: {problem}", address=one.address, problem=one.problem), _LONGEST_PROBLEM)
            for one in attempts
            if one.problem
        ]


def ocsp_addresses(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the http and https addresses of the OCSP responders that a certificate names."""
    found = access_addresses(certificate, AuthorityInformationAccessOID.OCSP)
    return tuple(address for address in found if address.startswith(_HTTP))


def crl_addresses(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the http and https addresses of a certificate's CRL; `ldap:` addresses are left out."""
    return tuple(address for address in _list_addresses(certificate) if address.startswith(_HTTP))


def _list_addresses(certificate: x509.Certificate) -> Iterator[str]:
    for point in extension(certificate, x509.CRLDistributionPoints) or ():
        for name in point.full_name or ():
            if isinstance(name, x509.UniformResourceIdentifier):
                yield name.value


def ask(
    certificates: Sequence[x509.Certificate], fetch: Fetch, now: datetime
) -> tuple[RevocationStatus, ...]:
    """Query the revocation of each certificate that is followed by its issuer (leaf first)."""
    found = []
    for certificate, issuer in itertools.pairwise(certificates):
        if is_self_signed(certificate):
            continue
        attempts = list(_attempts(certificate, issuer, fetch, now))
        answers = [attempt.answer for attempt in attempts if attempt.answer is not None]
        state = answers[-1] if answers else RevocationState.UNREACHABLE
        if not attempts:
            # LDAP directories cannot be queried from outside of their network.
            problem = text("only http and https addresses are queried")
            attempts = [
                RevocationSource(method="crl", address=plain(address, 200), answer=None, problem=problem)
                for address in _list_addresses(certificate)
            ]
            state = RevocationState.NOT_ASKED if attempts else RevocationState.NOT_OFFERED
        found.append(RevocationStatus(subject=title(certificate), state=state, attempts=tuple(attempts)))
    return tuple(found)


def _attempts(
    certificate: x509.Certificate, issuer: x509.Certificate, fetch: Fetch, now: datetime
) -> Iterator[RevocationSource]:
    """Query one address after the other until one answers that the certificate is good or revoked."""
    request = ocsp_request(certificate, issuer)
    responders = (("ocsp", address) for address in ocsp_addresses(certificate))
    lists = (("crl", address) for address in crl_addresses(certificate))
    for method, address in (*responders, *lists):
        shown = plain(address, 200)
        try:
            if method == "ocsp":
                answer = read_ocsp(fetch(address, request), certificate, issuer, now)
            else:
                answer = read_crl(fetch(address, None), certificate, issuer, now)
        except NetworkError as failure:
            problem = plain(failure.message, 200)
            yield RevocationSource(method=method, address=shown, answer=None, problem=problem)
            continue
        yield RevocationSource(
            method=method, address=shown, answer=answer.state, problem="", details=answer.details
        )
        if answer.state is not RevocationState.UNKNOWN:
            return


def revocation_findings(found: Sequence[RevocationStatus]) -> Iterator[Problem]:
    """Yield an error for a revoked certificate, and a warning with every address if its state is unknown."""
    for status in found:
        if status.state is RevocationState.REVOKED:
            source = next(item for item in status.attempts if item.answer is RevocationState.REVOKED)
            yield error(
                "revoked",
                "the certificate of {subject} is revoked{details}",
                hint="Request a new certificate with a new key from the authority.",
                subject=status.subject,
                details=text("{details}, says {address}", details=source.details, address=source.address),
            )
        elif status.state is RevocationState.UNKNOWN:
            yield warning(
                "revocation-unknown",
                "the authority's responder does not know the certificate of {subject} ({addresses})",
                hint="A certificate issued minutes ago may not be known yet; ask the authority if this "
                "stays.",
                subject=status.subject,
                addresses=status.addresses,
            )
        elif status.state is RevocationState.UNREACHABLE:
            yield warning(
                "revocation-unreachable",
                "cannot find out whether the certificate of {subject} is revoked: {tried}",
                hint="Let this server reach these addresses, directly or through the proxy in env.sh.",
                subject=status.subject,
                tried="; ".join(
                    text("{address}: {problem}", address=item.address, problem=item.problem)
                    for item in status.attempts
                ),
            )
        elif status.state is RevocationState.NOT_ASKED:
            yield warning(
                "revocation-not-asked",
                "the certificate of {subject} names its revocation list only by addresses that devices do "
                "not use ({addresses})",
                hint="Have the authority put an http address into its certificates: for OCSP, or for the "
                "list.",
                subject=status.subject,
                addresses=status.addresses,
            )


def fetching(http: "HttpSession") -> Fetch:
    """Return a function that fetches answers for `ask`; it raises NetworkError unless the status is 200."""

    def fetch(address: str, body: bytes | None) -> bytes:
        if body is None:
            response = http.get(address)
        else:
            headers = {"Content-Type": "application/ocsp-request", "Accept": "application/ocsp-response"}
            response = http.post(address, data=body, headers=headers)
        if response.status_code != HTTPStatus.OK:
            raise NetworkError(
                "revocation-refused", "the answer has HTTP status {status}", status=response.status_code
            )
        return response.content

    return fetch


def keep(files: Files, path: str, name: str, found: Sequence[RevocationStatus], now: datetime) -> None:
    """Store the answers about the generation `name` at `path`.

    The state of the chain is that of its leaf, or `revoked` if any certificate in it is.
    """
    state = found[0].state if found else RevocationState.NOT_OFFERED
    if any(status.state is RevocationState.REVOKED for status in found):
        state = RevocationState.REVOKED
    asked = now.replace(microsecond=0)
    record = Record(fingerprint=name, asked=asked, state=state, certificates=tuple(found))
    files.write(path, json_bytes(record.model_dump(mode="json")), 0o600)


def last(files: Files, name: str, now: datetime) -> Record | None:
    """Return the newest stored answers about the generation `name`, by commands or agent, or None.

    Those with a time in the future are ignored.
    """
    about: list[Record] = []
    for path in (ASKED_BY_COMMANDS, ASKED_BY_AGENT):
        # The agent's container has fewer rights and writes one of the files, so both are validated.
        found = messages.read_valid(files, path, Record, _LARGEST_RECORD)
        if found and found.fingerprint == name and found.asked <= now:
            about.append(found)
    return max(about, key=lambda record: record.asked, default=None)
