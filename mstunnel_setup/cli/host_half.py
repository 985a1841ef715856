"""`mstunnel-setup host`: the half of root, for an account that goes on by itself."""

from dataclasses import replace

from mstunnel_setup import paths
from mstunnel_setup.cli.install import installed, run_half
from mstunnel_setup.cli.options import InstallOptions
from mstunnel_setup.cli.removal import forget_program
from mstunnel_setup.cli.removal_halves import remove_host_half
from mstunnel_setup.cli.render import Result, Session
from mstunnel_setup.cli.rootless import half_to_install
from mstunnel_setup.errors import CheckError
from mstunnel_setup.host.files import Files
from mstunnel_setup.steps.half import Half


def host(session: Session, options: InstallOptions, port: int, *, remove: bool) -> Result:
    """Do root's half for a gateway on `port`, or take it back. Raises CheckError without root."""
    if paths.ROOTLESS:
        raise CheckError("not-root", "this needs the rights of root", "Run it with sudo.")
    options = replace(options, rootless=True)
    half_to_install(session, options.settings())
    if remove:
        result = remove_host_half(session)
        forget_program(Files(session.common.root))
        return result
    data, _ = run_half(session, options, Half.HOST, port)
    return installed(data)
