"""Convert the bytes of files to an identity, and an identity to the bytes that the gateway reads."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import Certificate

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CertificateError
from mstunnel_setup.base.text import text
from mstunnel_setup.certificates.certificate import (
    Identity,
    Material,
    is_ca,
    is_self_signed,
    public_bytes,
    title,
)
from mstunnel_setup.certificates.chain_building import best_path
from mstunnel_setup.certificates.errors import CERTIFICATE_FILE_MISSING, INPUT_EMPTY, LEAF_AMBIGUOUS
from mstunnel_setup.certificates.pfx import read_pfx
from mstunnel_setup.certificates.read import read_material
from mstunnel_setup.io.files import Files


def load_identity(chain: bytes, key: bytes = b"") -> Identity:
    """Read a certificate file and a key file; either may hold parts of the other, in any order.

    Raises CertificateError with the codes of `read_material` and `match`.
    """
    return match(read_material(chain, "certificate") + read_material(key, "key"))


def load_identity_files(chain: Mapping[str, bytes], key: bytes = b"") -> Identity:
    """Read an identity from certificate files by path, in any order; an error names the file."""
    material = Material()
    for path, content in chain.items():
        try:
            material += read_material(content)
        except CertificateError as error:
            raise CertificateError(
                error.code, text("{path}: {problem}", path=path, problem=error.message), error.hint
            ) from error
    return match(material + read_material(key, "key"))


def load_identity_pfx(pfx: bytes, passphrase: bytes | None = None) -> Identity:
    """Read a PFX file, whose order means nothing, so `given` starts with the chain.

    Raises CertificateError with the codes of `read_pfx` and `match`.
    """
    identity = match(read_pfx(pfx, passphrase))
    return replace(identity, given=tuple(dict.fromkeys(identity.chain + identity.given)))


def match(material: Material) -> Identity:
    """Return the leaf that belongs to a key, with this key and the sorted chain.

    Of several certificates for one key, the one that expires last is used (a renewal).
    Raises CertificateError: `input-without-certificate`, `key-missing`, `key-encrypted`, `key-mismatch`,
    `leaf-ambiguous`.
    """
    if not material.certificates:
        raise CertificateError(
            "input-without-certificate",
            "the input contains no certificate",
            hint="Use the certificate that the authority issued; a request (CSR) or a key alone is not "
            "enough.",
        )
    if not material.keys and material.encrypted_keys:
        raise CertificateError(
            "key-encrypted",
            "the private key is protected by a passphrase",
            hint="Remove it (`openssl pkey -in KEY -out site.key`), or give a PFX and its passphrase.",
        )
    if not material.keys:
        raise CertificateError(
            "key-missing",
            "the input contains no private key",
            hint="Give the key that the certificate was requested with (`key`, or `--key PATH`); export a "
            "PFX together with its key.",
        )
    leaf = _leaf(material)
    key = next(item for item in material.keys if public_bytes(item) == public_bytes(leaf))
    path = best_path(leaf, material.certificates)
    return Identity(leaf=leaf, chain=path.certificates, key=key, given=material.certificates)


def _leaf(material: Material) -> Certificate:
    """Return the certificate that belongs to one of the keys; that of a CA only if there is no other."""
    keys = set(map(public_bytes, material.keys))
    found = [item for item in material.certificates if public_bytes(item) in keys]
    leaves = [item for item in found if not is_ca(item)] or found
    if not leaves:
        first = next((item for item in material.certificates if not is_ca(item)), material.certificates[0])
        raise CertificateError(
            "key-mismatch",
            "the private key does not belong to the certificate of {subject}",
            hint="Give the key that this certificate was requested with, or request a new certificate for "
            "it.",
            subject=title(first),
        )
    if len(set(map(public_bytes, leaves))) > 1:
        raise LEAF_AMBIGUOUS(found=", ".join(map(title, leaves)))
    return max(leaves, key=lambda item: (item.not_valid_after_utc, item.not_valid_before_utc))


def chain_pem(identity: Identity) -> bytes:
    """Return the certificates to serve as PEM: leaf first, without the root, which devices do not need."""
    return _pem([identity.leaf, *(item for item in identity.chain[1:] if not is_self_signed(item))])


def given_pem(identity: Identity) -> bytes:
    """Return the whole chain as PEM, leaf first, with the root if the input had it; certificates only."""
    return _pem(identity.chain)


def root_pem(identity: Identity) -> bytes:
    """Return the root above a chain as PEM; empty if the input lacked it."""
    return _pem([item for item in identity.chain[1:] if is_self_signed(item)])


def _pem(certificates: Iterable[Certificate]) -> bytes:
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def key_pem(identity: Identity) -> bytes:
    """Return the private key as unencrypted PKCS#8 PEM; write it only with mode 0600."""
    return identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def fingerprint(identity: Identity) -> str:
    """Return the generation's name: SHA-256 of the leaf (hex), a dash, and 16 hex digits for the chain.

    The second part makes a new chain for the same leaf another generation.
    """
    leaf = hashlib.sha256(identity.leaf.public_bytes(Encoding.DER)).hexdigest()
    return f"{leaf}-{hashlib.sha256(chain_pem(identity)).hexdigest()[:16]}"


