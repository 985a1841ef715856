"""The port that the tenant wants the gateway to move to."""

import hashlib

from mstunnel_setup.base import paths
from mstunnel_setup.exchange.gateway_report import Applied, read_report
from mstunnel_setup.gateway.ocserv_conf import served_port
from mstunnel_setup.gateway.rendering import listen_port
from mstunnel_setup.io.files import Files


def wanted_port(files: Files) -> int | None:
    """The port to move to; None when it is in use already, or the gateway has not taken what stands there.

    A configuration that is refused is put back by the agent first. Raises StepError `settings-unreadable`.
    """
    configuration, report = files.read(paths.OCSERV_CONF), read_report(files)
    if configuration is None or report is None:
        return None
    if report.configuration != Applied(hashlib.sha256(configuration).hexdigest()):
        return None
    wanted = listen_port(files)
    return None if wanted == served_port(configuration) else wanted
