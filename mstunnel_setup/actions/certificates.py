"""Actions that place certificates and keys. Their content never enters the journal."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from typing_extensions import override

from mstunnel_setup.actions.files import FileAction, PlacedFile
from mstunnel_setup.base.errors import CertificateError, SetupError
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.certificates.agent_credential import (
    CREDENTIAL_DAYS,
    new_agent_credential,
    read_agent_credential,
)
from mstunnel_setup.certificates.device_authority import lists_pem, read_lists
from mstunnel_setup.certificates.errors import CERTIFICATE_SOURCE_CHANGED
from mstunnel_setup.certificates.load import (
    HasIdentities,
    IdentitySource,
    chain_pem,
    fingerprint,
    given_content,
    key_pem,
    load_identity,
    root_pem,
)
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord
from mstunnel_setup.transaction.ports import HasClock, HasFiles

_PRIVATE = 0o600
TESTED_SHA256 = "pfx_sha256"
"""The output with the digest of the credential that was made and tested: the same bytes need no test again.
The agent renews its credential, and may put anything in its place."""


@dataclass(frozen=True, kw_only=True)
class PlaceIdentity(Action[HasIdentities]):
    """Write chain.pem and key.pem of a checked identity, and root.pem if it has one, into `directory`."""

    kind: ClassVar[str] = "place-identity"
    directory: str
    source: IdentitySource
    fingerprint: str

    @property
    @override
    def key(self) -> str:
        """The directory."""
        return f"identity:{self.directory}"

    @override
    def describe(self) -> str:
        """What will be done."""
        return text("place certificate and key from {paths}", paths=" and ".join(self.source.paths))

    @override
    def satisfied(self, ports: HasIdentities, outputs: Outputs) -> bool:
        """Whether the directory holds this identity, with a key that only its owner can read."""
        state = ports.files.state(f"{self.directory}/key.pem")
        if state is None or state.mode != _PRIVATE:
            return False
        chain, private = (
            ports.files.read(f"{self.directory}/{name}") or b"" for name in ("chain.pem", "key.pem")
        )
        try:
            return fingerprint(load_identity(chain, private)) == self.fingerprint
        except SetupError:
            return False

    @override
    def apply(self, ports: HasIdentities, outputs: Outputs) -> JsonObject:
        """Write the files. Raises CertificateError when the source has changed since the check."""
        identity = self.source.load(ports)
        if fingerprint(identity) != self.fingerprint:
            raise _source_changed(self.source)
        ports.files.write(f"{self.directory}/key.pem", key_pem(identity), _PRIVATE)
        if root := root_pem(identity):
            ports.files.write(f"{self.directory}/root.pem", root, 0o644)
        ports.files.write(f"{self.directory}/chain.pem", chain_pem(identity), 0o644)
        return {}

    @override
    def undo(self, ports: HasIdentities, record: UndoRecord[HasIdentities]) -> Undone:
        """Remove the files."""
        for name in ("key.pem", "root.pem", "chain.pem"):
            if ports.files.state(self.directory) is not None:
                ports.files.remove(f"{self.directory}/{name}")
        return Undone(Undo.REMOVED)


@dataclass(frozen=True, kw_only=True)
class PlaceKey(PlacedFile[HasIdentities]):
    """Write only the key of a checked identity to `path`. The journal gets its digest only."""

    kind: ClassVar[str] = "place-key"
    mode: int = _PRIVATE
    source: IdentitySource
    digest: str

    @override
    def describe(self) -> str:
        """What will be done."""
        return text(
            "copy the key in {paths} to {path}",
            paths=" or ".join(dict.fromkeys(self.source.paths)),
            path=self.path,
        )

    @override
    def content(self, ports: HasIdentities, outputs: Outputs) -> bytes:
        """The key. Raises CertificateError when the source has changed since the check."""
        content = key_pem(self.source.load(ports))
        if hashlib.sha256(content).hexdigest() != self.digest:
            raise _source_changed(self.source)
        return content

    @override
    def content_digest(self, outputs: Outputs) -> str:
        """The digest of the checked key."""
        return self.digest


@dataclass(frozen=True, kw_only=True)
class PlaceRevocations(PlacedFile[HasFiles]):
    """Write the revocation lists of a file that was checked, as PEM.

    They may be long, so the journal gets their digest only.
    """

    kind: ClassVar[str] = "place-revocations"
    source: str
    digest: str

    @override
    def describe(self) -> str:
        """What will be done."""
        return text("place the revocation list from {source}", source=self.source)

    @override
    def content(self, ports: HasFiles, outputs: Outputs) -> bytes:
        """The lists. Raises CertificateError when the source has changed since the check."""
        content = lists_pem(read_lists(given_content(ports.files, self.source), self.source))
        if hashlib.sha256(content).hexdigest() != self.digest:
            raise CERTIFICATE_SOURCE_CHANGED(files=self.source)
        return content

    @override
    def content_digest(self, outputs: Outputs) -> str:
        """The digest of the checked lists."""
        return self.digest


@dataclass(frozen=True, kw_only=True)
class CreateAgentCredential(FileAction[HasClock]):
    """Create the key and certificate for the agent's sign-in to the tenant (PFX, empty passphrase)."""

    kind: ClassVar[str] = "create-agent-credential"
    common_name: str

    @override
    def describe(self) -> str:
        """What will be done."""
        return text("create the agent's certificate {path}", path=self.path)

    @override
    def satisfied(self, ports: HasClock, outputs: Outputs) -> bool:
        """Whether there is a valid credential."""
        content = ports.files.read(self.path)
        if content is None:
            return False
        tested = outputs.get(self.key, {})
        if hashlib.sha256(content).hexdigest() == tested.get(TESTED_SHA256):
            return datetime.fromisoformat(str(tested["not_after"])) > ports.clock.now()
        try:
            return read_agent_credential(content).not_after > ports.clock.now()
        except SetupError:
            return False

    @override
    def apply(self, ports: HasClock, outputs: Outputs) -> JsonObject:
        """Create it, unless an interrupted run has done so."""
        if not self.satisfied(ports, outputs):
            pfx, _ = new_agent_credential(self.common_name, ports.clock.now(), CREDENTIAL_DAYS)
            ports.files.write(self.path, pfx, _PRIVATE)
        content = ports.files.read(self.path) or b""
        credential = read_agent_credential(content)
        return {
            TESTED_SHA256: hashlib.sha256(content).hexdigest(),
            "not_after": credential.not_after.isoformat(),
            "certificate_sha256": hashlib.sha256(credential.certificate_der).hexdigest(),
        }


def _source_changed(source: IdentitySource) -> CertificateError:
    return CERTIFICATE_SOURCE_CHANGED(files=" and ".join(source.paths))
