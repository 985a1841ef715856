"""The certificate that Microsoft's own gateway serves: found, read and judged."""

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mstunnel_setup.actions.host import Host
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CertificateError
from mstunnel_setup.base.problem import Problem, Severity
from mstunnel_setup.certificates.certificate import Identity, title
from mstunnel_setup.certificates.judge import judge
from mstunnel_setup.certificates.load import fingerprint, load_identity
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files

_NAMES_OF_OCSERV = ("server-cert", "server-key")
# What is served comes before what was given: a later import may have failed.
_PAIRS = (
    (f"{paths.CERTIFICATES}/active.crt", f"{paths.PRIVATE}/active.key"),
    (f"{paths.CERTIFICATES}/ocserv-active.crt", f"{paths.PRIVATE}/ocserv-active.key"),
    (paths.SITE_CERTIFICATE, paths.SITE_KEY),
)
_MOST_LINKS = 8


@dataclass(frozen=True, kw_only=True)
class VendorCertificate:
    """The files of certificate and key, links followed; empty where none can be used.

    `problems` keep it from being taken over, each with a hint in `hints`; `pfx` is a PFX file beside them.
    """

    chain: str = ""
    key: str = ""
    pfx: str = ""
    subject: str = ""
    fingerprint: str = ""
    not_after: str = ""
    problems: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()


def vendor_certificate(ports: Host, gateway: Mapping[str, str], *, lab: bool) -> VendorCertificate:
    """The certificate named in `gateway` (the settings of ocserv.conf), else at one of its usual places."""
    files = ports.files
    named = tuple(gateway.get(name, "") for name in _NAMES_OF_OCSERV)
    pfx = paths.SITE_PFX if files.state(paths.SITE_PFX) is not None else ""
    pairs = [pair for pair in ((named[0], named[1]), *_PAIRS) if all(_there(files, path) for path in pair)]
    if not pairs:
        return VendorCertificate(pfx=pfx)
    chain, key = (_followed(files, path) for path in pairs[0])
    try:
        identity = load_identity(files.read(chain) or b"", files.read(key) or b"")
    except (CertificateError, FileError) as error:
        return VendorCertificate(
            chain=chain, key=key, pfx=pfx, problems=(error.message,), hints=(error.hint,)
        )
    bad = [item for item in _judged(ports, identity, lab=lab) if item.severity is Severity.ERROR]
    return VendorCertificate(
        chain=chain,
        key=key,
        pfx=pfx,
        subject=title(identity.leaf),
        fingerprint=fingerprint(identity),
        not_after=f"{identity.leaf.not_valid_after_utc:%Y-%m-%d}",
        problems=tuple(item.message for item in bad),
        hints=tuple(item.hint for item in bad),
    )


def _judged(ports: Host, identity: Identity, *, lab: bool) -> Sequence[Problem]:
    return judge(
        identity,
        public_address=None,
        now=ports.clock.now(),
        trusted_roots=ports.system_roots,
        private_roots=ports.private_roots,
        allow_self_signed=lab,
    )


def _there(files: Files, path: str) -> bool:
    return path.startswith("/") and files.state(_followed(files, path)) is not None


def _followed(files: Files, path: str) -> str:
    """The path at the end of links, as far as they lead: an acme client may own the files."""
    for _ in range(_MOST_LINKS):
        state = files.state(path)
        if state is None or state.target is None:
            break
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), state.target))
    return path
