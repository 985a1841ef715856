"""Which balancers an answer file may name: addresses and networks, none so wide that devices are in it."""

import pytest

from mstunnel_setup.answers.merge import merge
from mstunnel_setup.base.errors import SetupError


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("192.0.2.10", ("192.0.2.10",)),
        (["192.0.2.10/32", "192.0.2.64/28"], ("192.0.2.10", "192.0.2.64/28")),
        (["2001:DB8:0::10", "2001:db8:7::/48"], ("2001:db8::10", "2001:db8:7::/48")),
        ([], ()),
    ],
)
def test_addresses_and_networks_in_their_usual_spelling(given: object, taken: tuple[str, ...]) -> None:
    assert merge({}, {}, earlier={"proxy_protocol_from": given}).proxy_protocol_from == taken


def test_without_the_setting_there_is_none() -> None:
    assert merge({}, {}).proxy_protocol_from == ()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("lb.example.com", "must be an address or a network"),
        ("192.0.2.10/24", "must be an address or a network"),
        ("192.0.2.10\nlisten-proxy-proto = false", "must be an address or a network"),
        ("fe80::1%eth0", "must be an address or a network"),
        ("0.0.0.0/0", "must not be wider than /16"),
        ("10.0.0.0/8", "must not be wider than /16"),
        ("::/0", "must not be wider than /48"),
        ([f"192.0.2.{last}" for last in range(65)], "must have at most 64 entries"),
    ],
)
def test_what_names_no_balancer_is_refused_with_the_reason(given: object, reason: str) -> None:
    with pytest.raises(SetupError) as caught:
        merge({}, {}, earlier={"proxy_protocol_from": given})
    assert reason in str(caught.value)
