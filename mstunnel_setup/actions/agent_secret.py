"""Actions for an identity that signs in with a secret, which is only done on request: asks for it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from typing_extensions import override

from mstunnel_setup.actions.files import FileAction
from mstunnel_setup.actions.host import Host
from mstunnel_setup.base.errors import TenantError
from mstunnel_setup.base.values import JsonObject, Outputs


@dataclass(frozen=True, kw_only=True)
class CreateAgentSecret(FileAction):
    """Make a secret of the agent's own application and keep it at `path`.

    `application` is the key of the action that made the application, `days` how long the secret lasts.
    Results: `key_id`, `not_after`.
    """

    kind: ClassVar[str] = "create-agent-secret"
    application: str
    days: int

    @override
    def describe(self) -> str:
        return f"make the agent's secret {self.path}"

    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        """Whether the file is there and the application still has the secret.

        A sign-in as that application proves it, and could not look at the directory.
        """
        made = outputs.get(self.key, {}).get("key_id")
        if made is None or host.files.state(self.path) is None:
            return False
        return bool(host.graph.signed_in_as) or made in self._present(host, outputs)

    def apply(self, host: Host, outputs: Outputs) -> JsonObject:
        """Make it. The text of one that a cut-off run made is lost, so that one goes first."""
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
        """Ids of the secrets that the application has; it is ours, and so are they."""
        found = host.graph.application(self._object_id(outputs))
        return [item.key_id for item in (found.password_credentials if found else ()) if item.key_id]


@dataclass(frozen=True, kw_only=True)
class PlaceAgentSecret(FileAction):
    """Put the secret of an application that was created in advance where the agent reads its own.

    `secret` says where it is given; the secret itself never enters the journal.
    """

    kind: ClassVar[str] = "place-agent-secret"
    secret: str

    @override
    def describe(self) -> str:
        return f"place the agent's secret from {self.secret}"

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        return host.files.read(self.path) == host.passphrase(self.secret)

    @override
    def apply(self, host: Host, outputs: Outputs) -> JsonObject:
        """Write it. When it ends is known to who made it alone."""
        host.files.write(self.path, host.passphrase(self.secret) or b"", 0o600)
        return {}
