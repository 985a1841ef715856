"""`mstunnel-setup host`: the half of root, for an account that goes on by itself."""

from dataclasses import replace

from mstunnel_setup import paths
from mstunnel_setup.errors import NOT_ROOT
from mstunnel_setup.host.files import Files
from mstunnel_setup.install.install import installed, run_scope
from mstunnel_setup.install.request import InstallRequest
from mstunnel_setup.install.rootless import scope_to_install
from mstunnel_setup.install.scope import Scope
from mstunnel_setup.install.uninstall import forget_program
from mstunnel_setup.install.uninstall_rootless import remove_host_setup
from mstunnel_setup.operator import Operator
from mstunnel_setup.result import Result


def host(operator: Operator, request: InstallRequest, port: int, *, remove: bool) -> Result:
    """Do root's half for a gateway on `port`, or take it back. Raises CheckError without root."""
    if paths.ROOTLESS:
        raise NOT_ROOT(what="this command")
    request = replace(request, settings={**request.settings, "mode": "rootless"})
    scope_to_install(operator, request.settings)
    if remove:
        result = remove_host_setup(operator)
        forget_program(Files(operator.root))
        return result
    data, _ = run_scope(operator, request, Scope.HOST, port)
    return installed(data)
