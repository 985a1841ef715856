"""The certificate: read, checked as for an installation, and queried for revocation."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

from cryptography.x509 import Certificate

from mstunnel_setup.base.errors import CertificateError, UsageError
from mstunnel_setup.base.problem import Problem
from mstunnel_setup.certificates.ca_trust import added_roots, system_roots
from mstunnel_setup.certificates.certificate import Identity
from mstunnel_setup.certificates.chain_building import best_path
from mstunnel_setup.certificates.chain_findings import days_left, judge
from mstunnel_setup.certificates.expiry import Expiry, expiry_of
from mstunnel_setup.certificates.load import IdentitySource, Passphrases, usual_sources
from mstunnel_setup.certificates.revocation import ask, fetching, revocation_findings
from mstunnel_setup.certificates.revocation_answers import RevocationState
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.readiness.facts.section import Section

if TYPE_CHECKING:
    from mstunnel_setup.io.http import HttpSession


class CertificateFacts(Section):
    """The certificate at its usual path or as given. `problem` is why it could not be read."""

    place: str = ""
    problem: str = ""
    hint: str = ""
    findings: tuple[Problem, ...] = ()
    days_left: int | None = None
    expiry: Expiry | None = None


class RevocationFacts(Section):
    """The responses of authorities: `asked` are the certificates that name a responder or a list."""

    asked: tuple[str, ...] = ()
    findings: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class CertificateReader:
    """Reads the certificate from `named`, or from its usual paths below the root of `files`.

    `passphrase` reads the one of a PFX, `address` is the public name of the site, empty if unknown;
    `open_http` opens a session for revocation queries.
    """

    files: Files
    clock: Clock
    named: IdentitySource
    passphrase: Passphrases
    address: str
    lab: bool
    open_http: "Callable[[], HttpSession]"
    _reading: Lock = field(default_factory=Lock, init=False)

    def certificate(self) -> CertificateFacts:
        """Read and check the certificate."""
        place, identity = self._identity()
        if identity is None:
            return CertificateFacts()
        if isinstance(identity, CertificateError):
            return CertificateFacts(place=place, problem=identity.message, hint=identity.hint)
        now = self.clock.now()
        findings = judge(
            identity,
            public_address=self.address or None,
            now=now,
            trusted_roots=self.roots,
            private_roots=self.private_roots,
            allow_self_signed=self.lab,
        )
        return CertificateFacts(
            place=place,
            findings=findings,
            days_left=days_left(identity.leaf, now),
            expiry=expiry_of(identity.leaf, now),
        )

    def revocation(self) -> RevocationFacts:
        """Query the authorities for revocation."""
        _, identity = self._identity()
        if not isinstance(identity, Identity):
            return RevocationFacts()
        now = self.clock.now()
        roots = self.roots + self.private_roots
        path = best_path(identity.leaf, identity.given or identity.chain, roots, now)
        with closing(self.open_http()) as http:
            found = ask(path.certificates, fetching(http), now)
        asked = tuple(item.subject for item in found if item.state is not RevocationState.NOT_OFFERED)
        return RevocationFacts(asked=asked, findings=tuple(revocation_findings(found)))

    @cached_property
    def roots(self) -> tuple[Certificate, ...]:
        """The authorities that the system trusts."""
        return system_roots(self.files)

    @property
    def private_roots(self) -> tuple[Certificate, ...]:
        """The roots below ca-trust."""
        return tuple(root for _, root in added_roots(self.files))

    def _identity(self) -> tuple[str, Identity | CertificateError | None]:
        """Return path and certificate, read once for both sections, whose readers run concurrently."""
        with self._reading:
            return self._read_once

    @cached_property
    def _read_once(self) -> tuple[str, Identity | CertificateError | None]:
        """The certificate of `named` or of the first usual path that is filled."""
        usual = (source for source in usual_sources(self.files) if source.is_whole(self.files))
        source = self.named if self.named.paths[0] else next(usual, None)
        if source is None:
            return "", None
        place = source.pfx or " and ".join(source.certificates)
        try:
            return place, source.read(self.files, self.passphrase)
        except UsageError as error:
            # The file cannot be read.
            return place, CertificateError(error.code, error.message, error.hint)
        except CertificateError as error:
            return place, error
