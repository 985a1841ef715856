"""Certificates that an ACME client of this host renews: the lineages of certbot, the directories of acme.sh.

Both clients run as root. Sources: certbot's documentation, "Where are my certificates?"; acme.sh 3.1, the
files that `acme.sh --issue` writes below its home.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from cryptography import x509

from mstunnel_setup.base.errors import CertificateError
from mstunnel_setup.certificates.read import read_material
from mstunnel_setup.io.files import Files

AcmeClient: TypeAlias = Literal["certbot", "acme.sh"]

DIRECTORIES: Final[dict[AcmeClient, str]] = {
    "certbot": "/etc/letsencrypt/live",
    "acme.sh": "/root/.acme.sh",
}
"""Where each client keeps its certificates, a directory for each of them."""

_CHAINS: Final[dict[AcmeClient, str]] = {"certbot": "fullchain.pem", "acme.sh": "fullchain.cer"}
_ECC: Final = "_ecc"
"""Suffix of acme.sh's directory of a certificate with an EC key."""
_SETTING: Final = re.compile(r"^(Le_\w+)='(.*)'$", re.MULTILINE)
_ENCODED: Final = re.compile(r"__ACME_BASE64__START_(.*)__ACME_BASE64__END_")


@dataclass(frozen=True)
class RenewedCertificate:
    """A certificate that a client renews: its name there, its directory, and its leaf now."""

    client: AcmeClient
    name: str
    directory: str
    leaf: x509.Certificate

    @property
    def chain(self) -> str:
        """The path of the certificate with its chain."""
        return f"{self.directory}/{_CHAINS[self.client]}"

    @property
    def key(self) -> str:
        """The path of the private key."""
        return f"{self.directory}/{'privkey.pem' if self.client == 'certbot' else f'{self.name}.key'}"


def renewed_certificates(files: Files, client: AcmeClient) -> Iterator[RenewedCertificate]:
    """Yield the certificates that a client keeps on this host, those that cannot be read left out."""
    for entry in files.names(DIRECTORIES[client]):
        directory = f"{DIRECTORIES[client]}/{entry}"
        content = files.read(f"{directory}/{_CHAINS[client]}")
        try:
            leaf = read_material(content or b"").certificates[0]
        except (CertificateError, IndexError):
            continue
        name = entry.removesuffix(_ECC) if client == "acme.sh" else entry
        yield RenewedCertificate(client, name, directory, leaf)


def has_ec_key(directory: str) -> bool:
    """Return whether acme.sh needs `--ecc` to find the certificate in this directory of its home."""
    return directory.endswith(_ECC)


def acme_settings(files: Files, directory: str, name: str) -> dict[str, str]:
    """Return what acme.sh has recorded about a certificate (`Le_ReloadCmd` and others), decoded."""
    content = (files.read(f"{directory}/{name}.conf") or b"").decode("utf-8", errors="replace")
    return {found[1]: _decoded(found[2]) for found in _SETTING.finditer(content)}


def _decoded(value: str) -> str:
    encoded = _ENCODED.fullmatch(value)
    if encoded is None:
        return value
    try:
        return base64.b64decode(encoded[1]).decode("utf-8", errors="replace")
    except binascii.Error:
        return value
