"""Whether a passphrase opens a PFX file: the check of its MAC (RFC 7292 appendix B, RFC 9579)."""

import hashlib
import hmac

from mstunnel_setup.certificates.pfx.outline import Mac

# Digest names by identifier: plain digests of PKCS#12, and the HMAC identifiers of PBMAC1.
DIGESTS = {
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
    "2.16.840.1.101.3.4.2.5": "sha512_224",
    "2.16.840.1.101.3.4.2.6": "sha512_256",
    "2.16.840.1.101.3.4.2.7": "sha3_224",
    "2.16.840.1.101.3.4.2.8": "sha3_256",
    "2.16.840.1.101.3.4.2.9": "sha3_384",
    "2.16.840.1.101.3.4.2.10": "sha3_512",
    "1.2.840.113549.2.7": "sha1",
    "1.2.840.113549.2.8": "sha224",
    "1.2.840.113549.2.9": "sha256",
    "1.2.840.113549.2.10": "sha384",
    "1.2.840.113549.2.11": "sha512",
}
_LONGEST_KEY = 1024  # bytes; no MAC key is longer
_MAC_KEY = 3  # the purpose byte of RFC 7292 appendix B.3


def is_known(mac: Mac) -> bool:
    """Whether the MAC uses digests that are known here."""
    names = (mac.digest_algorithm, mac.pbmac1_prf) if mac.pbmac1_prf else (mac.digest_algorithm,)
    return all(DIGESTS.get(name, "-") in hashlib.algorithms_available for name in names)


def opens(mac: Mac, content: bytes, passphrase: bytes | None) -> bool:
    """Whether the passphrase (None: no passphrase at all, which is not the empty one) produces the MAC."""
    digest = DIGESTS[mac.digest_algorithm]
    key = _pbmac1_key(mac, passphrase or b"") if mac.pbmac1_prf else _pkcs12_key(mac, digest, passphrase)
    return hmac.compare_digest(hmac.digest(key, content, digest), mac.expected)


def _pbmac1_key(mac: Mac, passphrase: bytes) -> bytes:
    length = mac.pbmac1_key_length
    if not 1 <= length <= _LONGEST_KEY:
        length = hashlib.new(DIGESTS[mac.digest_algorithm]).digest_size
    return hashlib.pbkdf2_hmac(DIGESTS[mac.pbmac1_prf], passphrase, mac.salt, mac.rounds, length)


def _pkcs12_key(mac: Mac, digest: str, passphrase: bytes | None) -> bytes:
    """Derive the MAC key (RFC 7292 appendix B.2); one block is enough, the key is one digest long."""
    size = hashlib.new(digest).block_size
    state = bytes([_MAC_KEY]) * size + _filled(mac.salt, size) + _filled(wide(passphrase), size)
    for _ in range(mac.rounds):
        state = hashlib.new(digest, state).digest()
    return state


def wide(passphrase: bytes | None) -> bytes:
    """Two bytes per character and a final zero (BMPString); bytes that are not UTF-8 count as Latin-1."""
    if passphrase is None:
        return b""
    try:
        text = passphrase.decode()
    except UnicodeDecodeError:
        text = passphrase.decode("latin-1")
    return text.encode("utf-16-be") + b"\x00\x00"


def _filled(data: bytes, size: int) -> bytes:
    """Repeat `data` up to the next multiple of `size`."""
    length = -(-len(data) // size) * size
    return (data * (length // len(data) + 1))[:length] if data else b""
