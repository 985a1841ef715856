"""Step `register`: create the agent's identity in the tenant, and this server's record in its site."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final

from mstunnel_setup.actions.agent_sign_in import (
    CreateAgentSecret,
    CredentialSource,
    PlaceAgentCredential,
    PlaceAgentSecret,
    UseAppIdentity,
    certificate_sha256,
)
from mstunnel_setup.actions.certificates import CreateAgentCredential
from mstunnel_setup.actions.files import LinkInPlace, WriteJson
from mstunnel_setup.actions.tenant_objects import (
    APPLICATION_NAME_TAKEN,
    SERVER_NAME_TAKEN,
    CreateAppIdentity,
    RegisterServer,
    RemoveApplication,
    RemoveServerRecord,
    consent_needed,
    is_silent,
    record_left,
    server_record_left,
    site_deleted,
)
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import SignInError, TenantError
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import output
from mstunnel_setup.certificates.agent_certificate import CREDENTIAL_DAYS
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.steps import sign_in, site
from mstunnel_setup.install.tenant_sign_in import cloud_of
from mstunnel_setup.tenant.client_credential import ClientSecret
from mstunnel_setup.tenant.clouds import Cloud
from mstunnel_setup.tenant.wire import Application, DeploymentMode, TunnelServer
from mstunnel_setup.transaction.action import Action
from mstunnel_setup.transaction.step import Step

_DEPLOYMENT_MODES: Final = {
    ("standalone", "rootful"): DeploymentMode.STANDALONE_ROOTFUL,
    ("standalone", "rootless"): DeploymentMode.STANDALONE_ROOTLESS,
    ("pod", "rootful"): DeploymentMode.POD_ROOTFUL,
    ("pod", "rootless"): DeploymentMode.POD_ROOTLESS,
}
"""The deployment mode of a server in the tenant, by `deployment` and `mode` of the answers."""


@dataclass(frozen=True)
class ExistingIdentity:
    """An existing application, its tenant, and its credential.

    The credential is the path and digest of a certificate, or the path of a secret.
    """

    app_id: str
    tenant_id: str
    source: CredentialSource
    certificate_sha256: str = ""
    secret: str = ""


@dataclass(frozen=True)
class Registration:
    """The names of this server in the tenant, its site, and the versions of its containers.

    `left_record` is the id of a leftover record of an earlier server of this name that is to be removed,
    `left_applications` are the object ids of leftover applications of an earlier installation of this host.
    """

    site_id: str
    server_name: str
    application_name: str
    cloud: Cloud
    authentication: str
    deployment_mode: DeploymentMode
    existing: ExistingIdentity | None = None
    secret: bool = False
    left_record: str = ""
    left_applications: tuple[str, ...] = ()

    @property
    def server(self) -> RegisterServer:
        """The action that creates this server's record in the tenant."""
        return RegisterServer(
            site_id=self.site_id, server_name=self.server_name, deployment_mode=self.deployment_mode
        )

    @property
    def credential_path(self) -> str:
        """Path of the agent's credential."""
        secret = self.existing.secret if self.existing else self.secret
        return paths.AGENT_SECRET if secret else paths.AGENT_CREDENTIAL


def _gather(run: Run) -> Registration:
    registration = _registration(run)
    existing = registration.existing
    name = existing.app_id if existing else registration.application_name
    _refuse_changed(run, name, registration.credential_path)
    known = run.receipt.entries
    record = None if registration.server.key in known else _left_record(run, registration)
    left = () if _application(registration).key in known else _left_applications(run, registration)
    # Leftovers that nobody agreed to remove cause an error later, when the new objects are created.
    return replace(
        registration,
        left_record=record.id if record is not None and _may_remove(run, record) else "",
        left_applications=tuple(item.id for item in left) if _may_replace(run, registration, left) else (),
    )


def require_possible(run: Run) -> None:
    """Check and confirm everything for a new registration, before the present one is removed.

    Raises TenantError `site-deleted`, `server-name-taken`, `server-record-left` and `application-name-taken`.
    """
    registration, graph = _registration(run), run.host.graph
    joined = run.joined_site
    if graph.site(registration.site_id) is None:
        raise site_deleted(f"{joined.name} ({joined.id})" if joined else registration.site_id)
    record = _left_record(run, registration)
    if record is not None and not is_silent(record):
        raise SERVER_NAME_TAKEN(name=registration.server_name)
    if record is not None and not _may_remove(run, record):
        raise server_record_left(record, registration.site_id, registration.server_name)
    left = _left_applications(run, registration)
    if left and not _may_replace(run, registration, left):
        raise APPLICATION_NAME_TAKEN(display_name=registration.application_name)


