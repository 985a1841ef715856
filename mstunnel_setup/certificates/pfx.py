"""Read PFX (PKCS#12) files, with an exact reason when one cannot be read.

The library has one error for a wrong passphrase, a damaged file and an unknown algorithm. So the outer
structure is parsed first, then the algorithms are checked, then the passphrase by the MAC.
"""

from contextlib import suppress

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.decrepit.ciphers.algorithms import RC2, TripleDES
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.serialization import load_der_private_key

from mstunnel_setup.base.errors import CertificateError
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.certificates.certificate import MALFORMED, Material, examined, lenient_library
from mstunnel_setup.certificates.der import DerError
from mstunnel_setup.certificates.errors import (
    CERTIFICATE_UNREADABLE,
    INPUT_EMPTY,
    LEAF_AMBIGUOUS,
    PFX_DAMAGED,
    PFX_LEGACY_ALGORITHM,
)
from mstunnel_setup.certificates.pfx_outline import (
    MAX_ROUNDS,
    PfxOutline,
    TooManyRoundsError,
    mac_is_known,
    opened_pfx,
    opens_mac,
    outline,
)
from mstunnel_setup.certificates.read import (
    PemError,
    base64_der,
    check_key_size,
    check_size,
    kind_of_der,
    looks_like_pem,
    pem_blocks,
    refuse_keystore,
)

_WHERE = text("the PFX file")
_LABELS = (["PKCS12"], ["PFX"])  # GnuTLS writes the first one
_OTHERS = {"certificate": text("a certificate"), "pkcs7": text("a file of certificates (PKCS#7)")}
_REFUSED = {
    "1.2.840.113549.1.12.1.1": text("RC4, 128 bits"),
    "1.2.840.113549.1.12.1.2": text("RC4, 40 bits"),
    "1.2.840.113549.1.5.1": text("DES with MD2"),
    "1.2.840.113549.1.5.3": text("DES with MD5"),
    "1.2.840.113549.1.5.4": text("RC2 with MD2"),
    "1.2.840.113549.1.5.6": text("RC2 with MD5"),
    "1.2.840.113549.1.5.10": text("DES with SHA-1"),
    "1.2.840.113549.1.5.11": text("RC2 with SHA-1"),
    "1.3.14.3.2.7": "DES",
    "1.2.840.113549.2.2": "MD2",
    "1.2.840.113549.2.4": "MD4",
    "1.2.840.113549.2.5": "MD5",
}
# Old as well, but Windows and Java still write them; some builds of the library (FIPS) cannot read them.
_OLD: dict[str, BlockCipherAlgorithm] = {
    "1.2.840.113549.1.12.1.3": TripleDES(bytes(24)),
    "1.2.840.113549.1.12.1.4": TripleDES(bytes(24)),
    "1.2.840.113549.1.12.1.5": RC2(bytes(16)),
    "1.2.840.113549.1.12.1.6": RC2(bytes(16)),
}


def read_pfx(data: bytes, passphrase: bytes | None = None) -> Material:
    """Open a PFX file, also as Base64; None and the empty passphrase both open one with none or an empty one.

    Raises CertificateError: `pfx-passphrase-missing`, `pfx-passphrase-wrong`, `pfx-damaged`, `pfx-rounds`,
    `pfx-legacy-algorithm`, `leaf-ambiguous`, `pfx-is-pem`, `pfx-is-other`, `input-is-jks`, `input-empty`,
    `input-too-large`, `key-too-large`, `certificate-unreadable`.
    """
    found = _outlined(data)
    # No writer can have used such a passphrase: OpenSSL takes it as text that ends there.
    if b"\0" in (passphrase or b""):
        raise _wrong_passphrase(found, passphrase)
    _refuse_algorithms(found)
    _check_mac(found, passphrase)
    for part in found.parts:
        check_key_size(part.encrypted_key, "the one in the PFX file")
    # The library would use the first key, which may not be that of this gateway.
    keys = sum(part.is_key for part in found.parts)
    if keys > 1:
        raise LEAF_AMBIGUOUS(found=text("{keys} in the PFX file", keys=keys))
    try:
        with lenient_library():
            bundle = opened_pfx(found.encoded, passphrase or None)
            certificates = [bundle.cert, *bundle.additional_certs]
            return Material(
                certificates=tuple(examined(entry.certificate) for entry in certificates if entry),
                keys=(bundle.key,) if bundle.key else (),
            )
    except (*MALFORMED, UnsupportedAlgorithm) as error:
        # The MAC was right, or there is none.
        if found.mac is None and found.parts and not _opens_a_key(found, passphrase):
            raise _wrong_passphrase(found, passphrase) from error
        if found.mac is None:
            raise PFX_DAMAGED(reason="its content is not a valid key with certificates") from error
        raise CERTIFICATE_UNREADABLE(
            problem=text("the PFX file opens, but the certificates or the key in it are not valid")
        ) from error


