"""Actions that place certificates and keys, now or at a later time.

Their content never enters the journal. A scheduled import has a persistent systemd timer, which survives a
reboot.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime

from cryptography.hazmat.primitives import hashes
from typing_extensions import override

from mstunnel_setup.actions.files import Composite, FileAction, Link, PlacedFile, WriteFile
from mstunnel_setup.actions.host import Host
from mstunnel_setup.base import paths, rendering
from mstunnel_setup.base.errors import CertificateError, ExitCode, SetupError
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.certificates import generations
from mstunnel_setup.certificates.agent_certificate import (
    CREDENTIAL_DAYS,
    new_agent_certificate,
    read_agent_certificate,
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
from mstunnel_setup.transaction.action import Action, Codec, OneWayAction, Undo, Undone, UndoRecord
from mstunnel_setup.transaction.receipt import Receipt

_PRIVATE = 0o600
TESTED_SHA256 = "pfx_sha256"
"""The output with the digest of the credential that was created and tested.

The same bytes need no new test, but the agent renews its credential and may replace it with anything.
"""


class PlaceIdentity(Action):
    """Write chain.pem, key.pem and, if present, root.pem of a checked identity into `directory`."""

    kind = "place-identity"
    key_template = "identity:{directory}"
    directory: str
    source: IdentitySource
    fingerprint: str

    @override
    def describe(self) -> str:
        return text("place certificate and key from {paths}", paths=" and ".join(self.source.paths))

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        """Return whether the directory has this identity, with a key that only its owner can read."""
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
    def apply(self, host: Host, outputs: Outputs) -> None:
        """Write the files. Raises CertificateError if the source has changed since the check."""
        identity = host.load(self.source)
        if fingerprint(identity) != self.fingerprint:
            raise CERTIFICATE_SOURCE_CHANGED(files=" and ".join(self.source.paths))
        host.files.write(f"{self.directory}/key.pem", key_pem(identity), _PRIVATE)
        if root := root_pem(identity):
            host.files.write(f"{self.directory}/root.pem", root, 0o644)
        host.files.write(f"{self.directory}/chain.pem", chain_pem(identity), 0o644)

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        for name in ("key.pem", "root.pem", "chain.pem"):
            if host.files.state(self.directory) is not None:
                host.files.remove(f"{self.directory}/{name}")
        return Undone(Undo.REMOVED)


class _BeforeTheLink(OneWayAction):
    """A preparation of the generation `name` before it is linked."""

    name: str

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        return generations.linked(host.files) == self.name


class FreshenIdentity(_BeforeTheLink):
    """Mark the existing generation `name` as new before it is linked again."""

    kind = "freshen-identity"

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
    def apply(self, host: Host, outputs: Outputs) -> None:
        generations.freshen(host.files, host.clock, self.name)


def refuse_unloadable(host: Host, image: str, name: str) -> None:
    """Have ocserv and GnuTLS in the gateway's image load the generation `name`, with its configuration.

    They may refuse what our own checks accept, such as a curve that GnuTLS lacks. Raises CertificateError
    `import-refused`.
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


class JudgeIdentity(_BeforeTheLink):
    """Have the gateway's image load the generation `name` before it replaces the one in use."""

    kind = "judge-identity"
    key_template = "judged:{name}"
    image: str

    @override
    def describe(self) -> str:
        return text("have the gateway's image load {name}", name=generations.directory(self.name))

    @override
    def apply(self, host: Host, outputs: Outputs) -> None:
        refuse_unloadable(host, self.image, self.name)


class PlaceKey(PlacedFile):
    """Write only the key of a checked identity to `path`. The journal gets its digest only."""

    kind = "place-key"
    mode: int = _PRIVATE
    source: IdentitySource
    digest: str

    @override
    def describe(self) -> str:
        return text(
            "copy the key in {paths} to {path}",
            paths=" or ".join(dict.fromkeys(self.source.paths)),
            path=self.path,
        )

    @override
    def content(self, host: Host, outputs: Outputs) -> bytes:
        """Return the key. Raises CertificateError if the source has changed since the check."""
        content = key_pem(host.load(self.source))
        if hashlib.sha256(content).hexdigest() != self.digest:
            raise CERTIFICATE_SOURCE_CHANGED(files=" and ".join(self.source.paths))
        return content

    @override
    def content_digest(self, outputs: Outputs) -> str:
        return self.digest


class PlaceRevocations(PlacedFile):
    """Write the revocation lists of a checked file, as PEM.

    They may be long, so the journal gets their digest only.
    """

    kind = "place-revocations"
    description = text("place the revocation list from {source}")
    source: str
    digest: str

    @override
    def content(self, host: Host, outputs: Outputs) -> bytes:
        """Return the lists. Raises CertificateError if the source has changed since the check."""
        content = lists_pem(read_lists(given_content(host.files, self.source), self.source))
        if hashlib.sha256(content).hexdigest() != self.digest:
            raise CERTIFICATE_SOURCE_CHANGED(files=self.source)
        return content

    @override
    def content_digest(self, outputs: Outputs) -> str:
        return self.digest


