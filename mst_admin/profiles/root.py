"""Trusted roots that are declared: read from their files, and judged."""

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import BasicConstraints, Certificate, ExtensionNotFound

from mst_admin.objects.profile import PEM_START, ProfileObject, TrustedRootObject
from mstunnel_setup.base.errors import CertificateError
from mstunnel_setup.certificates.read import read_material
from mstunnel_setup.io.files import Files


def with_root(profile: ProfileObject) -> ProfileObject:
    """The profile with the PEM of its trusted root in place of a path. Raises CertificateError."""
    if profile.trusted_root is None:
        return profile
    return profile.model_copy(update={"trusted_root": _pem(profile.trusted_root, "trusted_root")})


def with_certificate(declared: TrustedRootObject) -> TrustedRootObject:
    """The trusted root with the PEM of its certificate in place of a path. Raises CertificateError."""
    return declared.model_copy(update={"certificate": _pem(declared.certificate, "certificate")})


def _pem(given: str, key: str) -> str:
    """The one certificate at a path, or in a text, as PEM. Raises CertificateError."""
    inline = given.lstrip().startswith(PEM_START)
    content = given.encode() if inline else Files().read(given)
    if content is None:
        raise CertificateError(
            "trusted-root-missing",
            "there is no certificate at {path}",
            hint="Check the path.",
            path=given,
        )
    (root, *others) = read_material(content).certificates or (None,)
    if root is None or others or not _is_authority(root):
        raise CertificateError(
            "trusted-root-unsuitable",
            "{path} does not hold exactly one CA certificate",
            hint="Use only the root certificate of the CA that issued the gateway's certificate.",
            path=key if inline else given,
        )
    return root.public_bytes(Encoding.PEM).decode()


def _is_authority(certificate: Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(BasicConstraints).value.ca
    except ExtensionNotFound:
        return False
