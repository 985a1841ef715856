"""Opens PFX files, each once: most commands read the same file several times."""

from functools import lru_cache

from cryptography.hazmat.primitives.serialization import pkcs12


@lru_cache(maxsize=2)
def opened_pfx(pfx: bytes, passphrase: bytes | None) -> pkcs12.PKCS12KeyAndCertificates:
    """What is in it. Raises ValueError, TypeError or UnsupportedAlgorithm, as the library does.

    The library tests the primes of an RSA key whenever it reads one: 0.1 s for 3072 bits, 3 s for 8192.
    """
    return pkcs12.load_pkcs12(pfx, passphrase)
