"""What the certificate code passes around: material that was read, an identity that fits, findings."""

from dataclasses import dataclass, field
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from mstunnel_setup.base.values import JsonObject


class Severity(StrEnum):
    """How much a finding matters: an error refuses the certificate, the others do not."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """One verdict about a certificate: a stable kebab-case id, what was seen, what to do."""

    id: str
    severity: Severity
    message: str
    hint: str = ""

    @property
    def data(self) -> JsonObject:
        """As JSON data."""
        return {**vars(self), "severity": self.severity.value}


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
