"""The inventory of Microsoft's own gateway on this host: read only, with fingerprints instead of secrets.

Its files are only partly documented. Missing and unreadable files are left out without an error; a tree
larger than any gateway's is an error.
"""

import hashlib
import json
import os
import posixpath
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from mstunnel_setup.actions.host import Host
from mstunnel_setup.actions.vendor_gateway import LARGEST_FILE, vendor_tree
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CertificateError
from mstunnel_setup.base.parsing import json_object
from mstunnel_setup.base.problem import Severity
from mstunnel_setup.base.redaction import without_likely
from mstunnel_setup.base.result import Report
from mstunnel_setup.base.text import plain
from mstunnel_setup.certificates.certificate import title
from mstunnel_setup.certificates.chain_findings import judge
from mstunnel_setup.certificates.load import fingerprint, load_identity
from mstunnel_setup.containers.vendor import VendorContainer, vendor_containers
from mstunnel_setup.gateway import env_file
from mstunnel_setup.gateway.env_file import EnvironmentFileError
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.safe_paths import Kind
from mstunnel_setup.readiness.facts.section import text_of
from mstunnel_setup.readiness.facts.vendor import VendorFacts, vendor

# Active files come before given ones: a later import may have failed.
_PAIRS = (
    (f"{paths.CERTIFICATES}/active.crt", f"{paths.PRIVATE}/active.key"),
    (f"{paths.CERTIFICATES}/ocserv-active.crt", f"{paths.PRIVATE}/ocserv-active.key"),
    (paths.SITE_CERTIFICATE, paths.SITE_KEY),
)
_MOST_LINKS = 8
# The limits for a certificate chain and for a crontab.
_LARGEST_CERTIFICATE = _LARGEST_CRONTAB = 1 << 20
# The agent and the monitor change these at any time, so a plan cannot depend on them.
_CHANGING = (paths.MESSAGES, f"{paths.CONFIGURATION}/diagnostic", paths.AGENT_SETTINGS)
_CRON_DIRECTORIES = ("/etc/cron.d", "/var/spool/cron/crontabs", "/var/spool/cron")
_OF_TENANT = {
    paths.AGENT_INFO: ("AADTenantId", "IntuneTenantId", "AgentId"),
    paths.AGENT_SETTINGS: ("SiteId", "ServerId", "ConfigId"),
}
_PODMAN_AT_BOOT = "/etc/systemd/system/default.target.wants/podman-restart.service"


@dataclass(frozen=True, kw_only=True)
class VendorCertificate:
    """The files of certificate and key, links followed; empty if none can be used.

    `problems` prevent taking it over, each with a hint in `hints`; `pfx` is a PFX file next to them.
    """

    chain: str = ""
    key: str = ""
    pfx: str = ""
    subject: str = ""
    fingerprint: str = ""
    not_after: str = ""
    problems: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()


def vendor_certificate(host: Host, gateway: Mapping[str, str], *, lab: bool) -> VendorCertificate:
    """Return the certificate in `gateway` (the settings of ocserv.conf), or at one of its usual paths."""
    files = host.files
    pfx = paths.SITE_PFX if files.state(paths.SITE_PFX) is not None else ""
    pairs = ((gateway.get("server-cert", ""), gateway.get("server-key", "")), *_PAIRS)
    followed = (tuple(_followed(files, path) for path in pair if path.startswith("/")) for pair in pairs)
    present = (pair for pair in followed if [files.state(path) is not None for path in pair] == [True, True])
    chain, key = next(present, ("", ""))
    if not chain:
        return VendorCertificate(pfx=pfx)
    try:
        # The named files may be anywhere, and of any size.
        contents = (files.read_untrusted(path, _LARGEST_CERTIFICATE) or b"" for path in (chain, key))
        identity = load_identity(*contents)
    except (CertificateError, FileError) as error:
        problem, hint = error.message, error.hint
        return VendorCertificate(chain=chain, key=key, pfx=pfx, problems=(problem,), hints=(hint,))
    judged = judge(
        identity,
        public_address=None,
        now=host.clock.now(),
        trusted_roots=host.system_roots,
        private_roots=host.private_roots,
        allow_self_signed=lab,
    )
    bad = [item for item in judged if item.severity is Severity.ERROR]
    return VendorCertificate(
        chain=chain,
        key=key,
        pfx=pfx,
        subject=title(identity.leaf),
        fingerprint=fingerprint(identity),
        not_after=f"{identity.leaf.not_valid_after_utc:%Y-%m-%d}",
        problems=tuple(item.message for item in bad),
        hints=tuple(item.hint for item in bad),
    )


def _followed(files: Files, path: str) -> str:
    """Return the path at the end of links, as far as they lead: an ACME client may own the files."""
    for _ in range(_MOST_LINKS):
        state = files.state(path)
        if state is None or state.target is None:
            break
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), state.target))
    return path


