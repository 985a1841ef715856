"""The system's trusted roots, those below ca-trust, and private keys that other accounts can read."""

from collections.abc import Collection, Iterator

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CertificateError
from mstunnel_setup.base.problem import Problem, error, warning
from mstunnel_setup.base.text import text
from mstunnel_setup.certificates.certificate import is_ca, title
from mstunnel_setup.certificates.errors import KEY_MODE
from mstunnel_setup.certificates.read import read_material, read_roots
from mstunnel_setup.io.files import Files

_PEM = b"-----BEGIN CERTIFICATE-----"
_FOR_OTHERS = 0o044
_OF_OTHERS = 0o077
# Bundles of Debian, of the Red Hat family and of SUSE. These are the files themselves, because the usual
# links to them are absolute and leave another root directory.
_SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/var/lib/ca-certificates/ca-bundle.pem",
)


def system_roots(files: Files) -> tuple[Certificate, ...]:
    """Return the public CAs of the first system bundle that has any."""
    found = (read_roots(files.read(path) or b"") for path in _SYSTEM_BUNDLES)
    return next(filter(None, found), ())


def added_roots(files: Files) -> Iterator[tuple[str, Certificate]]:
    """Yield every certificate (PEM or DER) with the name of its file; skip unreadable files."""
    for name in files.names(paths.CA_TRUST):
        content = files.read(f"{paths.CA_TRUST}/{name}") if name.endswith(".crt") else None
        for certificate in read_roots(content or b""):
            yield name, certificate


def is_for_gateway(content: bytes) -> bool:
    """Return whether the gateway can use a file below ca-trust: its entrypoint joins PEM files."""
    return _PEM in content


def root_findings(files: Files) -> Iterator[Problem]:
    """Yield problems with the files that an administrator put below ca-trust."""
    for path in (f"{paths.CA_TRUST}/{name}" for name in files.names(paths.CA_TRUST) if name.endswith(".crt")):
        content = files.read(path) or b""
        try:
            certificates = read_material(content).certificates
            problem = "" if certificates else text("it contains no certificate")
        except CertificateError as error:
            certificates, problem = (), error.message
        if problem:
            yield warning(
                "root-unreadable",
                "{path} cannot be read: {problem}",
                hint="Remove it, or give the authority as PEM.",
                path=path,
                problem=problem,
            )
        elif not is_for_gateway(content):
            yield warning(
                "root-not-pem",
                "{path} is not PEM: the commands trust it, but the gateway does not",
                hint="Run `mst-cli ca-trust add {path}`.",
                path=path,
            )
        for certificate in certificates:
            if not is_ca(certificate):
                yield warning(
                    "root-not-ca",
                    "{path} holds the certificate of {subject}, which is not an authority (CA)",
                    hint="Give the certificate of the authority instead.",
                    path=path,
                    subject=title(certificate),
                )


def added_roots_pem(files: Files) -> str:
    """Return the certificates of `added_roots` as PEM; "" if there are none."""
    return "".join(root.public_bytes(Encoding.PEM).decode() for _, root in added_roots(files))


def exposed_keys(files: Files) -> Iterator[Problem]:
    """Yield a finding for each certificate file whose key others can read; do not follow links."""
    roots = (f"{paths.CA_TRUST}/{name}" for name in files.names(paths.CA_TRUST))
    for path in (paths.SITE_CERTIFICATE, *roots):
        state = files.state(path)
        if state is not None and state.kind == "file" and state.mode & _FOR_OTHERS and _has_key(files, path):
            yield error(
                "key-exposed",
                "{path} holds a private key and has mode {mode:04o}, so other accounts can read it",
                hint="Leave only certificates in that file, and replace the key: others may have copied it.",
                path=path,
                mode=state.mode,
            )


def readable_keys(files: Files, used: Collection[str]) -> Iterator[Problem]:
    """Yield a finding for a usual key or PFX that others can read, if `used` (real paths) has it."""
    for path in (paths.SITE_KEY, paths.SITE_PFX):
        state = files.state(path) if str(files.locate(path)) in used else None
        if state is not None and state.kind == "file" and state.mode & _OF_OTHERS:
            yield KEY_MODE(path=path, mode=state.mode, wanted=0o600)


def _has_key(files: Files, path: str) -> bool:
    try:
        return bool(read_material(files.read(path) or b"").keys)
    except CertificateError:
        return False
