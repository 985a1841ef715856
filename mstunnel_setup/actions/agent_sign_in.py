"""Actions that place what the agent signs in with: a given certificate, or a secret of its application."""

from dataclasses import dataclass
from datetime import timedelta

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12
from typing_extensions import override

from mstunnel_setup.actions.files import FileAction
from mstunnel_setup.actions.host import Host
from mstunnel_setup.base.errors import SetupError, SignInError, TenantError
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.tenant.client_credential import Credential, read_credential
from mstunnel_setup.transaction.action import RecordAction, Undo, Undone, UndoRecord


@dataclass(frozen=True, kw_only=True)
class CredentialSource:
    """The source of a credential: certificate and key, or a PFX and the source of its passphrase.

    The paths are those that an administrator gave; they are not below the root directory of `Files`.
    """

    certificate: str = ""
    key: str = ""
    pfx: str = ""
    passphrase: str | None = None

    def load(self, host: Host) -> Credential:
        """Read the credential. Raises SignInError (see `read_credential`)."""
        if not self.pfx:
            return read_credential(host.files.given, self.certificate, key_path=self.key)
        secret = host.passphrase(self.passphrase) if self.passphrase else None
        return read_credential(host.files.given, self.pfx, (secret or b"").decode())


def certificate_sha256(credential: Credential) -> str:
    """Return the digest that identifies a credential."""
    return credential.certificate.fingerprint(SHA256()).hex()


class PlaceAgentCredential(FileAction):
    """Write a given credential to the agent's own path (PFX, empty passphrase)."""

    kind = "place-agent-credential"
    source: CredentialSource
    certificate_sha256: str

    @override
    def describe(self) -> str:
        return text(
            "place the agent's certificate from {certificate}",
            certificate=self.source.pfx or self.source.certificate,
        )

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        if host.files.state(self.path) is None:
            return False
        try:
            placed = read_credential(host.files, self.path, unencrypted=True)
            return certificate_sha256(placed) == self.certificate_sha256
        except SetupError:
            return False

    @override
    def apply(self, host: Host, outputs: Outputs) -> JsonObject:
        """Write it, unless the source has changed since it was checked."""
        found = self.source.load(host)
        if certificate_sha256(found) != self.certificate_sha256:
            raise SignInError(
                "credential-changed",
                "the credential in `identity` changed after it was checked",
                hint="Run the command again to check the new one.",
            )
        pfx = pkcs12.serialize_key_and_certificates(None, found.key, found.certificate, None, NoEncryption())
        host.files.write(self.path, pfx, 0o600)
        return {
            "not_after": found.certificate.not_valid_after_utc.isoformat(),
            "certificate_sha256": self.certificate_sha256,
        }


class UseAppIdentity(RecordAction):
    """Use an existing application for the agent. Results: `tenant_id`, `app_id`."""

    kind = "use-app-identity"
    key_template = "application:{app_id}"
    description = text("use the application {app_id}, which was created in advance")
    app_id: str
    tenant_id: str

    @property
    @override
    def results(self) -> JsonObject:
        return {"tenant_id": self.tenant_id, "app_id": self.app_id}

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Keep the application: its creator removes it."""
        return Undone(
            Undo.KEPT, f"the application {self.app_id} was created in advance, not by this installation"
        )


class CreateAgentSecret(FileAction):
    """Create a secret of the agent's own application and store it at `path`.

    `application` is the key of the action that created the application, `days` the lifetime of the secret.
    Results: `key_id`, `not_after`.
    """

    kind = "create-agent-secret"
    description = text("create the agent's secret {path}")
    application: str
    days: int

    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        """Return whether the file exists and the application still has the secret.

        A sign-in as that application proves it, and would not permit reading the directory.
        """
        made = outputs.get(self.key, {}).get("key_id")
        if made is None or host.files.state(self.path) is None:
            return False
        return bool(host.graph.signed_in_as) or made in self._present(host, outputs)

    def apply(self, host: Host, outputs: Outputs) -> JsonObject:
        """Create the secret; remove one that an interrupted run created, because its text is lost."""
        object_id = self._object_id(outputs)
        for lost in self._present(host, outputs):
            host.graph.remove_password(object_id, lost)
        end = host.clock.now() + timedelta(days=self.days)
        made = host.graph.add_password(object_id, "mstunnel-agent", end)
        if not made.secret_text or not made.key_id:
            raise TenantError(
                "secret-not-made",
                "Graph created a secret for the application, but did not return it",
                hint="Remove identity.credential, so that the server signs in with a certificate.",
            )
        host.files.write(self.path, made.secret_text.encode(), 0o600)
        return {"key_id": made.key_id, "not_after": (made.end_date_time or end).isoformat()}

    def _object_id(self, outputs: Outputs) -> str:
        return str(outputs[self.application]["application_object_id"])

    def _present(self, host: Host, outputs: Outputs) -> list[str]:
        """Return the ids of the application's secrets; they are ours, like the application."""
        found = host.graph.application(self._object_id(outputs))
        return [item.key_id for item in (found.password_credentials if found else ()) if item.key_id]


class PlaceAgentSecret(FileAction):
    """Write the secret of an application created in advance to the agent's own path.

    `secret` is a reference to it; the secret itself never enters the journal.
    """

    kind = "place-agent-secret"
    description = text("place the agent's secret from {secret}")
    secret: str

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        return host.files.read(self.path) == host.passphrase(self.secret)

    @override
    def apply(self, host: Host, outputs: Outputs) -> None:
        host.files.write(self.path, host.passphrase(self.secret) or b"", 0o600)
