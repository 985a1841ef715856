"""Proof that a gateway serves: the right certificate on its port, and both containers healthy."""

from collections.abc import Callable

from cryptography.hazmat.primitives.serialization import Encoding

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import NetworkError, SetupError
from mstunnel_setup.base.text import text
from mstunnel_setup.certificates import generations
from mstunnel_setup.containers.checked_state import CONTAINER_UNHEALTHY, checked_state
from mstunnel_setup.containers.gateway_host import GatewayHost
from mstunnel_setup.containers.uplink_address import gateway_address
from mstunnel_setup.gateway.ocserv_conf import served_proxy_protocol
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.network import served_leaf

_PATIENCE = 180.0
_PAUSE = 1.0


def serves(host: GatewayHost, port: int, patience: float = _PATIENCE, pause: float = _PAUSE) -> None:
    """Wait until the gateway serves the installed leaf on `port`, testing every `pause` seconds.

    Raises NetworkError after `patience` seconds, CertificateError if no usable certificate is installed.
    """
    leaf = generations.read(host.files, paths.ACTIVE).leaf.public_bytes(Encoding.DER)

    def check() -> None:
        if leaf_in_service(host.files, port) != leaf:
            raise NetworkError(
                "wrong-leaf-served",
                "port {port} serves a certificate other than the installed one",
                hint="Check for another program on this port, then run `mst-cli server restart`.",
                port=port,
            )

    within_patience(host.clock, check, patience, pause)


def healthy(host: GatewayHost, patience: float = _PATIENCE) -> None:
    """Wait until both containers are healthy. Raises EngineError after `patience` seconds."""

    def check() -> None:
        for name in (paths.SERVER, paths.AGENT):
            state = checked_state(host, name)
            # The engine keeps the health of a container that has exited, so its state is tested, too.
            if state is not None and state.status == "running" and state.health == "healthy":
                continue
            found = "missing"
            if state is not None:
                reported = state.health or text("no health reported")
                found = text("{status}, {reported}", status=state.status, reported=reported)
            raise CONTAINER_UNHEALTHY(container=name, state=found, component=name.removeprefix("mstunnel-"))

    within_patience(host.clock, check, patience)


def within_patience(
    clock: Clock, check: Callable[[], None], patience: float = _PATIENCE, pause: float = _PAUSE
) -> None:
    """Repeat a check every `pause` seconds until it passes; raise its error after `patience` seconds."""
    end = clock.monotonic() + patience
    while True:
        try:
            check()
        except SetupError:
            if clock.monotonic() > end:
                raise
            clock.sleep(pause)
        else:
            return


def leaf_in_service(files: Files, port: int) -> bytes:
    """Return the leaf certificate (DER) that the gateway presents on `port`. Raises NetworkError."""
    configuration = files.read(paths.OCSERV_CONF) or b""
    address = gateway_address(files, port)
    return served_leaf(address, port, proxy_protocol=served_proxy_protocol(configuration))
