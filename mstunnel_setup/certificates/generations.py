"""The generations of the certificate: one directory each, and one link to the served one."""

from datetime import datetime
from pathlib import PurePosixPath

from cryptography import x509

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CertificateError
from mstunnel_setup.certificates.certificate import Identity
from mstunnel_setup.certificates.load import IdentitySource, load_identity
from mstunnel_setup.certificates.read import read_material
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files

_ABOVE = PurePosixPath(paths.GENERATIONS).name


def freshness(name: str) -> str:
    """Return the key of `FreshenIdentity`."""
    return f"freshness:{directory(name)}"


def directory(name: str) -> str:
    """Return the directory of generation `name` (its fingerprint)."""
    return f"{paths.GENERATIONS}/{name}"


def target(name: str) -> str:
    """Return the link's target for generation `name`; relative, because containers mount it elsewhere."""
    return f"{_ABOVE}/{name}"


def linked(files: Files) -> str | None:
    """Return the generation that the link names, even if it is missing; None without such a link."""
    state = files.state(paths.ACTIVE)
    if state is None or state.target is None:
        return None
    pure = PurePosixPath(state.target)
    return pure.name if str(pure.parent) in (_ABOVE, paths.GENERATIONS) else None


def source(files: Files, directory: str) -> IdentitySource:
    """Return chain and key in `directory`, as a source to place them from."""
    real = files.locate(directory)
    return IdentitySource(chain=f"{real}/chain.pem", key=f"{real}/key.pem", root=f"{real}/root.pem")


def read(files: Files, directory: str) -> Identity:
    """Read the identity in `directory`.

    Raises CertificateError `generation-incomplete` if a file is missing, and the codes of `load_identity`.
    """
    chain, key = (files.read(f"{directory}/{name}") for name in ("chain.pem", "key.pem"))
    if chain is None or key is None:
        raise CertificateError(
            "generation-incomplete",
            "chain.pem or key.pem is missing in {directory}",
            hint="Run `mst-cli cert repair`.",
            directory=directory,
        )
    return load_identity(chain + (files.read(f"{directory}/root.pem") or b""), key)


def freshen(files: Files, clock: Clock, name: str) -> None:
    """Make chain and key of generation `name` newer than the gateway's last load.

    ocserv loads only files that changed after the second of its last load (need_file_reload in its tlslib.c),
    certificate and key separately: it would not load one or both files of an older generation.
    """
    when = clock.now().timestamp() + 1
    for file in ("chain.pem", "key.pem"):
        if files.state(f"{directory(name)}/{file}") is not None:
            files.set_modified(f"{directory(name)}/{file}", when)


def in_use(files: Files) -> Identity | None:
    """Return the certificate and key that the gateway serves; None if its link leads to no usable ones."""
    try:
        return read(files, paths.ACTIVE)
    except CertificateError:
        return None


def leaf_in_use(files: Files) -> x509.Certificate | None:
    """Return the leaf that the gateway serves, even without its key; None if it cannot be read."""
    chain = files.read(f"{paths.ACTIVE}/chain.pem")
    try:
        return None if chain is None else read_material(chain).certificates[0]
    except (CertificateError, IndexError):
        return None


def is_step_back(candidate: x509.Certificate, current: x509.Certificate) -> bool:
    """Return whether `candidate` ends before `current`, or ends together with it but was issued before."""
    first, second = (
        (certificate.not_valid_after_utc, certificate.not_valid_before_utc)
        for certificate in (candidate, current)
    )
    return first < second


def is_later(candidate: x509.Certificate, current: x509.Certificate) -> bool:
    """Return whether `candidate` was issued after `current`, or at the same time and expires later."""
    return newest(candidate) > newest(current)


def newest(certificate: x509.Certificate) -> tuple[datetime, datetime]:
    """Return a sort key: issued last, then valid longest."""
    return certificate.not_valid_before_utc, certificate.not_valid_after_utc