def _registration(run: Run) -> Registration:
    # Eight hex digits of a hash distinguish machines of the same name without publishing the machine id.
    machine_id = run.files.read("/etc/machine-id") or run.host_name.encode()
    machine = hashlib.sha256(b"mstunnel-gateway " + machine_id.strip()).hexdigest()[:8]
    return Registration(
        site_id=site.chosen_id(run),
        server_name=run.server_name,
        application_name=f"mstunnel-gateway {run.server_name} {machine}",
        cloud=cloud_of(run.answers),
        authentication=run.answers.authentication,
        deployment_mode=_DEPLOYMENT_MODES[run.answers.deployment, run.answers.mode],
        existing=_existing(run),
        secret=run.answers.identity.credential == "secret",
    )


def _left_applications(run: Run, registration: Registration) -> Sequence[Application]:
    """Return the applications of this name that do not belong to this installation.

    The name contains a hash of the machine id, so they are leftovers of an installation without a journal.
    """
    if registration.existing is not None:
        return ()
    entry = run.receipt.entries.get(_application(registration).key)
    if entry is not None and not entry.outputs:
        # An interrupted run of this installation created the application of this name.
        return ()
    own = entry.outputs.get("application_object_id") if entry else None
    found = run.host.graph.find_applications(registration.application_name)
    return tuple(item for item in found if item.id != own)


def _may_replace(run: Run, registration: Registration, left: Sequence[Application]) -> bool:
    """Ask a person, once in a run, whether to remove these applications; return False if unattended."""
    agreed, ids = run.removable, {item.id for item in left}
    if ids <= agreed or not run.console.interactive:
        return ids <= agreed
    created = ", ".join(
        f"{item.created_date_time:%Y-%m-%d %H:%M} UTC" for item in left if item.created_date_time
    )
    question = text(
        "The tenant already has an application called {application_name}{more}. Replace it "
        "(only if an earlier installation of this server left it)?",
        application_name=registration.application_name,
        more=text(", created {created}", created=created) if created else "",
    )
    if run.console.confirm(question):
        agreed |= ids
    return ids <= agreed


def _left_record(run: Run, registration: Registration) -> TunnelServer | None:
    """Return the record of this name in the site that does not belong to this installation."""
    entry = run.receipt.entries.get(registration.server.key)
    if entry is not None and not entry.outputs:
        # An interrupted run of this installation created the record of this name.
        return None
    own = entry.outputs.get("server_id") if entry else None
    name = registration.server_name.casefold()
    servers = run.host.graph.servers(registration.site_id)
    return next((item for item in servers if item.display_name.casefold() == name and item.id != own), None)


def _may_remove(run: Run, record: TunnelServer) -> bool:
    """Return whether the record is silent and the answers or a person, asked once, allow its removal."""
    agreed = run.removable
    if not is_silent(record) or record.id in agreed:
        return is_silent(record)
    question = text(
        "The site has {found}. Remove this record (only if that server no longer exists)?",
        found=record_left(record),
    )
    wanted = run.answers.existing_record == "replace"
    if wanted or (run.console.interactive and run.console.confirm(question)):
        agreed.add(record.id)
    return record.id in agreed


def _existing(run: Run) -> ExistingIdentity | None:
    """Return the application that the answers name, after testing that it can do the agent's work.

    Raises SignInError, and WaitingError `admin-consent-needed` if it still lacks the permission.
    """
    given = run.answers.identity
    if given.client_id is None:
        return None
    source = CredentialSource(
        certificate=given.certificate or "",
        key=given.key or "",
        pfx=given.pfx or "",
        passphrase=str(given.passphrase) if given.passphrase else None,
    )
    secret = run.secret(given.client_secret)
    credential = ClientSecret(secret) if secret else source.load(run.host)
    tenant_id = run.host.graph.tenant_id()
    graph = sign_in.as_application(run, tenant_id, given.client_id, credential)
    try:
        graph.site(site.chosen_id(run))
    except SignInError as error:
        if error.code != "permission-missing":
            raise
        raise consent_needed(graph, given.client_id, f"the application {given.client_id}") from error
    if isinstance(credential, ClientSecret):
        return ExistingIdentity(given.client_id, tenant_id, source, secret=str(given.client_secret))
    return ExistingIdentity(given.client_id, tenant_id, source, certificate_sha256(credential))


