"""Where an identity is read from: files of this machine, and a passphrase."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cryptography.x509 import Certificate

from mstunnel_setup.certificates.chain_building import prefer_trusted
from mstunnel_setup.certificates.errors import CERTIFICATE_FILE_MISSING, INPUT_EMPTY
from mstunnel_setup.certificates.load import load_identity_files, load_identity_pfx
from mstunnel_setup.certificates.model import Identity
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files


class IdentityHost(Protocol):
    """What reading an identity needs of the host, which belongs to a layer above."""

    @property
    def files(self) -> Files:
        """The file writer."""
        ...

    @property
    def clock(self) -> Clock:
        """The clock."""
        ...

    @property
    def trusted_roots(self) -> Sequence[Certificate]:
        """Roots of the system and those an administrator added."""
        ...

    def passphrase(self, reference: str | None) -> bytes | None:
        """The passphrase that `reference` names; None: the one typed in this run, if any."""
        ...


@dataclass(frozen=True, kw_only=True)
class IdentitySource:
    """Where an identity is read from: certificate files and a key file, or a PFX file and its passphrase.

    The paths are real ones of this machine. Without `key`, a certificate file holds the key too; `further`
    are the other files of a chain in several files; `passphrase` is a reference. `root` is an optional file:
    the end of the chain, needed for the checks but not sent to devices.
    """

    chain: str = ""
    further: tuple[str, ...] = ()
    key: str = ""
    root: str = ""
    pfx: str = ""
    passphrase: str | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """The files it needs."""
        if self.pfx:
            return (self.pfx,)
        return (*self.certificates, self.key) if self.key else self.certificates

    @property
    def certificates(self) -> tuple[str, ...]:
        """The certificate files, unless it is a PFX."""
        return (self.chain, *self.further)

    def load(self, host: IdentityHost) -> Identity:
        """Read it, preferring a chain that ends in a trusted root.

        Raises CertificateError when a file is missing or unusable.
        """
        contents = {path: given_content(host.files, path) for path in self.paths}
        if self.pfx:
            identity = load_identity_pfx(contents[self.pfx], host.passphrase(self.passphrase))
        else:
            chain = {path: contents[path] for path in self.certificates}
            if self.root:
                chain[self.root] = host.files.read_given(self.root) or b""
            identity = load_identity_files(chain, contents.get(self.key, b""))
        return prefer_trusted(identity, host.trusted_roots, host.clock.now())


def given_content(files: Files, path: str) -> bytes:
    """What an administrator's file holds.

    Raises CertificateError `certificate-file-missing` or `input-empty`.
    """
    content = files.read_given(path)
    if content is None:
        raise CERTIFICATE_FILE_MISSING(path=path)
    if not content.strip():
        raise INPUT_EMPTY(where=path)
    return content
