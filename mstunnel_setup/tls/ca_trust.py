"""The roots that an administrator added below ca-trust, read alike by everything of ours that trusts them."""

from collections.abc import Iterator

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate

from mstunnel_setup import paths
from mstunnel_setup.errors import CertificateError
from mstunnel_setup.host.files import Files
from mstunnel_setup.tls.read import read_material


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


def added_roots_pem(files: Files) -> str:
    """The same, PEM after PEM; empty when there are none."""
    return "".join(root.public_bytes(Encoding.PEM).decode() for _, root in added_roots(files))
