"""The trusted root that a profile sends to its devices: read, judged, and made part of the profile."""

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import BasicConstraints, Certificate, ExtensionNotFound, load_pem_x509_certificate

from mstunnel_setup.admin.errors import TRUSTED_ROOT_MISSING, TRUSTED_ROOT_UNSUITABLE
from mstunnel_setup.admin.profiles.objects import PEM_START, ProfileObject
from mstunnel_setup.host.files import Files
from mstunnel_setup.tls.read import read_material


def with_root(profile: ProfileObject) -> ProfileObject:
    """The profile with the PEM of its trusted root in place of a path. Raises CertificateError."""
    if profile.trusted_root is None:
        return profile
    inline = profile.trusted_root.lstrip().startswith(PEM_START)
    name = "trusted_root" if inline else profile.trusted_root
    content = profile.trusted_root.encode() if inline else Files().read(profile.trusted_root)
    if content is None:
        raise TRUSTED_ROOT_MISSING(path=profile.trusted_root)
    (root, *others) = read_material(content).certificates or (None,)
    if root is None or others or not _is_authority(root):
        raise TRUSTED_ROOT_UNSUITABLE(path=name)
    pem = root.public_bytes(Encoding.PEM).decode()
    return profile.model_copy(update={"trusted_root": pem})


def root_of(profile: ProfileObject) -> Certificate | None:
    """The trusted root of a profile that was given by `with_root`."""
    return load_pem_x509_certificate(profile.trusted_root.encode()) if profile.trusted_root else None


def _is_authority(certificate: Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(BasicConstraints).value.ca
    except ExtensionNotFound:
        return False
