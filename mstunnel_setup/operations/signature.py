"""The signature over the checksums of a release, as minisign(1) writes it."""

import binascii
import hashlib
from base64 import b64decode
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.errors import SIGNATURE_WRONG

_SUFFIX: Final = ".minisig"
_COMMENT: Final = b"trusted comment: "
# Two bytes before the id of the key: the signature is of the BLAKE2b of the text, not of the text.
_HASHED: Final = b"ED"
_ID: Final = slice(2, 10)
_REST: Final = slice(10, None)


def signed_digests(files: Files, sums: str, key: str) -> frozenset[str]:
    """The SHA-256 sums in the file `sums`, which the owner of the public key in the file `key` has signed.

    The signature is beside `sums`. Raises UsageError `signature-missing` or `signature-unreadable`, and
    CheckError `signature-wrong`.
    """
    content, signature, public = (_given(files, path) for path in (sums, sums + _SUFFIX, key))
    owner = _decoded(public, 1, key)
    signed, whole = (_decoded(signature, line, sums + _SUFFIX) for line in (1, 3))
    comment = signature.splitlines()[2].removeprefix(_COMMENT)
    message = hashlib.blake2b(content).digest() if signed.startswith(_HASHED) else content
    try:
        verifier = Ed25519PublicKey.from_public_bytes(owner[_REST])
        verifier.verify(signed[_REST], message)
        verifier.verify(whole, signed[_REST] + comment)
    except (InvalidSignature, ValueError) as error:
        raise SIGNATURE_WRONG(sums=sums, key=key) from error
    if owner[_ID] != signed[_ID]:
        raise SIGNATURE_WRONG(sums=sums, key=key)
    return frozenset(
        line.split()[0] for line in content.decode(errors="replace").splitlines() if line.strip()
    )


def _given(files: Files, path: str) -> bytes:
    content = files.read_given(path)
    if content is None:
        raise UsageError(
            "signature-missing",
            "there is no file {path}",
            hint=(
                "Download SHA256SUMS and SHA256SUMS.minisig of the release, and give the path of the "
                "first with --sums."
            ),
            path=path,
        )
    return content


def _decoded(content: bytes, line: int, path: str) -> bytes:
    try:
        return b64decode(content.splitlines()[line], validate=True)
    except (IndexError, binascii.Error) as error:
        raise UsageError(
            "signature-unreadable",
            "{path} is not a minisign file",
            hint=(
                "Give the public key (`minisign.pub`) with --public-key; the signature is beside the sums."
            ),
            path=path,
        ) from error
