"""This host's own gateway, as a connection finds it."""

from mstunnel_setup.actions.uplink import gateway_address
from mstunnel_setup.base import paths
from mstunnel_setup.gateway.ocserv_conf import served_proxy_protocol
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.network import served_leaf


def leaf_in_service(files: Files, port: int) -> bytes:
    """The leaf certificate (DER) that the gateway presents on `port`. Raises NetworkError."""
    configuration = files.read(paths.OCSERV_CONF) or b""
    address = gateway_address(files, port)
    return served_leaf(address, port, proxy_protocol=served_proxy_protocol(configuration))
