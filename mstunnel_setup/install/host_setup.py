"""`mstunnel-setup host`: the host part of a rootless installation; the account then does its own."""

from dataclasses import replace

from mstunnel_setup import paths
from mstunnel_setup.errors import NOT_ROOT
from mstunnel_setup.install.install import installed, run_scope
from mstunnel_setup.install.lab_tenant import with_lab
from mstunnel_setup.install.request import InstallRequest
from mstunnel_setup.install.rootless import scope_to_install
from mstunnel_setup.install.scope import Scope
from mstunnel_setup.install.uninstall import forget_program, remove_host_setup
from mstunnel_setup.operator import Operator
from mstunnel_setup.result import Result


def host(operator: Operator, request: InstallRequest, port: int, *, remove: bool) -> Result:
    """Do the host part for a gateway on `port`, or undo it. Raises CheckError without root."""
    if paths.ROOTLESS:
        raise NOT_ROOT(what="this command")
    request = with_lab(request)
    request = replace(request, settings={**request.settings, "mode": "rootless"})
    scope_to_install(operator, request.settings)
    if remove:
        result = remove_host_setup(operator)
        forget_program(operator.files)
        return result
    outcome = run_scope(operator, request, Scope.HOST, port)
    return installed(
        outcome.data, "The host part is done. Continue as the account: `mstunnel-setup --rootless`."
    )
