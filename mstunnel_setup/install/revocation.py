"""What the authorities say about a certificate: asked through our HTTP session, kept for later commands."""

from dataclasses import dataclass

from mstunnel_setup.base.problem import Problem
from mstunnel_setup.certificates import revocation
from mstunnel_setup.certificates.certificate import Identity
from mstunnel_setup.certificates.chain_building import best_path
from mstunnel_setup.certificates.load import fingerprint
from mstunnel_setup.certificates.revocation import RevocationStatus, fetching, revocation_findings
from mstunnel_setup.certificates.revocation import ask as ask_authorities
from mstunnel_setup.install.context import Context
from mstunnel_setup.install.tenant_access import http_session

LAST = revocation.ASKED_BY_COMMANDS
_TIMEOUT = 5.0
_DEADLINE = 5.0


@dataclass(frozen=True)
class Revocation:
    """What was learnt about a chain, the leaf first."""

    verdicts: tuple[RevocationStatus, ...]

    @property
    def findings(self) -> tuple[Problem, ...]:
        """Errors and warnings."""
        return tuple(revocation_findings(self.verdicts))


def ask(context: Context, identity: Identity) -> Revocation:
    """Ask responders and lists about every certificate of the path to its root. Raises nothing."""
    roots = context.host.trusted_roots
    now = context.host.clock.now()
    path = best_path(identity.leaf, identity.given or identity.chain, roots, now)
    http = http_session(context, timeout=_TIMEOUT, deadline=_DEADLINE)
    try:
        return Revocation(ask_authorities(path.certificates, fetching(http), now))
    finally:
        http.close()


def keep(context: Context, identity: Identity, found: Revocation) -> None:
    """Keep the answer for commands that must not wait for the network."""
    now = context.host.clock.now()
    revocation.keep(context.host.files, LAST, fingerprint(identity), found.verdicts, now)
