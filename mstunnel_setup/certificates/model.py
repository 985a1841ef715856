"""What the certificate code passes around: material that was read, an identity that fits."""

from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes


@dataclass(frozen=True)
class Material:
    """Certificates and private keys found in one or more inputs, in the order they were found.

    `encrypted_keys` counts keys that are there but protected by a passphrase.
    """

    certificates: tuple[x509.Certificate, ...] = ()
    keys: tuple[PrivateKeyTypes, ...] = field(default=(), repr=False)
    encrypted_keys: int = 0

    def __add__(self, other: "Material") -> "Material":
        """Join two inputs; a certificate that is in both is kept once."""
        return Material(
            certificates=tuple(dict.fromkeys(self.certificates + other.certificates)),
            keys=self.keys + other.keys,
            encrypted_keys=self.encrypted_keys + other.encrypted_keys,
        )


@dataclass(frozen=True)
class Identity:
    """A server certificate with its private key and its chain.

    `chain` starts with the leaf and each certificate in it is issued by the next; a root is the last one when
    the input had it. `given` is everything the input had, in the input's order.
    """

    leaf: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    key: PrivateKeyTypes = field(repr=False)
    given: tuple[x509.Certificate, ...] = ()
