"""What the agent asks of the tenant, and the way there with the agent's own certificate."""

import os
from dataclasses import dataclass
from typing import Final, Protocol

from cryptography.hazmat.primitives.serialization import Encoding

from mstunnel_setup import paths
from mstunnel_setup.agent.settings import AgentInfo, read_agent_info, read_agent_settings, read_proxies
from mstunnel_setup.errors import CertificateError
from mstunnel_setup.host.clock import Clock
from mstunnel_setup.host.files import Files
from mstunnel_setup.host.http import HttpSession
from mstunnel_setup.tenant.clouds import Cloud, cloud
from mstunnel_setup.tenant.credential import read_credential
from mstunnel_setup.tenant.graph import Graph
from mstunnel_setup.tenant.sign_in import SignIn
from mstunnel_setup.tenant.wire import TunnelConfiguration, TunnelServer
from mstunnel_setup.tls.read import read_material

RUN_DIRECTORY: Final = "/run/mstunnel-agent"
_ROOTS: Final = f"{RUN_DIRECTORY}/roots.pem"
# The next check-in is a better time to try again than the end of a long wait.
_DEADLINE_SECONDS: Final = 60


class Tenant(Protocol):
    """The part of Graph that the agent needs."""

    def server(self, site_id: str, server_id: str) -> TunnelServer | None:
        """Return one server of a site."""
        ...

    def update_server(self, site_id: str, server_id: str, changes: TunnelServer) -> None:
        """Change what is set in `changes`; this is a check-in."""
        ...

    def configuration_of(self, site_id: str) -> TunnelConfiguration | None:
        """Return the server configuration of a site."""
        ...


@dataclass(frozen=True)
class Enrolment:
    """A way to the tenant, the record of this server there, and how devices authenticate to it."""

    tenant: Tenant
    site_id: str
    server_id: str
    authentication: str


def enrol(files: Files, clock: Clock) -> Enrolment:
    """Sign in with what the set-up left below /etc/mstunnel.

    Raises SetupError: files missing or unreadable, sign-in refused, tenant away.
    """
    info = read_agent_info(files)
    settings = read_agent_settings(files)
    where = _cloud(info)
    os.environ.update(read_proxies(files))
    http = HttpSession(clock, trusted_roots(files), deadline=_DEADLINE_SECONDS)
    credential = read_credential(files, paths.AGENT_CREDENTIAL)
    token_source = SignIn(http, clock, where, info.tenant_id, info.agent_id).certificate(credential)
    graph = Graph(http, where, token_source, clock)
    return Enrolment(graph, settings.site_id, settings.server_id, info.authentication)


def trusted_roots(files: Files) -> str | None:
    """Join the certificates of `ca-trust/*.crt` (PEM or DER) in one file; None when there are none.

    Raises CertificateError, which names the file that is none.
    """
    names = [name for name in files.names(paths.CA_TRUST) if name.endswith(".crt")]
    roots = b"".join(_certificates(files, f"{paths.CA_TRUST}/{name}") for name in names)
    if not roots:
        return None
    files.make_directories(RUN_DIRECTORY)
    files.write(_ROOTS, roots)
    return str(files.locate(_ROOTS))


def _certificates(files: Files, path: str) -> bytes:
    try:
        found = read_material(files.read(path) or b"").certificates
    except CertificateError as error:
        raise CertificateError(
            "trusted-root-unreadable",
            f"{path}: {error.message}",
            "Put a certificate in PEM or DER there, or remove the file.",
        ) from error
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in found)


def _cloud(info: AgentInfo) -> Cloud:
    """The clouds of Microsoft have fixed addresses, so only those of a custom one are taken from the file."""
    if info.cloud == "custom":
        return cloud(info.cloud, info.authority, info.graph)
    return cloud(info.cloud)
