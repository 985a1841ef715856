"""The Graph client: requests of the installer, the agent and the administrator's tools to a tenant.

Paths and permissions are those of Microsoft Graph beta (Intune, `microsoftTunnel…`). Methods that look for
one object by id return None if it does not exist; all others raise TenantError, SignInError or NetworkError
(see `transport`).
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, TypeAlias, TypeVar

from pydantic import ValidationError

from mstunnel_setup.base.errors import TenantError, declare
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.http_port import HttpPort
from mstunnel_setup.tenant.clouds import Cloud
from mstunnel_setup.tenant.token_sources import TokenSource, claims
from mstunnel_setup.tenant.transport import ANSWER_UNEXPECTED, GraphTransport, equals, query
from mstunnel_setup.tenant.wire import (
    APP_ROLE_ASSIGNMENT_READ_WRITE,
    APPLICATION_READ_WRITE,
    CONFIGURATION_READ,
    CONFIGURATION_READ_WRITE,
    GRAPH_APP_ID,
    INTUNE_PLAN_1,
    USER_READ,
    Application,
    AppRoleAssignment,
    DeploymentMode,
    HealthThreshold,
    KeyCredential,
    LicenseDetails,
    Organization,
    PasswordCredential,
    ServicePrincipal,
    TunnelConfiguration,
    TunnelServer,
    TunnelSite,
    WireModel,
)

ID_MALFORMED = declare(TenantError, "id-malformed", "{text} is not the id of a Graph object", "Give a GUID.")
_GUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
LARGEST_PAGE: Final = "999"
"""The largest page size that a client may request; a server that returns less links to the next page."""

_REPLICATION_SECONDS: Final = 40.0
_REPLICATION_PAUSE: Final = 4.0

_METRIC: Final = re.compile(r"[A-Za-z0-9_-]+")
_SERVERS: Final = "/microsoftTunnelServers"

Body: TypeAlias = Mapping[str, object]
Model = TypeVar("Model", bound=WireModel)
Model_co = TypeVar("Model_co", bound=WireModel, covariant=True)
Result = TypeVar("Result")


def is_guid(text: str) -> bool:
    """Return whether this may be the id of a Graph object."""
    return bool(_GUID.fullmatch(text))


def guid(text: str) -> str:
    """Return `text` if it is a GUID: nothing else may become part of a path."""
    if not is_guid(text):
        raise ID_MALFORMED(text=plain(text, 80))
    return text


def _metric(name: str) -> str:
    """Return `name` if it can be part of a path: metrics are identified by name."""
    if not _METRIC.fullmatch(name):
        raise TenantError(
            "metric-malformed",
            "{name!r} is not the name of a metric",
            hint="Use letters and digits.",
            name=name[:80],
        )
    return name


@dataclass(frozen=True)
class GraphCollection(Generic[Model_co]):
    """One collection of Graph, and the permissions that its requests need.

    `identified` validates an id: nothing else may become part of a path. `expand` is included in lists of its
    objects; `assignments` is the property of the action `assign`.
    """

    path: str
    model: type[Model_co]
    identified: Callable[[str], str] = guid
    expand: str = ""
    assignments: str = "assignments"
    read: str = CONFIGURATION_READ
    write: str = CONFIGURATION_READ_WRITE

    def below(self, identifier: str, more: str = "") -> str:
        """Return the path of an object, or of a resource below it. Raises TenantError for a bad id."""
        return f"{self.path}/{self.identified(identifier)}{more}"


SITES: Final = GraphCollection(
    "/deviceManagement/microsoftTunnelSites", TunnelSite, expand="microsoftTunnelConfiguration"
)
THRESHOLDS: Final = GraphCollection(
    "/deviceManagement/microsoftTunnelHealthThresholds", HealthThreshold, _metric
)
APPLICATIONS: Final = GraphCollection(
    "/applications", Application, read=APPLICATION_READ_WRITE, write=APPLICATION_READ_WRITE
)
PRINCIPALS: Final = GraphCollection(
    "/servicePrincipals", ServicePrincipal, read=APPLICATION_READ_WRITE, write=APPLICATION_READ_WRITE
)


class Graph:
    """Microsoft Graph of one tenant, on behalf of a token's owner.

    `signed_in_as` is the client id of the application that signed in as itself, empty for a person.
    """

    def __init__(
        self, http: HttpPort, cloud: Cloud, token: TokenSource, clock: Clock, signed_in_as: str = ""
    ) -> None:
        self.cloud = cloud
        self.signed_in_as = signed_in_as
        self._transport = GraphTransport(http, f"{cloud.graph}/beta", token)
        self._token = token
        self._clock = clock

    @property
    def for_person(self) -> bool:
        """True if the token is a person's: it lists delegated permissions (`scp`)."""
        return "scp" in claims(self._token())

    def licences(self) -> list[LicenseDetails]:
        """Return the licences of the person who signed in."""
        return self._list(LicenseDetails, "/me/licenseDetails", USER_READ)

    def tenant_id(self) -> str:
        """Return the tenant's id, from the token if it contains one, otherwise from Graph."""
        named = claims(self._token()).get("tid")
        if isinstance(named, str) and is_guid(named):
            return named
        return self._list(Organization, "/organization", "Organization.Read.All")[0].id

    def objects(
        self, of: GraphCollection[Model], name: str | None = None, properties: Sequence[str] = ()
    ) -> list[Model]:
        """Return all objects of a collection, or those called `name`; names are not unique.

        With `properties` (wire names) only these are fetched, and nothing expanded: for long lists.
        """
        options = {"select": ",".join(properties), "expand": "" if properties else of.expand}
        options["filter"] = "" if name is None else equals("displayName", name)
        given = {option: value for option, value in options.items() if value}
        return self._list(of.model, of.path + query(**given, top=LARGEST_PAGE), of.read)

    def find(self, of: GraphCollection[Model], identifier: str) -> Model | None:
        """Return the object with this id."""
        return self._find(of.model, of.below(identifier), of.read)

    def create(self, of: GraphCollection[Model], body: Body) -> Model:
        """Create an object and return it with its id; `@odata.type` selects one of several types."""
        return self._create(of.model, of.path, body, of.write)

    def update(self, of: GraphCollection[Model], identifier: str, changes: Body) -> None:
        """Change the properties in `changes`, with the `@odata.type` for a collection of several types."""
        self._transport.send("PATCH", of.below(identifier), changes, needs=of.write)

    def delete(self, of: GraphCollection[Model], identifier: str) -> bool:
        """Delete an object; False if there was none. An object in use raises TenantError `conflict`."""
        return self._unless_missing("DELETE", of.below(identifier), of.write) is not None

    def sites(self) -> list[TunnelSite]:
        """Return all sites, each with its server configuration."""
        return self.objects(SITES)

    def site(self, site_id: str) -> TunnelSite | None:
        """Return one site with its server configuration."""
        return self._find(TunnelSite, SITES.below(site_id, query(expand=SITES.expand)), SITES.read)

    def configuration_of(self, site_id: str) -> TunnelConfiguration | None:
        """Return the server configuration of a site."""
        return self._find(TunnelConfiguration, SITES.below(site_id, f"/{SITES.expand}"), SITES.read)

    def thresholds(self) -> list[HealthThreshold]:
        """Return the health thresholds of the tenant."""
        return self._list(HealthThreshold, THRESHOLDS.path, THRESHOLDS.read)

    def servers(self, site_id: str) -> list[TunnelServer]:
        """Return the servers of a site."""
        path = SITES.below(site_id, _SERVERS + query(top=LARGEST_PAGE))
        return self._list(TunnelServer, path, SITES.read)

    def server(self, site_id: str, server_id: str) -> TunnelServer | None:
        """Return one server of a site."""
        return self._find(TunnelServer, server_path(site_id, server_id), CONFIGURATION_READ)

    def create_server(self, site_id: str, name: str, deployment_mode: DeploymentMode) -> TunnelServer:
        """Register a server."""
        body = TunnelServer(display_name=name, deployment_mode=deployment_mode).to_wire()
        return self._create(TunnelServer, SITES.below(site_id, _SERVERS), body, SITES.write)

    def update_server(self, site_id: str, server_id: str, changes: TunnelServer) -> None:
        """Change the properties in `changes`; for the agent's application this is also a check-in."""
        self._transport.send(
            "PATCH", server_path(site_id, server_id), changes.to_wire(), needs=CONFIGURATION_READ_WRITE
        )

    def delete_server(self, site_id: str, server_id: str) -> bool:
        """Delete the record of a server; False if there was none."""
        return self._unless_missing("DELETE", server_path(site_id, server_id), SITES.write) is not None

    def find_applications(self, display_name: str) -> list[Application]:
        """Return the applications with this name; names are not unique."""
        return self.objects(APPLICATIONS, display_name)

    def application(self, object_id: str) -> Application | None:
        """Return the application with this object id."""
        return self.find(APPLICATIONS, object_id)

    def create_application(self, display_name: str, credential: KeyCredential | None) -> Application:
        """Create an application of this tenant only, which signs in with this certificate, if any."""
        body = Application(
            display_name=display_name,
            sign_in_audience="AzureADMyOrg",
            key_credentials=(credential,) if credential else (),
        )
        return self.create(APPLICATIONS, body.to_wire())

    def require_changeable(self, application: Application) -> None:
        """Raise SignInError if this sign-in may not change, and so not delete, an application.

        It writes the application's present name.
        """
        self.update(APPLICATIONS, application.id, {"displayName": application.display_name})

    def set_credential(self, object_id: str, credential: KeyCredential) -> None:
        """Make `credential` the only certificate of an application."""
        self.update(APPLICATIONS, object_id, Application(key_credentials=(credential,)).to_wire())

    def declare_app_role(self, object_id: str, app_role_id: str) -> None:
        """Add an app role of Graph to those that an administrator's consent would grant."""
        access = {"resourceAppId": GRAPH_APP_ID, "resourceAccess": [{"id": app_role_id, "type": "Role"}]}
        self.update(APPLICATIONS, object_id, {"requiredResourceAccess": [access]})

    def add_key(self, object_id: str, credential: KeyCredential, proof: str) -> None:
        """Add a certificate to the application; with a `proof` by its present key it may do so itself."""
        body = {"keyCredential": credential.to_wire(), "passwordCredential": None, "proof": proof}
        self._transport.send("POST", APPLICATIONS.below(object_id, "/addKey"), body)

    def add_password(self, object_id: str, name: str, end: datetime) -> PasswordCredential:
        """Create a secret for a possibly new application; only this response contains its text."""
        path = APPLICATIONS.below(object_id, "/addPassword")
        body = {"passwordCredential": PasswordCredential(display_name=name, end_date_time=end).to_wire()}
        return self._once_replicated(
            lambda: self._create(PasswordCredential, path, body, APPLICATION_READ_WRITE)
        )

    def remove_password(self, object_id: str, key_id: str) -> None:
        """Revoke a secret of an application."""
        path = APPLICATIONS.below(object_id, "/removePassword")
        self._transport.send("POST", path, {"keyId": guid(key_id)}, needs=APPLICATION_READ_WRITE)

    def delete_application(self, object_id: str) -> bool:
        """Delete an application and with it its service principal; False if there was none."""
        return self.delete(APPLICATIONS, object_id)

    def service_principal(self, app_id: str) -> ServicePrincipal | None:
        """Return the service principal of the application with this client id."""
        path = PRINCIPALS.path + query(filter=equals("appId", guid(app_id)))
        return next(iter(self._list(ServicePrincipal, path, APPLICATION_READ_WRITE)), None)

    def create_service_principal(self, app_id: str) -> ServicePrincipal:
        """Create the service principal of an application that may have just been created."""
        body = ServicePrincipal(app_id=guid(app_id)).to_wire()
        return self._once_replicated(lambda: self.create(PRINCIPALS, body))

    def graph_principal(self) -> ServicePrincipal:
        """Return Microsoft Graph's own service principal, which lists the app roles it offers."""
        found = self.service_principal(GRAPH_APP_ID)
        if found is None:
            raise TenantError(
                "graph-principal-missing",
                "the tenant has no service principal of Microsoft Graph",
                hint="Check tenant.id and tenant.cloud: every tenant with Intune has one.",
            )
        return found

    def grants(self, principal_id: str) -> list[AppRoleAssignment]:
        """Return the app roles granted to a service principal (its object id)."""
        path = PRINCIPALS.below(principal_id, "/appRoleAssignments")
        return self._list(AppRoleAssignment, path, PRINCIPALS.read)

    def grant(self, principal_id: str, resource_id: str, app_role_id: str) -> AppRoleAssignment:
        """Grant an app role of the service principal `resource_id` to another, possibly new one."""
        body = AppRoleAssignment(
            principal_id=guid(principal_id), resource_id=guid(resource_id), app_role_id=guid(app_role_id)
        ).to_wire()
        path = PRINCIPALS.below(principal_id, "/appRoleAssignments")
        return self._once_replicated(
            lambda: self._create(AppRoleAssignment, path, body, APP_ROLE_ASSIGNMENT_READ_WRITE)
        )

    def _list(self, model: type[Model], path: str, needs: str) -> list[Model]:
        return [read_entity(model, document) for document in self._transport.pages(path, needs=needs)]

    def _find(self, model: type[Model], path: str, needs: str) -> Model | None:
        document = self._unless_missing("GET", path, needs)
        return None if document is None else read_entity(model, document)

    def _create(self, model: type[Model], path: str, body: Mapping[str, object], needs: str) -> Model:
        return read_entity(model, self._transport.send("POST", path, body, needs=needs))

    def _unless_missing(self, method: str, path: str, needs: str) -> JsonObject | None:
        """Return the response about one object; None if the object does not exist."""
        try:
            return self._transport.send(method, path, needs=needs)
        except TenantError as error:
            if error.code != "not-found":
                raise
            return None

    def _once_replicated(self, call: Callable[[], Result]) -> Result:
        """Repeat the call until Entra has replicated an object that was just created."""
        end = self._clock.monotonic() + _REPLICATION_SECONDS
        while True:
            try:
                return call()
            except TenantError as error:
                unknown = error.code in {"not-found", "request-refused"}
                if not unknown or self._clock.monotonic() + _REPLICATION_PAUSE > end:
                    raise
            self._clock.sleep(_REPLICATION_PAUSE)


def server_path(site_id: str, server_id: str) -> str:
    """Return the path of one server."""
    return SITES.below(site_id, f"{_SERVERS}/{guid(server_id)}")


def read_entity(model: type[Model], document: Mapping[str, object]) -> Model:
    """Read one entity of a response. Raises TenantError `answer-unexpected`."""
    try:
        return model.from_wire(document)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        found = text("a {kind} that cannot be read (at {place})", kind=model.__name__, place=plain(place, 80))
        raise ANSWER_UNEXPECTED(found=found) from error


def has_intune(licences: Iterable[LicenseDetails]) -> bool | None:
    """Return True with Intune Plan 1, False without any plan of Intune.

    None with other plans of Intune only, such as INTUNE_EDU: no source says which of them are sufficient.
    """
    plans = [plan for licence in licences for plan in licence.service_plans]
    ours = [
        plan
        for plan in plans
        if plan.provisioning_status != "Disabled"
        and (plan.service_plan_id == INTUNE_PLAN_1 or plan.service_plan_name.upper().startswith("INTUNE"))
    ]
    if any(plan.service_plan_id == INTUNE_PLAN_1 or plan.service_plan_name == "INTUNE_A" for plan in ours):
        return True
    return None if ours else False
