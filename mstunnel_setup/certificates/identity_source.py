"""Where an identity is read from: files of this machine, and a passphrase."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cryptography.x509 import Certificate

from mstunnel_setup.certificates.chain_building import prefer_trusted
from mstunnel_setup.certificates.errors import CERTIFICATE_FILE_MISSING
from mstunnel_setup.certificates.load import load_identity_files, load_identity_pfx
from mstunnel_setup.certificates.model import Identity
from mstunnel_setup.transaction.ports import HasClock, HasFiles


class HasIdentities(HasClock, Protocol):
    """The ports that reading an identity needs."""

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

    The paths are real ones of this machine. `further` are the other files of a chain in several files;
    `passphrase` is a reference. `root` is an optional file: the end of the chain, needed for the
    checks but not sent to devices.
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
        return (self.pfx,) if self.pfx else (*self.certificates, self.key)

    @property
    def certificates(self) -> tuple[str, ...]:
        """The certificate files, unless it is a PFX."""
        return (self.chain, *self.further)

    def load(self, ports: HasIdentities) -> Identity:
        """Read it, preferring a chain that ends in a trusted root.

        Raises CertificateError when a file is missing or unusable.
        """
        contents = {path: given_content(ports, path) for path in self.paths}
        if self.pfx:
            identity = load_identity_pfx(contents[self.pfx], ports.passphrase(self.passphrase))
        else:
            chain = {path: contents[path] for path in self.certificates}
            if self.root:
                chain[self.root] = ports.files.read_given(self.root) or b""
            identity = load_identity_files(chain, contents[self.key])
        return prefer_trusted(identity, ports.trusted_roots, ports.clock.now())


def given_content(ports: HasFiles, path: str) -> bytes:
    """What an administrator's file holds. Raises CertificateError `certificate-file-missing`."""
    content = ports.files.read_given(path)
    if content is None:
        raise CERTIFICATE_FILE_MISSING(path=path)
    return content
