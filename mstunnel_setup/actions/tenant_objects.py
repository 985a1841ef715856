"""Actions on the tenant: the agent's own application, and the record of this server in its site."""

from typing import Final

from typing_extensions import override

from mstunnel_setup.actions.host import Host
from mstunnel_setup.base.errors import SignInError, TenantError, WaitingError, declare
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.tenant.client_credential import read_credential
from mstunnel_setup.tenant.graph import Graph
from mstunnel_setup.tenant.roles import ACCESS_DENIED
from mstunnel_setup.tenant.wire import (
    CONFIGURATION_READ_WRITE,
    Application,
    DeploymentMode,
    HealthStatus,
    KeyCredential,
    ServicePrincipal,
    TunnelServer,
)
from mstunnel_setup.transaction.action import Action, OneWayAction, Undo, Undone, UndoRecord

SERVER_NAME_TAKEN = declare(
    TenantError,
    "server-name-taken",
    "the site already has a running server called {name}",
    "Set another server_name.",
)
APPLICATION_NAME_TAKEN = declare(
    TenantError,
    "application-name-taken",
    "the tenant already has an application called {display_name}",
    "Delete it in the Entra admin center (App registrations) if an earlier installation left it.",
)
# Entra ID responds from several replicas, which learn of a deletion within seconds.
_REPLICATION_SECONDS: Final = 60.0


