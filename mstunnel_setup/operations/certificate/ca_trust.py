"""`mst-cli ca-trust add|remove|list`: additional trusted roots for both containers and this program."""

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from mstunnel_setup.actions import containers
from mstunnel_setup.actions.files import WriteFile
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import FILE_MISSING, CertificateError, UsageError
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.text import text
from mstunnel_setup.certificates.ca_trust import added_roots, is_for_gateway, root_findings
from mstunnel_setup.certificates.certificate import extension, is_ca, title
from mstunnel_setup.certificates.chain_findings import days_left
from mstunnel_setup.certificates.read import read_material
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.session import apply_actions, installed_run
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.operations.certificate import generation_switch

_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")
_LONGEST_NAME = 40


class TrustedRoot(Report):
    """A root that is trusted in addition to those of the system."""

    name: str
    subject: str
    sha256: str
    days_left: int

    @classmethod
    def of(cls, name: str, certificate: x509.Certificate, now: datetime) -> "TrustedRoot":
        """Return the certificate in the file `name`, as of `now`."""
        return cls(
            name=name,
            subject=title(certificate),
            sha256=certificate.fingerprint(hashes.SHA256()).hex(),
            days_left=days_left(certificate, now),
        )


class AddedRoots(Report):
    """The roots that a command added."""

    added: tuple[TrustedRoot, ...]


class RemovedRoot(Report):
    """A root that is no longer trusted."""

    removed: str


class TrustedRoots(Report):
    """All root CAs that are trusted in addition to those of the system."""

    roots: tuple[TrustedRoot, ...]


def add(operator: Operator, source: Path) -> Result[AddedRoots | None]:
    """Trust every certificate in a file (PEM or DER). Raises CertificateError unless all are CAs."""
    with installed_run(operator) as run:
        now = run.host.clock.now()
        certificates = _authorities(run.files, source, now)
        # Certificates that an administrator placed there count as known. This program's own files do not,
        # because an interrupted run may have left them incomplete.
        known = {
            certificate
            for name, certificate in added_roots(run.files)
            if name != f"{_name(certificate)}.crt"
            and is_for_gateway(run.files.read(f"{paths.CA_TRUST}/{name}") or b"")
        }
        new = {_name(item): item for item in certificates if item not in known}
        writing = [
            WriteFile(path=f"{paths.CA_TRUST}/{name}.crt", text=item.public_bytes(Encoding.PEM).decode())
            for name, item in new.items()
        ]
        if not apply_actions(run, "Trust the authority", writing):
            return Result("unchanged", text=[text("Already trusted.")])
        _reload_containers(run)
    added = tuple(TrustedRoot.of(name, item, now) for name, item in new.items())
    lines = [text("Trusted: {subject}.", subject=root.subject) for root in added]
    return Result("changed", AddedRoots(added=added), text=lines)


def remove(operator: Operator, name: str) -> Result[RemovedRoot]:
    """Stop trusting the certificates in one file of ca-trust. Raises UsageError."""
    with installed_run(operator) as run:
        path = f"{paths.CA_TRUST}/{name.removesuffix('.crt')}.crt"
        if "/" in name or run.files.state(path) is None:
            raise UsageError(
                "root-unknown",
                "there is no file {path}",
                hint="List the names with `mst-cli ca-trust list`.",
                path=path,
            )
        run.runner.take_back([f"file:{path}"])
        run.files.remove(path)
        _reload_containers(run)
    return Result("changed", RemovedRoot(removed=name), text=[text("No longer trusted: {name}.", name=name)])


def show(operator: Operator) -> Result[TrustedRoots]:
    """List the roots trusted besides those of the system, and warn about unusable files."""
    with installed_run(operator, exclusively=False) as run:
        now = run.host.clock.now()
        # The gateway skips unreadable files, too.
        roots = tuple(
            TrustedRoot.of(name.removesuffix(".crt"), item, now) for name, item in added_roots(run.files)
        )
        found = tuple(root_findings(run.files))
    lines = [
        text(
            "{name}  {subject}, {days_left} days left",
            name=root.name,
            subject=root.subject,
            days_left=root.days_left,
        )
        for root in roots
    ]
    lines = lines or [text("No roots in addition to those of the system.")]
    return Result("warning" if found else "ok", TrustedRoots(roots=roots), found, text=lines)


def _authorities(files: Files, source: Path, now: datetime) -> Sequence[x509.Certificate]:
    """Return the certificates in a file. Raises CertificateError unless all are valid CAs without a key."""
    content = files.read_given(str(source))
    if content is None:
        raise FILE_MISSING(path=source)
    try:
        material = read_material(content, "certificate")
    except CertificateError as error:
        raise CertificateError(
            "root-file-unreadable",
            "{path} cannot be read: {reason}",
            hint="Give a file that contains CA certificates in PEM or DER.",
            path=source,
            reason=error.message,
        ) from error
    if material.keys or material.encrypted_keys:
        raise CertificateError(
            "root-with-key",
            "{path} contains a private key",
            hint="Give a file that contains certificates only.",
            path=source,
        )
    if not material.certificates:
        raise CertificateError(
            "root-file-empty",
            "{path} contains no certificate",
            hint="Give a file in PEM or DER.",
            path=source,
        )
    for certificate in material.certificates:
        usage = extension(certificate, x509.KeyUsage)
        if not is_ca(certificate) or (usage is not None and not usage.key_cert_sign):
            raise CertificateError(
                "root-not-ca",
                "the certificate of {certificate} is not a CA certificate",
                hint="Give the certificate of the authority, not one that it issued.",
                certificate=title(certificate),
            )
        if days_left(certificate, now) < 0:
            raise CertificateError(
                "root-expired",
                "the certificate of {certificate} expired on {ended:%Y-%m-%d}",
                hint="Get the authority's current certificate.",
                certificate=title(certificate),
                ended=certificate.not_valid_after_utc,
            )
    return material.certificates


def _name(certificate: x509.Certificate) -> str:
    """Return a file name that people recognise and that no other certificate has."""
    words = _NOT_IN_NAMES.sub("-", title(certificate).lower())[:_LONGEST_NAME].strip("-")
    return f"{words or 'root'}-{certificate.fingerprint(hashes.SHA256()).hex()[:8]}"


def _reload_containers(run: Run) -> None:
    """Reload a running gateway, which keeps its sessions; restart a running agent, which has none."""
    host = run.host
    if generation_switch.serving_port(run) is not None:
        generation_switch.reload_gateway(run)
    agent = host.engine.inspect(paths.AGENT) if host.files.live else None
    if agent is not None and agent.status == "running":
        containers.restart(host, paths.AGENT)
