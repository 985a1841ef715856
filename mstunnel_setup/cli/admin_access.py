"""`mst-admin conditional-access`: the application that Conditional Access policies name."""

from typing import TYPE_CHECKING

from mstunnel_setup.cli.options import CommonOptions, SignInOptions, new_group, with_options
from mstunnel_setup.cli.render import run_command
from mstunnel_setup.operator import Operator
from mstunnel_setup.result import Result

if TYPE_CHECKING:
    from mstunnel_setup.tenant.graph_admin import AdminGraph

_PROGRAM = "mst-admin conditional-access"
access_app = new_group("The cloud app Microsoft Tunnel Gateway, which Conditional Access policies name.")


@access_app.command()
@with_options
def status(common: CommonOptions, sign_in: SignInOptions) -> None:
    """Say whether the tenant has the cloud app, so that policies can name it."""
    run_command(f"{_PROGRAM} status", common, lambda operator: _status(operator, sign_in))


@access_app.command()
@with_options
def provision(common: CommonOptions, sign_in: SignInOptions) -> None:
    """Add the cloud app to the tenant, unless it is there."""
    run_command(f"{_PROGRAM} provision", common, lambda operator: _provision(operator, sign_in))


def _status(operator: Operator, sign_in: SignInOptions) -> Result:
    from mstunnel_setup.tenant.wire import GATEWAY_APP_ID  # noqa: PLC0415 (`--help` stays fast)

    found = _open(operator, sign_in).service_principal(GATEWAY_APP_ID)
    if found is None:
        text = [
            "The tenant does not have the cloud app Microsoft Tunnel Gateway.",
            "Policies cannot name it. Add it with `mst-admin conditional-access provision`.",
        ]
        return Result(data={"provisioned": False, "app_id": GATEWAY_APP_ID}, text=text)
    data = {"provisioned": True, "app_id": GATEWAY_APP_ID, "id": found.id, "name": found.display_name}
    return Result(data=data, text=[f"{found.display_name} is there (object id {found.id})."])


def _provision(operator: Operator, sign_in: SignInOptions) -> Result:
    from mstunnel_setup.tenant.wire import GATEWAY_APP_ID  # noqa: PLC0415 (`--help` stays fast)

    graph = _open(operator, sign_in)
    found = graph.service_principal(GATEWAY_APP_ID)
    created = found or graph.create_service_principal(GATEWAY_APP_ID)
    data = {"provisioned": True, "app_id": GATEWAY_APP_ID, "id": created.id, "name": created.display_name}
    words = "is there already" if found else "was added; policies can name it in a few minutes"
    text = [f"{created.display_name} {words} (object id {created.id})."]
    return Result("unchanged" if found else "changed", data, text=text)


def _open(operator: Operator, sign_in: SignInOptions) -> "AdminGraph":
    from mstunnel_setup.cli.admin_tenant import open_tenant  # noqa: PLC0415 (`--help` stays fast)
    from mstunnel_setup.tenant.wire import APPLICATION_READ_WRITE  # noqa: PLC0415

    return open_tenant(operator, sign_in, (APPLICATION_READ_WRITE,))
