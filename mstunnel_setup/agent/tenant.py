"""The agent's access to the tenant, with its own certificate or secret."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from mstunnel_setup.agent.metrics import Counters
from mstunnel_setup.answers.variables import PROXIES, in_both_cases
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CertificateError, SetupError, SignInError
from mstunnel_setup.base.log_line import Tell
from mstunnel_setup.certificates.agent_certificate import CREDENTIAL_DAYS, new_agent_certificate
from mstunnel_setup.certificates.read import read_material
from mstunnel_setup.exchange.agent_settings import read_agent_info, read_agent_settings, read_proxies
from mstunnel_setup.exchange.log_lines import IDENTITY_NOT_RENEWED, IDENTITY_RENEWED
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.http import HttpSession
from mstunnel_setup.tenant.client_credential import (
    Credential,
    own_credential,
    proof_of_possession,
    read_credential,
)
from mstunnel_setup.tenant.clouds import cloud
from mstunnel_setup.tenant.graph import Graph
from mstunnel_setup.tenant.sign_in import SignIn

# It is better to retry at the next check-in than after a long wait.
_DEADLINE_SECONDS: Final = 60


@dataclass(frozen=True)
class Enrolment:
    """A signed-in connection to the tenant, with the ids of this server's record.

    Nothing has a default: what `enrol` leaves out would do nothing on every server, and no test would notice.

    `object_id` and `credential` (None: it has a secret) are those of the agent's own application,
    `credential_end` is its expiry, if known; `prove` signs in with another credential or raises SignInError;
    `close` closes the connections.
    """

    tenant: Graph
    site_id: str
    server_id: str
    object_id: str
    credential: Credential | None = field(repr=False)
    credential_end: datetime | None
    prove: Callable[[Credential], object]
    close: Callable[[], None]


def enrol(files: Files, clock: Clock, *, timeout: float = 30) -> Enrolment:
    """Sign in with the installation's files below /etc/mstunnel; `timeout` limits each response (seconds).

    Raises SetupError: files missing or unreadable, sign-in refused, tenant unreachable.
    """
    info = read_agent_info(files)
    settings = read_agent_settings(files)
    # Microsoft's clouds have fixed addresses, so only a custom one's are read from the file.
    custom = (info.authority, info.graph) if info.cloud == "custom" else ()
    where = cloud(info.cloud, *custom)
    _use_proxies(read_proxies(files))
    credential = own_credential(files)
    certificate = credential if isinstance(credential, Credential) else None
    http = HttpSession(clock, roots=trusted_roots(files), timeout=timeout, deadline=_DEADLINE_SECONDS)
    sign_in = SignIn(http, clock, where, info.tenant_id, info.agent_id)
    try:
        token_source = sign_in.application(credential)
    except SetupError:
        http.close()
        raise
    return Enrolment(
        tenant=Graph(http, where, token_source, clock),
        site_id=settings.site_id,
        server_id=settings.server_id,
        object_id=info.object_id or "",
        credential=certificate,
        credential_end=certificate.certificate.not_valid_after_utc if certificate else info.renewal_date,
        prove=sign_in.application,
        close=http.close,
    )


def _use_proxies(proxies: Mapping[str, str]) -> None:
    """Make this process use these proxies only, without any that `env.sh` named earlier."""
    for name in in_both_cases(dict.fromkeys(PROXIES, "")):
        os.environ.pop(name, None)
    os.environ.update(proxies)


def trusted_roots(files: Files) -> str:
    """Return the certificates of `ca-trust/*.crt` (PEM or DER) as PEM; empty if there are none.

    Raises CertificateError with the name of an invalid file.
    """
    roots = ""
    for name in files.names(paths.CA_TRUST):
        if name.endswith(".crt"):
            path = f"{paths.CA_TRUST}/{name}"
            try:
                found = read_material(files.read(path) or b"").certificates
            except CertificateError as error:
                raise CertificateError(
                    "trusted-root-unreadable",
                    "{path}: {reason}",
                    hint="Replace it with a certificate in PEM or DER, or remove the file.",
                    path=path,
                    reason=error.message,
                ) from error
            roots += "".join(certificate.public_bytes(Encoding.PEM).decode() for certificate in found)
    return roots


CANDIDATE: Final = f"{paths.AGENT_STATE}/next-agent.p12"
# The row of the health table warns at 30 days: renewals that began at 45 have then failed for two weeks.
_EARLY: Final = timedelta(days=45)
_EVERY_SECONDS: Final = 3600.0


@dataclass
class Renewal:
    """Renews the credential near its end, once an hour until it succeeds.

    A credential that an administrator has prepared is not renewed.
    """

    files: Files
    clock: Clock
    tell: Tell
    counters: Counters
    _tried: float | None = field(default=None, init=False)

    def renew_in_time(self, enrolment: Enrolment) -> bool:
        """Renew the credential if it is time; return whether the next sign-in uses a new one."""
        credential, now = enrolment.credential, self.clock.monotonic()
        if credential is None or not enrolment.object_id:
            return False
        left = credential.certificate.not_valid_after_utc - self.clock.now()
        if left > _EARLY or (self._tried is not None and now - self._tried < _EVERY_SECONDS):
            return False
        self._tried = now
        try:
            self._drop_outlived(credential)
            if not self._adopt(enrolment):
                self._hand_in(enrolment, credential)
                return self._adopt(enrolment)
        except SetupError as error:
            self.tell(IDENTITY_NOT_RENEWED(reason=error.message))
            return False
        return True

    def _drop_outlived(self, credential: Credential) -> None:
        """Remove a candidate that is damaged, or expires no later than the present credential."""
        if self.files.read(CANDIDATE) is None:
            return
        with suppress(SignInError):
            end = read_credential(self.files, CANDIDATE).certificate.not_valid_after_utc
            if end > credential.certificate.not_valid_after_utc:
                return
        self.files.remove(CANDIDATE)

    def _adopt(self, enrolment: Enrolment) -> bool:
        """Install the candidate once the tenant accepts its sign-in; return whether it did."""
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
        """Create a candidate, unless there is one, and add its certificate to the application."""
        names = credential.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        name = str(names[0].value) if names else "mstunnel-agent"
        if self.files.read(CANDIDATE) is None:
            pfx, _ = new_agent_certificate(name, self.clock.now(), CREDENTIAL_DAYS)
            self.files.make_directories(paths.AGENT_STATE)
            self.files.write(CANDIDATE, pfx, 0o600)
        wanted = read_credential(self.files, CANDIDATE).key_credential(name)
        proof = proof_of_possession(credential, enrolment.object_id, self.clock.now())
        enrolment.tenant.add_key(enrolment.object_id, wanted, proof)
