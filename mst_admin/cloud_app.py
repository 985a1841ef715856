"""`mst-admin conditional-access status` and `provision`: the cloud app Microsoft Tunnel Gateway."""

from pydantic import Field

from mst_admin.session import open_tenant
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.text import text
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.tenant.wire import APPLICATION_READ_WRITE, GATEWAY_APP_ID, ServicePrincipal


class CloudAppStatus(Report):
    """The state of the cloud app."""

    provisioned: bool
    app_id: str = Field(description="Application (client) id.")
    id: str = Field(default="", description="Object id of the service principal.")
    name: str = ""


class CloudApp(CloudAppStatus):
    """The cloud app."""

    id: str = Field(description="Object id of the service principal.")
    name: str = Field(description="Its name.")


def status(operator: Operator, settings: Settings) -> Result[CloudAppStatus]:
    """Return whether the tenant has the cloud app."""
    found = open_tenant(operator, settings, (APPLICATION_READ_WRITE,)).service_principal(GATEWAY_APP_ID)
    if found is None:
        lines = [
            text("The tenant does not have the cloud app Microsoft Tunnel Gateway."),
            text("Policies cannot name it. Add it with `mst-admin conditional-access provision`."),
        ]
        return Result(report=CloudAppStatus(provisioned=False, app_id=GATEWAY_APP_ID), text=lines)
    app = _cloud_app(found)
    return Result(report=app, text=[text("{name} exists (object id {id}).", name=app.name, id=app.id)])


def provision(operator: Operator, settings: Settings) -> Result[CloudApp]:
    """Add the cloud app if it is missing."""
    graph = open_tenant(operator, settings, (APPLICATION_READ_WRITE,))
    found = graph.service_principal(GATEWAY_APP_ID)
    app = _cloud_app(found or graph.create_service_principal(GATEWAY_APP_ID))
    line = text(
        "{name} was added; policies can name it in a few minutes (object id {id}).", name=app.name, id=app.id
    )
    if found:
        line = text("{name} already exists (object id {id}).", name=app.name, id=app.id)
    return Result("unchanged" if found else "changed", app, text=[line])


def _cloud_app(found: ServicePrincipal) -> CloudApp:
    return CloudApp(provisioned=True, app_id=GATEWAY_APP_ID, id=found.id, name=found.display_name)
