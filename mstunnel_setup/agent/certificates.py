"""The certificates that the agent watches: the gateway's, and its revocation, asked every hour."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography import x509

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CertificateError
from mstunnel_setup.certificates import generations, revocation, revocation_record
from mstunnel_setup.certificates.ca_trust import added_roots_pem
from mstunnel_setup.certificates.certificate import is_issued_by, is_self_signed
from mstunnel_setup.certificates.read import read_material
from mstunnel_setup.certificates.revocation import fetching
from mstunnel_setup.certificates.revocation_answers import RevocationState
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.http import HttpSession

_EVERY_SECONDS: Final = 3600.0
_TIMEOUT: Final = 5.0
_SYSTEM_ROOTS: Final = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True)
class Served:
    """The certificate in use: when it ends, and what was said last about its revocation."""

    end: datetime | None = None
    revocation: RevocationState | None = None
    problem: str = ""


@dataclass
class CertificateWatch:
    """Looks at the certificate in use; asks its authority every hour, and at once about another one."""

    files: Files
    clock: Clock
    _asked: tuple[str, float] | None = field(default=None, init=False)

    def look(self) -> Served:
        """What is in use now. Raises nothing: what cannot be read is unknown."""
        try:
            chain = read_material(self.files.read(f"{paths.ACTIVE}/chain.pem") or b"").certificates
        except CertificateError:
            chain = ()
        if not chain:
            return Served()
        name = generations.linked(self.files) or ""
        self._ask_in_time(name, chain)
        # Of ours: whatever the commands have asked is not the container's to read.
        asked = revocation_record.last(self.files, name, self.clock.now())
        if asked is None:
            return Served(chain[0].not_valid_after_utc)
        return Served(chain[0].not_valid_after_utc, asked.state, "; ".join(asked.problems))

    def _ask_in_time(self, name: str, chain: Sequence[x509.Certificate]) -> None:
        now = self.clock.monotonic()
        if self._asked is not None and self._asked[0] == name and now - self._asked[1] < _EVERY_SECONDS:
            return
        self._asked = (name, now)
        roots = added_roots_pem(self.files)
        http = HttpSession(self.clock, roots=roots, timeout=_TIMEOUT, deadline=_TIMEOUT)
        try:
            path = (*chain, *self._root_of(chain[-1]))
            verdicts = revocation.ask(path, fetching(http), self.clock.now())
        finally:
            http.close()
        revocation_record.keep(self.files, revocation_record.ASKED_BY_AGENT, name, verdicts, self.clock.now())

    def _root_of(self, last: x509.Certificate) -> tuple[x509.Certificate, ...]:
        """The issuer of the last certificate that is served, if this server knows it."""
        if is_self_signed(last):
            return ()
        added = [f"{paths.CA_TRUST}/{name}" for name in self.files.names(paths.CA_TRUST)]
        for place in (f"{paths.ACTIVE}/root.pem", *added, _SYSTEM_ROOTS):
            for candidate in _certificates(self.files.read(place)):
                if is_issued_by(last, candidate):
                    return (candidate,)
        return ()


def _certificates(content: bytes | None) -> tuple[x509.Certificate, ...]:
    try:
        return read_material(content or b"").certificates
    except CertificateError:
        return ()