Passphrases: TypeAlias = Callable[[str | None], bytes | None]
"""Return a reference's passphrase; without a reference the one typed during this run, if any."""


@dataclass(frozen=True, kw_only=True)
class IdentitySource:
    """The files of an identity: certificate files and a key file, or a PFX file.

    The paths are those of this machine: `--root` does not apply to them.

    Attributes:
        chain: The certificate file, which also holds the key if `key` is empty.
        further: Further certificate files, if the chain is in several.
        key: The key file.
        root: An optional file with the root, used for checks but not sent to devices.
        pfx: The PFX file, instead of `chain` and `key`.
        passphrase: The reference to the passphrase of the PFX file.
    """

    chain: str = ""
    further: tuple[str, ...] = ()
    key: str = ""
    root: str = ""
    pfx: str = ""
    passphrase: str | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that it needs."""
        if self.pfx:
            return (self.pfx,)
        return (*self.certificates, self.key) if self.key else self.certificates

    @property
    def certificates(self) -> tuple[str, ...]:
        """All certificate files of the chain."""
        return (self.chain, *self.further)

    def is_whole(self, files: Files) -> bool:
        """Return whether all its files exist."""
        return all(files.read_given(path) is not None for path in self.paths)

    def read(self, files: Files, passphrase: Passphrases) -> Identity:
        """Read the identity. Raises CertificateError if a file is missing or unusable."""
        contents = {path: given_content(files, path) for path in self.paths}
        if self.pfx:
            return load_identity_pfx(contents[self.pfx], passphrase(self.passphrase))
        chain = {path: contents[path] for path in self.certificates}
        if self.root:
            chain[self.root] = files.read_given(self.root) or b""
        return load_identity_files(chain, contents.get(self.key, b""))


def usual_sources(files: Files, passphrase: str | None = None) -> tuple[IdentitySource, IdentitySource]:
    """Return the usual sources: PEM, and PFX with this passphrase."""
    usual = (paths.SITE_CERTIFICATE, paths.SITE_KEY, paths.SITE_PFX)
    chain, key, pfx = (str(files.locate(path)) for path in usual)
    return IdentitySource(chain=chain, key=key), IdentitySource(pfx=pfx, passphrase=passphrase)


def given_content(files: Files, path: str) -> bytes:
    """Return the content of an administrator's file.

    Raises CertificateError `certificate-file-missing` or `input-empty`.
    """
    content = files.read_given(path)
    if content is None:
        raise CERTIFICATE_FILE_MISSING(path=path)
    if not content.strip():
        raise INPUT_EMPTY(where=path)
    return content
