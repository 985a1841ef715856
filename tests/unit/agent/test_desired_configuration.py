import pytest

from mstunnel_setup import paths
from mstunnel_setup.agent.desired_configuration import Wanted, decide, open_port, wanted
from mstunnel_setup.errors import TenantError
from mstunnel_setup.gateway.ocserv_conf import GatewayOptions


def wish(**properties: object) -> Wanted:
    return wanted({"network": "10.0.0.0/8", **properties}, GatewayOptions())


def as_present(state: Wanted) -> dict[str, bytes | None]:
    return {file.path: file.content for file in state.files}


def test_on_a_new_gateway_everything_is_written_and_the_gateways_file_last() -> None:
    changes = decide({}, wish())

    assert [change.path for change in changes] == [paths.ADMIN_SETTINGS, paths.OCSERV_CONF]


def test_nothing_is_written_when_all_is_as_wanted() -> None:
    assert decide(as_present(wish()), wish()) == ()


@pytest.mark.parametrize(
    ("properties", "changed"),
    [
        ({"displayName": "New name"}, [paths.ADMIN_SETTINGS]),
        ({"disableUdpConnections": True}, [paths.OCSERV_CONF]),
        ({"listenPort": 8443}, [paths.ADMIN_SETTINGS, paths.OCSERV_CONF]),
        ({"lastUpdateDateTime": "2026-01-01T00:00:00Z", "roleScopeTagIds": ["0"]}, []),
    ],
)
def test_only_what_differs_is_written(properties: dict[str, object], changed: list[str]) -> None:
    changes = decide(as_present(wish()), wish(**properties))

    assert [change.path for change in changes] == changed


def test_a_file_that_was_edited_by_hand_is_put_right() -> None:
    edited = {**as_present(wish()), paths.OCSERV_CONF: b"tcp-port = 1\n"}

    assert [change.path for change in decide(edited, wish())] == [paths.OCSERV_CONF]


def test_states_have_names() -> None:
    assert wish().digest == wish().digest
    assert wish().digest != wish(listenPort=8443).digest


def test_the_port_that_is_open_goes_on() -> None:
    """The container publishes what it was created with; the gateway on another one would be unreachable."""
    open_now = open_port(as_present(wish()))
    waiting = wanted({"network": "10.0.0.0/8", "listenPort": 8443}, GatewayOptions(), open_now)

    assert open_now == 443
    assert waiting.files[1] == wish().files[1]
    assert waiting.files[0] == wish(listenPort=8443).files[0], "the monitor reads there what is wanted"
    assert waiting.port_waiting is not None
    assert waiting.port_waiting.code == "listen-port-changed"


@pytest.mark.parametrize("present", [{}, {paths.OCSERV_CONF: b"no port here"}])
def test_where_no_port_is_open_yet_any_may_come(present: dict[str, bytes | None]) -> None:
    new = wanted({"network": "10.0.0.0/8", "listenPort": 8443}, GatewayOptions(), open_port(present))

    assert new.port_waiting is None
    assert open_port(as_present(new)) == 8443


def test_a_configuration_that_cannot_be_served_is_no_state() -> None:
    with pytest.raises(TenantError) as caught:
        wish(network="255.255.0.0")

    assert caught.value.code == "configuration-invalid"
