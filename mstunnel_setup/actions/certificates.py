"""Actions that place certificates and keys. Their content never enters the journal."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from typing_extensions import override

from mstunnel_setup.actions.files import FileAction, PlacedFile
from mstunnel_setup.actions.host import Host
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CertificateError, SetupError
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.certificates import generations
from mstunnel_setup.certificates.agent_credential import (
    CREDENTIAL_DAYS,
    new_agent_credential,
    read_agent_credential,
)
from mstunnel_setup.certificates.device_authority import lists_pem, read_lists
from mstunnel_setup.certificates.errors import CERTIFICATE_SOURCE_CHANGED
from mstunnel_setup.certificates.load import (
    IdentitySource,
    chain_pem,
    fingerprint,
    given_content,
    key_pem,
    load_identity,
    root_pem,
)
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord

_PRIVATE = 0o600
TESTED_SHA256 = "pfx_sha256"
"""The output with the digest of the credential that was made and tested: the same bytes need no test again.
The agent renews its credential, and may put anything in its place."""


@dataclass(frozen=True, kw_only=True)
class PlaceIdentity(Action):
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
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        """Whether the directory holds this identity, with a key that only its owner can read."""
        state = host.files.state(f"{self.directory}/key.pem")
        if state is None or state.mode != _PRIVATE:
            return False
        chain, private = (
            host.files.read(f"{self.directory}/{name}") or b"" for name in ("chain.pem", "key.pem")
        )
        try:
            return fingerprint(load_identity(chain, private)) == self.fingerprint
        except SetupError:
            return False

    @override
    def apply(self, host: Host, outputs: Outputs) -> JsonObject:
        """Write the files. Raises CertificateError when the source has changed since the check."""
        identity = self.source.load(host)
        if fingerprint(identity) != self.fingerprint:
            raise _source_changed(self.source)
        host.files.write(f"{self.directory}/key.pem", key_pem(identity), _PRIVATE)
        if root := root_pem(identity):
            host.files.write(f"{self.directory}/root.pem", root, 0o644)
        host.files.write(f"{self.directory}/chain.pem", chain_pem(identity), 0o644)
        return {}

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Remove the files."""
        for name in ("key.pem", "root.pem", "chain.pem"):
            if host.files.state(self.directory) is not None:
                host.files.remove(f"{self.directory}/{name}")
        return Undone(Undo.REMOVED)


@dataclass(frozen=True, kw_only=True)
class FreshenIdentity(Action):
    """Freshen the generation `name`, which lay here before, until it is linked."""

    kind: ClassVar[str] = "freshen-identity"
    name: str

    @property
    @override
    def key(self) -> str:
        return generations.freshness(self.name)

    @override
    def describe(self) -> str:
        return text(
            "mark the files in {name} as new, so that the gateway loads them",
            name=generations.directory(self.name),
        )

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        return generations.linked(host.files) == self.name

    @override
    def apply(self, host: Host, outputs: Outputs) -> JsonObject:
        generations.freshen(host.files, host.clock, self.name)
        return {}

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Nothing to do: a modification time is harmless."""
        return Undone(Undo.ABSENT)


def refuse_unloadable(host: Host, image: str, name: str) -> None:
    """Have ocserv and GnuTLS of the gateway's image load the generation `name`, in its configuration.

    What our own checks let pass they may refuse, such as a curve that GnuTLS does not have. Raises
    CertificateError `import-refused`.
    """
    configuration = (host.files.read(paths.OCSERV_CONF) or b"").decode()
    reason = host.gateway_refusal(image, configuration.replace(paths.ACTIVE, generations.directory(name)))
    if reason:
        raise CertificateError(
            "import-refused",
            "the gateway cannot load the certificate, so the one in use stays: {reason}",
            hint="Request a certificate with an RSA key of 2048 to 8192 bits, or an EC key on P-256 or "
            "P-384.",
            reason=reason,
        )


@dataclass(frozen=True, kw_only=True)
class JudgeIdentity(Action):
    """Have the gateway's image load the generation `name` before it replaces the one in use."""

    kind: ClassVar[str] = "judge-identity"
    name: str
    image: str

    @property
    @override
    def key(self) -> str:
        return f"judged:{self.name}"

    @override
    def describe(self) -> str:
        return text("have the gateway's image load {name}", name=generations.directory(self.name))

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        return generations.linked(host.files) == self.name

    @override
    def apply(self, host: Host, outputs: Outputs) -> JsonObject:
        """Raises as `refuse_unloadable` does."""
        refuse_unloadable(host, self.image, self.name)
        return {}

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Nothing to do: nothing was changed."""
        return Undone(Undo.ABSENT)


@dataclass(frozen=True, kw_only=True)
class PlaceKey(PlacedFile):
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
    def content(self, host: Host, outputs: Outputs) -> bytes:
        """The key. Raises CertificateError when the source has changed since the check."""
        content = key_pem(self.source.load(host))
        if hashlib.sha256(content).hexdigest() != self.digest:
            raise _source_changed(self.source)
        return content

    @override
    def content_digest(self, outputs: Outputs) -> str:
        """The digest of the checked key."""
        return self.digest


@dataclass(frozen=True, kw_only=True)
class PlaceRevocations(PlacedFile):
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
    def content(self, host: Host, outputs: Outputs) -> bytes:
        """The lists. Raises CertificateError when the source has changed since the check."""
        content = lists_pem(read_lists(given_content(host.files, self.source), self.source))
        if hashlib.sha256(content).hexdigest() != self.digest:
            raise CERTIFICATE_SOURCE_CHANGED(files=self.source)
        return content

    @override
    def content_digest(self, outputs: Outputs) -> str:
        """The digest of the checked lists."""
        return self.digest


@dataclass(frozen=True, kw_only=True)
class CreateAgentCredential(FileAction):
    """Create the key and certificate for the agent's sign-in to the tenant (PFX, empty passphrase)."""

    kind: ClassVar[str] = "create-agent-credential"
    common_name: str

    @override
    def describe(self) -> str:
        """What will be done."""
        return text("create the agent's certificate {path}", path=self.path)

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        """Whether there is a valid credential."""
        content = host.files.read(self.path)
        if content is None:
            return False
        tested = outputs.get(self.key, {})
        if hashlib.sha256(content).hexdigest() == tested.get(TESTED_SHA256):
            return datetime.fromisoformat(str(tested["not_after"])) > host.clock.now()
        try:
            return read_agent_credential(content).not_after > host.clock.now()
        except SetupError:
            return False

    @override
    def apply(self, host: Host, outputs: Outputs) -> JsonObject:
        """Create it, unless an interrupted run has done so."""
        if not self.satisfied(host, outputs):
            pfx, _ = new_agent_credential(self.common_name, host.clock.now(), CREDENTIAL_DAYS)
            host.files.write(self.path, pfx, _PRIVATE)
        content = host.files.read(self.path) or b""
        credential = read_agent_credential(content)
        return {
            TESTED_SHA256: hashlib.sha256(content).hexdigest(),
            "not_after": credential.not_after.isoformat(),
            "certificate_sha256": hashlib.sha256(credential.certificate_der).hexdigest(),
        }


def _source_changed(source: IdentitySource) -> CertificateError:
    return CERTIFICATE_SOURCE_CHANGED(files=" and ".join(source.paths))