class CreateAppIdentity(Action):
    """Create an application for the agent, which signs in with the certificate at `credential_path`.

    Without a path it gets a secret by a separate action (`CreateAgentSecret`). `display_name` is unique for
    this installation, so an application with that name was created by an interrupted run. Results:
    `tenant_id`, `app_id`, `application_object_id`, `service_principal_id`.
    """

    kind = "create-app-identity"
    key_template = "application:{display_name}"
    description = text(
        "create application {display_name} in the tenant and grant it {configuration_read_write}"
    )
    configuration_read_write = CONFIGURATION_READ_WRITE
    display_name: str
    credential_path: str

    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        """Return whether the application still exists and has the certificate.

        A sign-in as that application proves both, and would not permit reading the directory.
        """
        known = outputs.get(self.key, {})
        object_id = known.get("application_object_id")
        if object_id is None:
            return False
        if self.credential_path and host.files.state(self.credential_path) is None:
            return False
        if host.graph.signed_in_as and host.graph.signed_in_as == known.get("app_id"):
            return True
        application = host.graph.application(str(object_id))
        return application is not None and _knows(application, self._key(host))

    def capture(self, host: Host) -> JsonObject:
        """Return nothing, or raise TenantError `application-name-taken` if the name is in use.

        From here on an application of that name is ours. One created earlier may belong to any user: any user
        may create applications, and the owner can add a key and use what is granted to it.
        """
        if host.graph.find_applications(self.display_name):
            raise APPLICATION_NAME_TAKEN(display_name=self.display_name)
        return {}

    def apply(self, host: Host, outputs: Outputs) -> JsonObject:
        """Find or create application, service principal and grant, in this order.

        Raises WaitingError `admin-consent-needed` if only the grant exceeds the account's rights.
        """
        graph, key = host.graph, self._key(host)
        application = self._existing(graph, outputs)
        if application is None:
            application = graph.create_application(self.display_name, key)
        elif key is not None and not _knows(application, key):
            graph.set_credential(application.id, key)
        principal = graph.service_principal(application.app_id)
        principal = principal or graph.create_service_principal(application.app_id)
        _grant(graph, application, principal)
        return {
            "tenant_id": graph.tenant_id(),
            "app_id": application.app_id,
            "application_object_id": application.id,
            "service_principal_id": principal.id,
        }

    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Delete the application and with it service principal and grant."""
        found = self._existing(host.graph, record.outputs)
        removed = found is not None and host.graph.delete_application(found.id)
        return Undone(Undo.REMOVED if removed else Undo.ABSENT)

    def _key(self, host: Host) -> KeyCredential | None:
        if not self.credential_path:
            return None
        credential = read_credential(host.files, self.credential_path, unencrypted=True)
        return credential.key_credential(self.display_name)

    def _existing(self, graph: Graph, outputs: Outputs) -> Application | None:
        """Return the application by the id of an earlier result, or else by its name."""
        object_id = outputs.get(self.key, {}).get("application_object_id")
        known = graph.application(str(object_id)) if object_id else None
        if known is not None:
            return known
        found = graph.find_applications(self.display_name)
        if len(found) > 1:
            raise TenantError(
                "application-ambiguous",
                "the tenant has {count} applications called {display_name}",
                hint="Delete them in the Entra admin center (App registrations), then run the command again.",
                count=len(found),
                display_name=self.display_name,
            )
        return found[0] if found else None


class RemoveApplication(OneWayAction):
    """Remove the application that an earlier installation left, to free its name.

    Entra ID keeps a deleted application for 30 days, so it can be restored there.
    """

    kind = "remove-application"
    key_template = "left-application:{object_id}"
    description = text(
        "remove the application {display_name} that an earlier installation left in the tenant"
    )
    object_id: str
    display_name: str

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        return host.graph.application(self.object_id) is None

    @override
    def apply(self, host: Host, outputs: Outputs) -> None:
        """Delete it, and wait until searches no longer find it: the next action searches for its name."""
        host.graph.delete_application(self.object_id)
        end = host.clock.monotonic() + _REPLICATION_SECONDS
        while host.clock.monotonic() < end and any(
            item.id == self.object_id for item in host.graph.find_applications(self.display_name)
        ):
            host.clock.sleep(2)


class RegisterServer(Action):
    """Register this server in its site. Results: `server_id`."""

    kind = "register-server"
    key_template = "server:{site_id}/{server_name}"
    description = text("register server {server_name} in site {site_id}")
    site_id: str
    server_name: str
    deployment_mode: DeploymentMode

    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        """Return whether the record created earlier still exists."""
        server_id = outputs.get(self.key, {}).get("server_id")
        return server_id is not None and host.graph.server(self.site_id, str(server_id)) is not None

    def capture(self, host: Host) -> JsonObject:
        """Return nothing, or raise TenantError if the name is in use; from here on a record of it is ours."""
        require_free_name(host.graph, self.site_id, self.server_name)
        return {}

    @override
    def apply(self, host: Host, outputs: Outputs) -> JsonObject:
        """Use the record of an interrupted run, or create one. Raises TenantError `site-deleted`."""
        graph = host.graph
        try:
            server = server_named(graph, self.site_id, self.server_name)
            server = server or graph.create_server(self.site_id, self.server_name, self.deployment_mode)
        except TenantError as error:
            if error.code != "not-found":
                raise
            raise site_deleted(self.site_id) from error
        return {"server_id": server.id}

    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Delete the record; a deleted site has taken it along."""
        known = record.outputs.get(self.key, {}).get("server_id")
        try:
            server = None if known else server_named(host.graph, self.site_id, self.server_name)
        except TenantError as error:
            if error.code != "not-found":
                raise
            server = None
        server_id = str(known) if known else server.id if server else None
        removed = server_id is not None and host.graph.delete_server(self.site_id, server_id)
        return Undone(Undo.REMOVED if removed else Undo.ABSENT)


class RemoveServerRecord(OneWayAction):
    """Remove the record that a former server of this name left in the site.

    Graph assigns the id of a record, so it cannot be created again.
    """

    kind = "remove-server-record"
    key_template = "left-record:{server_id}"
    description = text("remove the record that an earlier server {server_name} left in site {site_id}")
    site_id: str
    server_id: str
    server_name: str

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        return host.graph.server(self.site_id, self.server_id) is None

    def capture(self, host: Host) -> JsonObject:
        """Raise TenantError `server-name-taken` if the server has checked in since it was read."""
        found = host.graph.server(self.site_id, self.server_id)
        if found is not None and not is_silent(found):
            raise SERVER_NAME_TAKEN(name=self.server_name)
        return {}

    @override
    def apply(self, host: Host, outputs: Outputs) -> None:
        host.graph.delete_server(self.site_id, self.server_id)


