"""The roots of this system, and those below ca-trust, read alike by everything of ours that trusts them."""

import ssl
from collections.abc import Iterator

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate

from mstunnel_setup import paths
from mstunnel_setup.errors import CertificateError
from mstunnel_setup.host.files import Files
from mstunnel_setup.tls.certificate import is_ca, title
from mstunnel_setup.tls.model import Finding, Severity
from mstunnel_setup.tls.read import read_material

_PEM = b"-----BEGIN CERTIFICATE-----"
# Debian's bundle, then that of the Red Hat family.
_SYSTEM_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")


def system_roots(files: Files) -> tuple[Certificate, ...]:
    """The public authorities that this system trusts; a bundle that cannot be read has none."""
    bundles = (*_SYSTEM_BUNDLES, ssl.get_default_verify_paths().openssl_cafile)
    contents = (files.read_given(path) for path in bundles)
    try:
        return read_material(next(filter(None, contents), b"")).certificates
    except CertificateError:
        return ()


def added_roots(files: Files) -> Iterator[tuple[str, Certificate]]:
    """Every certificate (PEM or DER) with the name of its file; what cannot be read is nobody's root."""
    for name in files.names(paths.CA_TRUST):
        content = files.read(f"{paths.CA_TRUST}/{name}") if name.endswith(".crt") else None
        try:
            certificates = read_material(content or b"").certificates
        except CertificateError:
            continue
        for certificate in certificates:
            yield name, certificate


def is_for_gateway(content: bytes) -> bool:
    """Whether the gateway can use a file below ca-trust: its entrypoint joins them to one file of PEM."""
    return _PEM in content


def root_findings(files: Files) -> Iterator[Finding]:
    """What is wrong with the files below ca-trust that somebody has put there by hand."""
    for name in files.names(paths.CA_TRUST):
        if name.endswith(".crt"):
            path = f"{paths.CA_TRUST}/{name}"
            yield from _about_file(path, files.read(path) or b"")


def _about_file(path: str, content: bytes) -> Iterator[Finding]:
    try:
        certificates = read_material(content).certificates
        problem = "" if certificates else "it holds no certificate"
    except CertificateError as error:
        certificates, problem = (), error.message
    if problem:
        message = f"nobody can read {path}: {problem}"
        yield Finding(
            "root-unreadable", Severity.WARNING, message, "Remove it, or give the authority as PEM."
        )
        return
    if not is_for_gateway(content):
        message = f"{path} is not PEM, so our programs trust it, but the gateway does not"
        yield Finding("root-not-pem", Severity.WARNING, message, f"Run `mst-cli ca-trust add {path}`.")
    for certificate in certificates:
        if not is_ca(certificate):
            message = f"{path} holds the certificate of {title(certificate)}, which is no authority (CA)"
            hint = "Give the certificate of the authority instead."
            yield Finding("root-not-ca", Severity.WARNING, message, hint)


def added_roots_pem(files: Files) -> str:
    """The same, PEM after PEM; empty when there are none."""
    return "".join(root.public_bytes(Encoding.PEM).decode() for _, root in added_roots(files))