@dataclass(frozen=True, kw_only=True)
class VendorFile:
    """One path below /etc/mstunnel. `sha256` is of the content, `target` of a link; empty for others."""

    path: str
    kind: Kind
    mode: Annotated[str, Field(description="Octal.")]
    uid: int
    gid: int
    sha256: str = ""
    target: str = ""


class Inventory(Report):
    """The parts of Microsoft's own gateway on this host.

    `configuration` is the content of admin-settings.json, `gateway` that of ocserv.conf, `environment` that
    of env.sh (a proxy with a password is starred), `tenant` ids by the vendor's keys, `cron` lines that call
    mst-cli, by file. `waiting` are messages between its agent and its monitor. `restarts_at_boot` means that
    Podman starts containers at boot.
    """

    signs: VendorFacts
    containers: tuple[VendorContainer, ...]
    files: tuple[VendorFile, ...]
    certificate: VendorCertificate
    configuration: dict[str, Any]
    gateway: dict[str, str]
    environment: dict[str, str]
    tenant: dict[str, str]
    roots: tuple[str, ...]
    cron: tuple[tuple[str, str], ...]
    waiting: tuple[str, ...]
    restarts_at_boot: bool

    @property
    def digest(self) -> str:
        """The SHA-256 of the plan's input: it changes when the host does."""
        inputs = {name: value for name, value in self.data.items() if name != "waiting"}
        return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()

    @property
    def owner(self) -> int | None:
        """The uid of another account that owns /etc/mstunnel; None if this one or root does."""
        uid = next((file.uid for file in self.files if file.path == paths.CONFIGURATION), 0)
        return None if uid in (0, os.geteuid()) else uid


def beside(path: str) -> str:
    """Return the path or name under which a part of Microsoft's gateway is kept, with suffix `.vendor`."""
    return f"{path}.vendor"


def take_inventory(host: Host, *, lab: bool = False) -> Inventory:
    """Read everything; `lab` means that the tenant accepts a self-signed certificate.

    Raises CheckError `vendor-files-unbounded`.
    """
    files = host.files
    # This comes first, because it refuses files that are too large to read.
    found = tuple(_files(files))
    gateway = _gateway(text_of(files, paths.OCSERV_CONF))
    tenant = (
        (key, json_object(text_of(files, path)).get(key)) for path, keys in _OF_TENANT.items() for key in keys
    )
    return Inventory(
        signs=vendor(files, host.processes),
        containers=vendor_containers(host.processes) if files.live else (),
        files=found,
        certificate=vendor_certificate(host, gateway, lab=lab),
        configuration=json_object(text_of(files, paths.ADMIN_SETTINGS)),
        gateway=gateway,
        environment=_environment(text_of(files, paths.ENVIRONMENT)),
        tenant={key: plain(value) for key, value in tenant if isinstance(value, str)},
        roots=tuple(f"{paths.CA_TRUST}/{name}" for name in _names(files, paths.CA_TRUST)),
        cron=tuple(_cron(files)),
        waiting=tuple(_names(files, paths.INBOX)),
        restarts_at_boot=files.state(_PODMAN_AT_BOOT) is not None,
    )


def _files(files: Files) -> Iterator[VendorFile]:
    """Yield everything below /etc/mstunnel except files that change at any time."""
    for path, state in vendor_tree(files, paths.CONFIGURATION, _CHANGING):
        digest = None
        with suppress(FileError):
            content = files.read_untrusted(path, LARGEST_FILE) if state.kind == "file" else None
            digest = None if content is None else hashlib.sha256(content).hexdigest()
        yield VendorFile(
            path=path,
            kind=state.kind,
            mode=f"{state.mode:04o}",
            uid=state.uid,
            gid=state.gid,
            sha256=digest or "",
            target=state.target or "",
        )


def _names(files: Files, path: str) -> list[str]:
    with suppress(FileError):
        return files.names(path)
    return []


def _gateway(text: str) -> dict[str, str]:
    """Return the settings of an ocserv.conf; the last one of each name counts."""
    lines = (line.strip() for line in text.splitlines())
    pairs = [line.partition("=") for line in lines if "=" in line and not line.startswith("#")]
    return {name.strip(): plain(value.strip().strip('"')) for name, _, value in pairs}


def _environment(text: str) -> dict[str, str]:
    """Return the settings of an env.sh, which is read line by line and never run; ignore other lines."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        with suppress(EnvironmentFileError):
            found |= env_file.parse(line, paths.ENVIRONMENT)
    return {name: without_likely(value) for name, value in found.items()}


def _cron(files: Files) -> Iterator[tuple[str, str]]:
    below = [f"{directory}/{name}" for directory in _CRON_DIRECTORIES for name in _names(files, directory)]
    for path in ("/etc/crontab", *below):
        content = None
        with suppress(FileError):
            content = files.read_untrusted(path, _LARGEST_CRONTAB)
        for line in (content or b"").decode(errors="replace").splitlines():
            if "mst-cli" in line and not line.lstrip().startswith("#"):
                yield path, without_likely(plain(line))