def server_named(graph: Graph, site_id: str, name: str) -> TunnelServer | None:
    """Return the server of a site with this name, ignoring case."""
    wanted = name.casefold()
    return next((item for item in graph.servers(site_id) if item.display_name.casefold() == wanted), None)


def require_free_name(graph: Graph, site_id: str, name: str, *, removable: bool = False) -> None:
    """Raise TenantError if the site has a server of that name.

    `server-name-taken`: it is running; `server-record-left`: it has not checked in recently, so an earlier
    host or installation may have left it; not raised if it is `removable`.
    """
    found = server_named(graph, site_id, name)
    if found is None:
        return
    if not is_silent(found):
        raise SERVER_NAME_TAKEN(name=name)
    if not removable:
        raise server_record_left(found, site_id, name)


def server_record_left(found: TunnelServer, site_id: str, name: str) -> TenantError:
    """Return the error for a record that could be removed, but only with consent."""
    return TenantError(
        "server-record-left",
        "the site has {record}",
        hint=(
            "If that server is gone, run the command again with `existing_record: replace` in the "
            "answers (or MSTUNNEL_EXISTING_RECORD=replace), or after `mst-admin server delete {name} "
            "--site {site_id}`; otherwise set another server_name."
        ),
        record=record_left(found),
        name=name,
        site_id=site_id,
    )


def is_silent(server: TunnelServer) -> bool:
    """Return whether a server has not checked in recently, so that it may be gone.

    A server whose health is unknown may run: the agent cannot report its health to Graph.
    """
    return server.last_checkin_date_time is None or server.tunnel_server_health_status is HealthStatus.OFFLINE


def record_left(server: TunnelServer) -> str:
    """Return a description of a record: the server, and its last check-in."""
    seen = server.last_checkin_date_time
    when = f"{seen:%Y-%m-%d %H:%M} UTC" if seen else "never"
    return text(
        "the record of a server called {display_name}, last check-in: {when}",
        display_name=plain(server.display_name),
        when=when,
    )


def site_deleted(site: str) -> TenantError:
    """Return the error for a deleted site that this server joined, or was about to join."""
    return TenantError(
        "site-deleted",
        "the site {site} is no longer in the tenant",
        hint="Create it again, or move this server to another site with `mst-cli site change ID_OR_NAME`.",
        site=site,
    )


def _knows(application: Application, key: KeyCredential | None) -> bool:
    """Return whether the application has the certificate, or `key` is None.

    The identifier that we set is compared; if a service returns no identifiers, any certificate counts.
    """
    if key is None:
        return True
    wanted = key.custom_key_identifier
    known = [item.custom_key_identifier for item in application.key_credentials]
    return bool(known) and (wanted in known or not any(known))


def _grant(graph: Graph, application: Application, principal: ServicePrincipal) -> None:
    """Let the application manage Intune device configuration, unless it already may."""
    resource = graph.graph_principal()
    app_role_id = resource.app_role_id(CONFIGURATION_READ_WRITE)
    if app_role_id is None:
        raise TenantError(
            "app-role-missing",
            "Graph in this tenant does not offer the permission {permission}",
            hint="Check that Intune is licensed in this tenant and that tenant.cloud is correct.",
            permission=CONFIGURATION_READ_WRITE,
        )
    if any(granted.app_role_id == app_role_id for granted in graph.grants(principal.id)):
        return
    try:
        graph.grant(principal.id, resource.id, app_role_id)
    except SignInError as error:
        if error.code not in ACCESS_DENIED:
            raise
        graph.declare_app_role(application.id, app_role_id)
        raise consent_needed(
            graph, application.app_id, f"the application {application.display_name}"
        ) from error


def consent_needed(graph: Graph, app_id: str, application: str) -> WaitingError:
    """Return the error for an application without permission, with the page on which to grant it."""
    address = graph.cloud.consent_address(graph.tenant_id(), app_id)
    return WaitingError(
        "admin-consent-needed",
        "{application} does not have the permission {permission} yet",
        hint=(
            "Let a Privileged Role Administrator open {address} and accept, then run the same command again."
        ),
        application=application,
        permission=CONFIGURATION_READ_WRITE,
        address=address,
    )
