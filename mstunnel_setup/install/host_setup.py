"""`mstunnel-setup host`: the half of root, for an account that goes on by itself."""

from dataclasses import replace

from mstunnel_setup import paths
from mstunnel_setup.errors import CheckError
from mstunnel_setup.host.files import Files
from mstunnel_setup.install.install import installed, run_half
from mstunnel_setup.install.request import InstallRequest
from mstunnel_setup.install.rootless import half_to_install
from mstunnel_setup.install.scope import Half
from mstunnel_setup.install.uninstall import forget_program
from mstunnel_setup.install.uninstall_rootless import remove_host_half
from mstunnel_setup.operator import Operator
from mstunnel_setup.result import Result


def host(operator: Operator, request: InstallRequest, port: int, *, remove: bool) -> Result:
    """Do root's half for a gateway on `port`, or take it back. Raises CheckError without root."""
    if paths.ROOTLESS:
        raise CheckError("not-root", "this needs the rights of root", "Run it with sudo.")
    request = replace(request, settings={**request.settings, "mode": "rootless"})
    half_to_install(operator, request.settings)
    if remove:
        result = remove_host_half(operator)
        forget_program(Files(operator.root))
        return result
    data, _ = run_half(operator, request, Half.HOST, port)
    return installed(data)
