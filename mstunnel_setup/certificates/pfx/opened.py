"""Opens PFX files without a passphrase, such as the credential that the agent signs in with."""

from functools import lru_cache

from cryptography.hazmat.primitives.serialization import pkcs12


@lru_cache(maxsize=1)
def opened_pfx(pfx: bytes) -> pkcs12.PKCS12KeyAndCertificates:
    """What is in it. Raises ValueError, TypeError or UnsupportedAlgorithm, as the library does.

    The library tests the primes of an RSA key whenever it reads one, which takes a tenth of a second, and two
    steps of a run read the same file.
    """
    return pkcs12.load_pkcs12(pfx, None)