class CreateAgentCredential(FileAction):
    """Create the key and certificate for the agent's sign-in to the tenant (PFX, empty passphrase)."""

    kind = "create-agent-credential"
    description = text("create the agent's certificate {path}")
    common_name: str

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        content = host.files.read(self.path)
        if content is None:
            return False
        tested = outputs.get(self.key, {})
        if hashlib.sha256(content).hexdigest() == tested.get(TESTED_SHA256):
            return datetime.fromisoformat(str(tested["not_after"])) > host.clock.now()
        try:
            return read_agent_certificate(content).not_valid_after_utc > host.clock.now()
        except SetupError:
            return False

    @override
    def apply(self, host: Host, outputs: Outputs) -> JsonObject:
        """Create the credential, unless an interrupted run has done so."""
        if not self.satisfied(host, outputs):
            pfx, _ = new_agent_certificate(self.common_name, host.clock.now(), CREDENTIAL_DAYS)
            host.files.write(self.path, pfx, _PRIVATE)
        content = host.files.read(self.path) or b""
        credential = read_agent_certificate(content)
        return {
            TESTED_SHA256: hashlib.sha256(content).hexdigest(),
            "not_after": credential.not_valid_after_utc.isoformat(),
            "certificate_sha256": credential.fingerprint(hashes.SHA256()).hex(),
        }


WANTED = f"{paths.UNITS}/timers.target.wants"


class ScheduleImport(Composite):
    """Have `program` activate the generation `fingerprint` at the time `at` (ISO 8601, UTC).

    `copied` means that chain and key came from elsewhere and belong in their usual places afterwards.
    `instead_of` is the newer generation that an administrator agreed to replace, empty for none. `engine` is
    the gateway's container engine. Without a `timer`, where systemd does not run, the monitor reads the
    journal instead.
    """

    kind = "schedule-import"
    key_template = "import:{name}"
    description = text("activate the certificate {name} at {due:%Y-%m-%d %H:%M} UTC")
    name: str
    at: str
    fingerprint: str
    program: str
    copied: bool = False
    instead_of: str = ""
    engine: str = "podman"
    timer: bool = True

    @property
    def due(self) -> datetime:
        """The time of its activation."""
        return datetime.fromisoformat(self.at).astimezone(UTC)

    @property
    def unit(self) -> str:
        """The name of both units, without suffix."""
        return f"mstunnel-import-{self.name}"

    @property
    def units(self) -> tuple[WriteFile, WriteFile]:
        """Service and timer. Their names come from their content, so no other program uses them."""
        service = rendering.render(
            "systemd/mstunnel-import.service",
            name=self.name,
            program=self.program,
            locked=ExitCode.LOCKED.value,
            engine=self.engine,
            rootless=paths.ROOTLESS,
        )
        timer = rendering.render("systemd/mstunnel-import.timer", name=self.name, at=self.due)
        return (
            WriteFile(path=f"{paths.UNITS}/{self.unit}.service", text=service),
            WriteFile(path=f"{paths.UNITS}/{self.unit}.timer", text=timer),
        )

    @property
    @override
    def parts(self) -> Mapping[str, Action]:
        """The link that starts the timer at boot; a file may be in its place."""
        link = Link(path=f"{WANTED}/{self.unit}.timer", target=f"{paths.UNITS}/{self.unit}.timer")
        return {"": link} if self.timer else {}

    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        """Return whether the units exist and the timer runs, or the journal record exists without a timer."""
        if not self.timer:
            return self.key in outputs
        if not all(unit.satisfied(host, outputs) for unit in self.units):
            return False
        return super().satisfied(host, outputs) and host.systemd.active(f"{self.unit}.timer")

    @override
    def apply(self, host: Host, outputs: Outputs) -> None:
        """Write the units and start the timer; without one the journal record is the effect."""
        if self.timer:
            for unit in self.units:
                unit.apply(host, outputs)
            super().apply(host, outputs)
            host.systemd.daemon_reload()
            host.systemd.start(f"{self.unit}.timer")

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Stop the timer and remove all written files and systemd's record of its last run."""
        if not self.timer:
            return Undone(Undo.REMOVED)
        if host.systemd.known(f"{self.unit}.timer"):
            host.systemd.stop(f"{self.unit}.timer")
        undone = super().undo(host, record)
        # A persistent timer's last run is the time of this file: systemd.timer(5), Persistent=.
        stamp = f"{paths.TIMER_STAMPS}/stamp-{self.unit}.timer"
        for path in (*(unit.path for unit in reversed(self.units)), stamp):
            # Even if the file is missing, a killed writer may have left its temporary file.
            host.files.remove(path)
        host.systemd.daemon_reload()
        return undone if undone.outcome is Undo.KEPT else Undone(Undo.REMOVED)


_CODEC = Codec([ScheduleImport])


def pending_imports(receipt: Receipt) -> tuple[ScheduleImport, ...]:
    """Return the scheduled certificates, in the order in which they were given."""
    found = (entry.versions[-1] for entry in receipt.entries.values())
    loaded = (_CODEC.load(data) for data in found if data["kind"] == ScheduleImport.kind)
    return tuple(action for action in loaded if isinstance(action, ScheduleImport))
