"""Generations of the site's certificate: a directory for each, and a symbolic link to the one in use."""

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
    """Return the key of the action `FreshenIdentity` for the generation `name`."""
    return f"freshness:{directory(name)}"


def directory(name: str) -> str:
    """Return the directory of the generation `name` (its fingerprint)."""
    return f"{paths.GENERATIONS}/{name}"


def target(name: str) -> str:
    """Return the target of the symbolic link for the generation `name`.

    It is relative, because containers mount the directory at another path.
    """
    return f"{_ABOVE}/{name}"


def linked(files: Files) -> str | None:
    """Return the generation that the symbolic link names, even if missing; None without such a link."""
    state = files.state(paths.ACTIVE)
    if state is None or state.target is None:
        return None
    pure = PurePosixPath(state.target)
    return pure.name if str(pure.parent) in (_ABOVE, paths.GENERATIONS) else None


def source(files: Files, directory: str) -> IdentitySource:
    """Return chain, key and root in `directory` as a source that an import can read."""
    real = files.locate(directory)
    return IdentitySource(chain=f"{real}/chain.pem", key=f"{real}/key.pem", root=f"{real}/root.pem")


def read(files: Files, directory: str) -> Identity:
    """Read the identity in `directory`.

    Raises CertificateError `generation-incomplete` if a file is missing, or a code of `load_identity`.
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
    """Set the modification time of chain and key of the generation `name` one second into the future.

    ocserv reloads a file only if it changed after the second of the last load, and checks certificate and key
    separately (need_file_reload in its tlslib.c). Otherwise it would keep one or both files of the previous
    generation when an older generation is used again.
    """
    when = clock.now().timestamp() + 1
    for file in ("chain.pem", "key.pem"):
        if files.state(f"{directory(name)}/{file}") is not None:
            files.set_modified(f"{directory(name)}/{file}", when)


def in_use(files: Files) -> Identity | None:
    """Return the identity that the gateway serves, or None if there is no usable one."""
    try:
        return read(files, paths.ACTIVE)
    except CertificateError:
        return None


def leaf_in_use(files: Files) -> x509.Certificate | None:
    """Return the leaf that the gateway serves, even if its key is missing; None if it cannot be read."""
    chain = files.read(f"{paths.ACTIVE}/chain.pem")
    try:
        return None if chain is None else read_material(chain).certificates[0]
    except (CertificateError, IndexError):
        return None


def is_step_back(candidate: x509.Certificate, current: x509.Certificate) -> bool:
    """Return whether `candidate` expires before `current`, or at the same time and was issued before it."""
    first, second = (
        (certificate.not_valid_after_utc, certificate.not_valid_before_utc)
        for certificate in (candidate, current)
    )
    return first < second


def is_later(candidate: x509.Certificate, current: x509.Certificate) -> bool:
    """Return whether `candidate` was issued after `current`, or at the same time and expires later."""
    return newest(candidate) > newest(current)


def newest(certificate: x509.Certificate) -> tuple[datetime, datetime]:
    """Return a sort key that orders certificates by issue date, then by expiry."""
    return certificate.not_valid_before_utc, certificate.not_valid_after_utc