def _refuse_changed(run: Run, application_name: str, credential_path: str) -> None:
    """Raise TenantError if this installation began with another name, machine id or kind of credential."""
    names = {CreateAppIdentity.kind: "display_name", UseAppIdentity.kind: "app_id"}
    classes = (CreateAgentCredential, CreateAgentSecret, PlaceAgentCredential, PlaceAgentSecret)
    credentials = {each.kind for each in classes}
    for entry in run.receipt.entries.values():
        known = entry.versions[-1]
        name = known.get(names.get(str(known["kind"]), ""), application_name)
        if name != application_name and known["kind"] == CreateAppIdentity.kind and _is_registered(run):
            raise TenantError(
                "machine-id-changed",
                "the machine id of this server has changed since it registered: its application in the"
                " tenant is {name}, not {application_name}",
                hint=(
                    "Run `mst-cli reenroll`, which replaces its application and record. If this is a copy of"
                    " a server that still runs, run `mst-cli uninstall --offline` instead, and install it"
                    " with another `server_name`."
                ),
                name=name,
                application_name=application_name,
            )
        if name != application_name:
            raise TenantError(
                "server-renamed",
                "the tenant knows this server as {name}, not as {application_name}",
                hint=(
                    "Set `server_name` to the earlier name, or remove the server with `mst-cli uninstall`"
                    " first."
                ),
                name=name,
                application_name=application_name,
            )
        if known["kind"] in credentials and known["path"] != credential_path:
            raise TenantError(
                "identity-changed",
                "this server signs in with {credential}, but the answer `identity` specifies another kind",
                hint="Restore the earlier `identity`, or remove this server with `mst-cli uninstall` first.",
                credential=known["path"],
            )


def _is_registered(run: Run) -> bool:
    """Return whether this server has a record under its present name."""
    versions = (entry.versions[-1] for entry in run.receipt.entries.values())
    return any(
        known["kind"] == RegisterServer.kind and known["server_name"] == run.server_name for known in versions
    )


def _decide(registration: Registration) -> Sequence[Action]:
    application = _application(registration)
    credential = _credential(registration, application.key)
    # An application is created with its certificate, but a secret can only be added to an existing one.
    made_later = isinstance(credential, CreateAgentSecret)
    server = registration.server
    left = RemoveServerRecord(
        site_id=registration.site_id, server_id=registration.left_record, server_name=registration.server_name
    )
    # Leftover applications are removed before the new one is created, whose name must be free.
    left_applications = [
        RemoveApplication(object_id=object_id, display_name=registration.application_name)
        for object_id in registration.left_applications
    ]
    info = {
        "AgentId": output(application.key, "app_id"),
        "ApplicationObjectId": output(application.key, "application_object_id"),
        "AADTenantId": output(application.key, "tenant_id"),
        "IntuneTenantId": output(application.key, "tenant_id"),
        "RenewalDate": output(credential.key, "not_after"),
        "Authority": registration.cloud.authority,
        "Graph": registration.cloud.graph,
        "Cloud": registration.cloud.name,
        "Authentication": registration.authentication,
    }
    path = registration.credential_path
    name = paths.USUAL_NAMES[path]
    settings = {"SiteId": registration.site_id, "ServerId": output(server.key, "server_id")}
    return (
        *left_applications,
        *((application, credential) if made_later else (credential, application)),
        *((left,) if registration.left_record else ()),
        server,
        WriteJson(path=paths.AGENT_INFO, value=info, mode=0o640),
        WriteJson(path=paths.AGENT_SETTINGS, value=settings, mode=0o640, managed=True),
        # The link has the name that the vendor's documentation gives for the agent's file.
        LinkInPlace(path=name, target=os.path.relpath(path, PurePosixPath(name).parent)),
    )


def _application(registration: Registration) -> Action:
    existing = registration.existing
    if existing is not None:
        return UseAppIdentity(app_id=existing.app_id, tenant_id=existing.tenant_id)
    return CreateAppIdentity(
        display_name=registration.application_name,
        credential_path="" if registration.secret else registration.credential_path,
    )


def _credential(registration: Registration, application: str) -> Action:
    """Return the action that creates the agent's credential; `application` is the key of its application."""
    path, existing = registration.credential_path, registration.existing
    if existing is None and registration.secret:
        return CreateAgentSecret(path=path, application=application, days=CREDENTIAL_DAYS)
    if existing is None:
        return CreateAgentCredential(path=path, common_name=registration.application_name[:64])
    if existing.secret:
        return PlaceAgentSecret(path=path, secret=existing.secret)
    digest = existing.certificate_sha256
    return PlaceAgentCredential(path=path, source=existing.source, certificate_sha256=digest)


STEP = Step("register", text("Registration in the tenant"), _gather, _decide, needs=("sign-in",))
