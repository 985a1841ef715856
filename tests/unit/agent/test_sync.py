import pytest

from mstunnel_setup import paths
from mstunnel_setup.agent.sync import Wanted, decide, port_changed, wanted
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


def test_a_port_is_new_only_when_there_was_another() -> None:
    new = wish(listenPort=8443)

    assert port_changed({}, new) is None
    assert port_changed({paths.OCSERV_CONF: b"no port here"}, new) is None
    assert port_changed(as_present(new), new) is None
    assert getattr(port_changed(as_present(wish()), new), "code", "") == "listen-port-changed"


def test_a_configuration_that_cannot_be_served_is_no_state() -> None:
    with pytest.raises(TenantError) as caught:
        wish(network="255.255.0.0")

    assert caught.value.code == "configuration-invalid"
