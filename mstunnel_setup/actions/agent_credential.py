"""Actions for an identity of the agent that an administrator created in advance: nothing of it is ours."""

import hashlib
from dataclasses import dataclass
from typing import ClassVar, Protocol

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, pkcs12
from typing_extensions import override

from mstunnel_setup.actions.files import FileAction
from mstunnel_setup.base.errors import SetupError, SignInError
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.tenant.credential import Credential, read_credential
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord
from mstunnel_setup.transaction.ports import HasFiles


class HasPassphrases(HasFiles, Protocol):
    """Files, and passphrases by reference."""

    def passphrase(self, reference: str | None) -> bytes | None:
        """The passphrase that `reference` names."""
        ...


@dataclass(frozen=True, kw_only=True)
class CredentialSource:
    """Where a credential is read from: certificate and key, or a PFX and how to get its passphrase.

    The paths are real ones of this machine, as administrators name them.
    """

    certificate: str = ""
    key: str = ""
    pfx: str = ""
    passphrase: str | None = None

    def load(self, ports: HasPassphrases) -> Credential:
        """Read it. Raises SignInError (see `read_credential`)."""
        if not self.pfx:
            return read_credential(ports.files.given, self.certificate, key_path=self.key)
        secret = ports.passphrase(self.passphrase) if self.passphrase else None
        return read_credential(ports.files.given, self.pfx, (secret or b"").decode())


def certificate_sha256(credential: Credential) -> str:
    """The digest by which a credential is known again."""
    return hashlib.sha256(credential.certificate.public_bytes(Encoding.DER)).hexdigest()


@dataclass(frozen=True, kw_only=True)
class PlaceAgentCredential(FileAction[HasPassphrases]):
    """Put a given credential where the agent reads its own (PFX, empty passphrase)."""

    kind: ClassVar[str] = "place-agent-credential"
    source: CredentialSource
    certificate_sha256: str

    @override
    def describe(self) -> str:
        return text(
            "place the agent's certificate from {certificate}",
            certificate=self.source.pfx or self.source.certificate,
        )

    @override
    def satisfied(self, ports: HasPassphrases, outputs: Outputs) -> bool:
        if ports.files.state(self.path) is None:
            return False
        try:
            placed = read_credential(ports.files, self.path, unencrypted=True)
            return certificate_sha256(placed) == self.certificate_sha256
        except SetupError:
            return False

    @override
    def apply(self, ports: HasPassphrases, outputs: Outputs) -> JsonObject:
        """Write it; refused when the source is not what was looked at."""
        found = self.source.load(ports)
        if certificate_sha256(found) != self.certificate_sha256:
            raise SignInError(
                "credential-changed",
                "the credential in `identity` changed after it was checked",
                hint="Run the command again to check the new one.",
            )
        pfx = pkcs12.serialize_key_and_certificates(None, found.key, found.certificate, None, NoEncryption())
        ports.files.write(self.path, pfx, 0o600)
        return {
            "not_after": found.certificate.not_valid_after_utc.isoformat(),
            "certificate_sha256": self.certificate_sha256,
        }


@dataclass(frozen=True, kw_only=True)
class UseAppIdentity(Action[object]):
    """Let the agent be an application that is there already. Results: `tenant_id`, `app_id`."""

    kind: ClassVar[str] = "use-app-identity"
    app_id: str
    tenant_id: str

    @property
    def key(self) -> str:
        """The application."""
        return f"application:{self.app_id}"

    @override
    def describe(self) -> str:
        return text("use the application {app_id}, which was created in advance", app_id=self.app_id)

    @override
    def satisfied(self, ports: object, outputs: Outputs) -> bool:
        return outputs.get(self.key) == self._results()

    @override
    def capture(self, ports: object) -> JsonObject:
        """It is not changed."""
        return {}

    @override
    def apply(self, ports: object, outputs: Outputs) -> JsonObject:
        """Nothing has to be done in the tenant."""
        return self._results()

    @override
    def undo(self, ports: object, record: UndoRecord[object]) -> Undone:
        """It stays: its creator removes it."""
        return Undone(
            Undo.KEPT, f"the application {self.app_id} was created in advance, not by this installation"
        )

    def _results(self) -> JsonObject:
        return {"tenant_id": self.tenant_id, "app_id": self.app_id}
