"""The cloud app Microsoft Tunnel Gateway, which Conditional Access policies name."""

from mst_admin.session import open_tenant
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import text
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.tenant.graph_admin import AdminGraph
from mstunnel_setup.tenant.wire import APPLICATION_READ_WRITE, GATEWAY_APP_ID


def status(operator: Operator, settings: Settings) -> Result:
    """Whether the tenant has the cloud app."""
    found = _open(operator, settings).service_principal(GATEWAY_APP_ID)
    if found is None:
        lines = [
            text("The tenant does not have the cloud app Microsoft Tunnel Gateway."),
            text("Policies cannot name it. Add it with `mst-admin conditional-access provision`."),
        ]
        return Result(data={"provisioned": False, "app_id": GATEWAY_APP_ID}, text=lines)
    data = {"provisioned": True, "app_id": GATEWAY_APP_ID, "id": found.id, "name": found.display_name}
    return Result(
        data=data,
        text=[
            text("{display_name} is there (object id {id}).", display_name=found.display_name, id=found.id)
        ],
    )


def provision(operator: Operator, settings: Settings) -> Result:
    """Add the cloud app unless it is there."""
    graph = _open(operator, settings)
    found = graph.service_principal(GATEWAY_APP_ID)
    created = found or graph.create_service_principal(GATEWAY_APP_ID)
    data = {"provisioned": True, "app_id": GATEWAY_APP_ID, "id": created.id, "name": created.display_name}
    words = "is there already" if found else "was added; policies can name it in a few minutes"
    lines = [
        text(
            "{display_name} {words} (object id {id}).",
            display_name=created.display_name,
            words=words,
            id=created.id,
        )
    ]
    return Result("unchanged" if found else "changed", data, text=lines)


def _open(operator: Operator, settings: Settings) -> AdminGraph:
    return open_tenant(operator, settings, (APPLICATION_READ_WRITE,))
