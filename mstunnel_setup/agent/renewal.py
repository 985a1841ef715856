"""Renews the agent's own credential, long before it ends, without anybody's help.

The new key is made here and never leaves; the tenant learns its certificate by `addKey`, which an application
may call for itself with a proof that it holds the old key. Only a credential that has signed in replaces the
old one, and a kill at any point is gone on from: the candidate lies in a separate file until then.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from cryptography.x509.oid import NameOID

from mstunnel_setup.agent.log_lines import IDENTITY_NOT_RENEWED, IDENTITY_RENEWED
from mstunnel_setup.agent.metrics import Counters
from mstunnel_setup.agent.tenant import Enrolment
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import SetupError, SignInError
from mstunnel_setup.base.log_line import Tell
from mstunnel_setup.certificates.agent_credential import CREDENTIAL_DAYS, new_agent_credential
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.tenant.credential import Credential, proof_of_possession, read_credential

CANDIDATE: Final = f"{paths.AGENT_STATE}/next-agent.p12"
# The health row warns at 30 days: by then a renewal has failed for two weeks.
_EARLY: Final = timedelta(days=45)
_EVERY_SECONDS: Final = 3600.0


@dataclass
class Renewal:
    """Tries once an hour while the credential is near its end; not one that an administrator has prepared."""

    files: Files
    clock: Clock
    tell: Tell
    counters: Counters
    _tried: float | None = field(default=None, init=False)

    def renew_in_time(self, enrolment: Enrolment) -> bool:
        """Whether another credential is in place now, so that the next sign-in takes it."""
        credential = enrolment.credential
        if credential is None or not enrolment.object_id or not self._due(credential):
            return False
        self._tried = self.clock.monotonic()
        try:
            if not self._adopt(enrolment):
                self._hand_in(enrolment, credential)
                return self._adopt(enrolment)
        except SetupError as error:
            self.tell(IDENTITY_NOT_RENEWED(reason=error.message))
            return False
        return True

    def _due(self, credential: Credential) -> bool:
        left = credential.certificate.not_valid_after_utc - self.clock.now()
        now = self.clock.monotonic()
        return left <= _EARLY and (self._tried is None or now - self._tried >= _EVERY_SECONDS)

    def _adopt(self, enrolment: Enrolment) -> bool:
        """Put the candidate in place once the tenant lets it sign in; False when there is none that does."""
        content = self.files.read(CANDIDATE)
        if content is None:
            return False
        try:
            enrolment.prove(read_credential(self.files, CANDIDATE))
        except SignInError:
            return False
        self.files.write(paths.AGENT_CREDENTIAL, content, 0o600)
        self.files.remove(CANDIDATE)
        self.counters.identity_renewals += 1
        self.tell(IDENTITY_RENEWED())
        return True

    def _hand_in(self, enrolment: Enrolment, credential: Credential) -> None:
        """Make a candidate, unless one lies there, and tell the tenant its certificate."""
        if self.files.read(CANDIDATE) is None:
            pfx, _ = new_agent_credential(_common_name(credential), self.clock.now(), CREDENTIAL_DAYS)
            self.files.make_directories(paths.AGENT_STATE)
            self.files.write(CANDIDATE, pfx, 0o600)
        wanted = read_credential(self.files, CANDIDATE).key_credential(_common_name(credential))
        proof = proof_of_possession(credential, enrolment.object_id, self.clock.now())
        enrolment.tenant.add_key(enrolment.object_id, wanted, proof)


def _common_name(credential: Credential) -> str:
    names = credential.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else "mstunnel-agent"
