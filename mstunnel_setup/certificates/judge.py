"""Judge an identity: is this the certificate that devices will accept at this address, now and for a while?

Everything here is pure. Limits come from `docs/reference` (TLS certificate): 2048 bits, 398 days for public
authorities and 730 days for private ones, names as whole labels.
"""

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509

from mstunnel_setup.certificates.chain_building import best_path
from mstunnel_setup.certificates.judge_chain import chain_findings, input_findings
from mstunnel_setup.certificates.judge_leaf import leaf_findings
from mstunnel_setup.certificates.judge_names import name_findings
from mstunnel_setup.certificates.judge_path import path_findings
from mstunnel_setup.certificates.judge_time import time_findings
from mstunnel_setup.certificates.model import Finding, Identity, Severity

_ORDER = (Severity.ERROR, Severity.WARNING, Severity.NOTE)


def judge(
    identity: Identity,
    *,
    public_address: str | None,
    now: datetime,
    trusted_roots: Sequence[x509.Certificate] = (),
    private_roots: Sequence[x509.Certificate] = (),
    allow_self_signed: bool = False,
) -> tuple[Finding, ...]:
    """Return every finding, errors first; no error means the certificate may be used.

    `public_address` is the name or IP address that devices connect to (None: not known, not judged); `now` is
    an aware time; `trusted_roots` are those of the system, `private_roots` those an administrator added.
    Without any root, a chain that stops below its own can only be warned about.
    """
    roots = (*trusted_roots, *private_roots)
    path = best_path(identity.leaf, identity.given, roots, now)
    private = path.end in private_roots
    public = path.trusted and not private
    found = [
        *leaf_findings(identity.leaf, allow_self_signed=allow_self_signed),
        *name_findings(identity.leaf, public_address),
        *time_findings(path, now, public=public),
        *chain_findings(path, roots_known=bool(roots), private=private),
        *path_findings(path),
        *input_findings(identity, path, roots),
    ]
    return tuple(sorted(found, key=lambda finding: _ORDER.index(finding.severity)))
