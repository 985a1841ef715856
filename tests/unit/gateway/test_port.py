"""The port in `ocserv.conf`: found, and replaced, with nothing else touched."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mstunnel_setup.base.errors import StepError
from mstunnel_setup.gateway.configuration import ServerConfiguration
from mstunnel_setup.gateway.ocserv_conf import ocserv_conf, port_in_use, served_port, with_port
from mstunnel_setup.io.files import Files
from tests.refusals import refused

PORTS = st.integers(1, 65535)


def conf(port: int, *, tcp_only: bool) -> bytes:
    wire = {"network": "10.0.0.0/8", "listenPort": port, "disableUdpConnections": tcp_only}
    return ocserv_conf(ServerConfiguration.from_wire(wire)).encode()


@given(before=PORTS, after=PORTS, tcp_only=st.booleans())
def test_another_port_gives_the_file_that_would_have_been_made_for_it(
    before: int, after: int, *, tcp_only: bool
) -> None:
    assert served_port(conf(before, tcp_only=tcp_only)) == before
    assert with_port(conf(before, tcp_only=tcp_only), after) == conf(after, tcp_only=tcp_only)


def test_a_host_without_the_file_is_reported(tmp_path: Path) -> None:
    with refused(StepError, "settings-unreadable"):
        port_in_use(Files(tmp_path))