def _outlined(data: bytes) -> PfxOutline:
    """Its structure. Raises CertificateError that names what the file is instead."""
    check_size(data)
    refuse_keystore(data, _WHERE)
    if not data.strip():
        raise INPUT_EMPTY(where=_WHERE)
    try:
        encoded = _without_armour(data)
        if kind := _OTHERS.get(kind_of_der(encoded)):
            raise CertificateError(
                "pfx-is-other",
                "the PFX file is {kind} in DER, without a private key",
                hint="Give it as `chain`, with its private key as `key`, instead of `pfx`.",
                kind=kind,
            )
        return outline(encoded)
    except TooManyRoundsError as error:
        raise CertificateError(
            "pfx-rounds",
            "the PFX file takes more than {most} key derivation rounds to open",
            hint="Export it again with fewer (OpenSSL's default is 2048): `openssl pkcs12 -in FILE -noenc "
            "-out site.pem`, then `openssl pkcs12 -export -in site.pem -out site.pfx`, and delete site.pem.",
            most=MAX_ROUNDS,
        ) from error
    except (DerError, PemError) as error:
        raise PFX_DAMAGED(reason=str(error)) from error


def _without_armour(data: bytes) -> bytes:
    """The PFX in a file of Base64, with BEGIN and END lines or without. Raises PemError."""
    if not looks_like_pem(data):
        return base64_der(data) or data
    blocks = list(pem_blocks(data))
    if [block.label for block in blocks] not in _LABELS:
        raise CertificateError(
            "pfx-is-pem",
            "the PFX file contains PEM text",
            hint="Give it as `chain` and `key` instead of `pfx`.",
        )
    return blocks[0].der


def _refuse_algorithms(found: PfxOutline) -> None:
    used = {name for part in found.parts for name in part.algorithms}
    if found.mac:
        used.add(found.mac.digest_algorithm)
    refused = {_REFUSED[name] for name in used if name in _REFUSED}
    for algorithm in (_OLD[name] for name in used if name in _OLD):
        try:
            Cipher(algorithm, CBC(bytes(algorithm.block_size // 8))).decryptor()
        except UnsupportedAlgorithm:
            refused.add(algorithm.name)
    if refused:
        raise PFX_LEGACY_ALGORITHM(algorithms=", ".join(sorted(refused)))
    if found.mac and not mac_is_known(found.mac):
        shown = plain(found.mac.digest_algorithm)
        raise PFX_LEGACY_ALGORITHM(algorithms=text("MAC {digest_algorithm}", digest_algorithm=shown))


def _check_mac(found: PfxOutline, passphrase: bytes | None) -> None:
    tried = _candidates(passphrase)
    if found.mac is None or any(opens_mac(found.mac, found.content, one) for one in tried):
        return
    if _opens_a_key(found, passphrase):
        raise PFX_DAMAGED(reason="the passphrase fits, but the content was changed after it was written")
    raise _wrong_passphrase(found, passphrase)


def _candidates(passphrase: bytes | None) -> tuple[bytes | None, ...]:
    """Writers disagree whether no passphrase is nothing or an empty text; both are tried."""
    return (passphrase,) if passphrase else (None, b"")


def _opens_a_key(found: PfxOutline, passphrase: bytes | None) -> bool:
    for part in found.parts:
        # Any error means that this one stays closed.
        with suppress(ValueError, TypeError, OverflowError, UnsupportedAlgorithm), lenient_library():
            if part.encrypted_key:
                load_der_private_key(part.encrypted_key, passphrase or b"")
                return True
    return False


def _wrong_passphrase(found: PfxOutline, passphrase: bytes | None) -> CertificateError:
    if not passphrase:
        return CertificateError(
            "pfx-passphrase-missing",
            "the PFX file is protected by a passphrase, but none was given",
            hint="Give the passphrase (`passphrase: file:PATH`, or `--passphrase-file PATH`).",
        )
    if found.mac and any(opens_mac(found.mac, found.content, empty) for empty in _candidates(None)):
        return CertificateError(
            "pfx-passphrase-unneeded",
            "the PFX file has no passphrase, but one was given",
            hint="Leave the passphrase out.",
        )
    return CertificateError(
        "pfx-passphrase-wrong",
        "the passphrase does not open the PFX file",
        hint="Check the passphrase: upper case, a line end in its file, characters outside ASCII.",
    )
