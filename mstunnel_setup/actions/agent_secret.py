"""Actions for an identity that signs in with a secret, which is only done on request: asks for it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from typing_extensions import override

from mstunnel_setup.actions.agent_credential import HasPassphrases
from mstunnel_setup.actions.files import FileAction
from mstunnel_setup.actions.tenant_objects import HasTenant
from mstunnel_setup.base.errors import TenantError
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, Outputs


@dataclass(frozen=True, kw_only=True)
class CreateAgentSecret(FileAction[HasTenant]):
    """Make a secret of the agent's own application and keep it at `path`.

    `application` is the key of the action that made the application, `days` how long the secret lasts.
    Results: `key_id`, `not_after`.
    """

    kind: ClassVar[str] = "create-agent-secret"
    application: str
    days: int

    @override
    def describe(self) -> str:
        return text("make the agent's secret {path}", path=self.path)

    def satisfied(self, ports: HasTenant, outputs: Outputs) -> bool:
        """Whether the file is there and the application still has the secret.

        A sign-in as that application proves it, and could not look at the directory.
        """
        made = outputs.get(self.key, {}).get("key_id")
        if made is None or ports.files.state(self.path) is None:
            return False
        return bool(ports.graph.signed_in_as) or made in self._present(ports, outputs)

    def apply(self, ports: HasTenant, outputs: Outputs) -> JsonObject:
        """Make it. The text of one that a cut-off run made is lost, so that one goes first."""
        object_id = self._object_id(outputs)
        for lost in self._present(ports, outputs):
            ports.graph.remove_password(object_id, lost)
        end = ports.clock.now() + timedelta(days=self.days)
        made = ports.graph.add_password(object_id, "mstunnel-agent", end)
        if not made.secret_text or not made.key_id:
            raise TenantError(
                "secret-not-made",
                "Graph created a secret for the application, but did not return it",
                hint="Remove identity.credential, so that the server signs in with a certificate.",
            )
        ports.files.write(self.path, made.secret_text.encode(), 0o600)
        return {"key_id": made.key_id, "not_after": (made.end_date_time or end).isoformat()}

    def _object_id(self, outputs: Outputs) -> str:
        return str(outputs[self.application]["application_object_id"])

    def _present(self, ports: HasTenant, outputs: Outputs) -> list[str]:
        """Ids of the secrets that the application has; it is ours, and so are they."""
        found = ports.graph.application(self._object_id(outputs))
        return [item.key_id for item in (found.password_credentials if found else ()) if item.key_id]


@dataclass(frozen=True, kw_only=True)
class PlaceAgentSecret(FileAction[HasPassphrases]):
    """Put the secret of an application that was created in advance where the agent reads its own.

    `secret` says where it is given; the secret itself never enters the journal.
    """

    kind: ClassVar[str] = "place-agent-secret"
    secret: str

    @override
    def describe(self) -> str:
        return text("place the agent's secret from {secret}", secret=self.secret)

    @override
    def satisfied(self, ports: HasPassphrases, outputs: Outputs) -> bool:
        return ports.files.read(self.path) == ports.passphrase(self.secret)

    @override
    def apply(self, ports: HasPassphrases, outputs: Outputs) -> JsonObject:
        """Write it. When it ends is known to who made it alone."""
        ports.files.write(self.path, ports.passphrase(self.secret) or b"", 0o600)
        return {}
