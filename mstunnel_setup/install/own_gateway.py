"""This host's own gateway, as a connection finds it."""

from mstunnel_setup.gateway.ocserv_conf import expects_proxy_protocol
from mstunnel_setup.host.files import Files
from mstunnel_setup.host.network import served_leaf
from mstunnel_setup.system.uplink import gateway_address


def leaf_in_service(files: Files, port: int) -> bytes:
    """The leaf certificate (DER) that the gateway presents on `port`. Raises NetworkError."""
    return served_leaf(gateway_address(files, port), port, proxy_protocol=expects_proxy_protocol(files))
