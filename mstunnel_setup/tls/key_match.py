"""Find the leaf, its key and its chain in the input."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mstunnel_setup.tls.certificate import is_ca, public_bytes, title
from mstunnel_setup.tls.chain_building import best_path
from mstunnel_setup.tls.errors import (
    INPUT_WITHOUT_CERTIFICATE,
    KEY_ENCRYPTED,
    KEY_MISMATCH,
    KEY_MISSING,
    LEAF_AMBIGUOUS,
)
from mstunnel_setup.tls.model import Identity, Material

_Pair = tuple[x509.Certificate, PrivateKeyTypes]


def match(material: Material) -> Identity:
    """Pair a leaf with its key and sort its chain.

    Of several certificates for one key the one with the latest end is used (a renewal).
    Raises CertificateError: `input-without-certificate`, `key-missing`, `key-encrypted`, `key-mismatch`,
    `leaf-ambiguous`.
    """
    _require_both(material)
    leaf, key = _only_pair(_pairs(material), material)
    path = best_path(leaf, material.certificates)
    return Identity(leaf=leaf, chain=path.certificates, key=key, given=material.certificates)


def _require_both(material: Material) -> None:
    if not material.certificates:
        raise INPUT_WITHOUT_CERTIFICATE()
    if not material.keys and material.encrypted_keys:
        raise KEY_ENCRYPTED()
    if not material.keys:
        raise KEY_MISSING()


def _pairs(material: Material) -> list[_Pair]:
    keys = {_public_of(key): key for key in material.keys}
    found = [
        (certificate, keys[public])
        for certificate in material.certificates
        if (public := public_bytes(certificate)) in keys
    ]
    return [pair for pair in found if not is_ca(pair[0])] or found


def _public_of(key: PrivateKeyTypes) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _only_pair(pairs: list[_Pair], material: Material) -> _Pair:
    if not pairs:
        first = next((item for item in material.certificates if not is_ca(item)), material.certificates[0])
        raise KEY_MISMATCH(subject=title(first))
    if len({public_bytes(certificate) for certificate, _ in pairs}) > 1:
        names = ", ".join(title(certificate) for certificate, _ in pairs)
        raise LEAF_AMBIGUOUS(found=names)
    return max(pairs, key=lambda pair: (pair[0].not_valid_after_utc, pair[0].not_valid_before_utc))
