"""The end of an installation names what a person needs next."""

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.install.status import summary, summary_lines
from mstunnel_setup.io.process import Completed
from tests.unit.install.scenes import Scene


def test_it_names_address_port_site_certificate_and_the_next_steps() -> None:
    lines = summary_lines(address="vpn.contoso.example", port=8443, site="Osaka", days=89, sessions=0)
    assert lines == [
        "The gateway is installed.",
        "  Address:     vpn.contoso.example, port 8443 (TCP and UDP)",
        "  Site:        Osaka",
        "  Certificate: 89 days left",
        "  Sessions:    0 so far",
        "Allow TCP and UDP port 8443 to this server in every firewall in front of it.",
        "Check the gateway with `mst-cli status`.",
        "Save the answers for another server with `mstunnel-setup answers save FILE`.",
    ]


def test_what_is_not_known_is_left_out() -> None:
    lines = summary_lines(address=None, port=443, site="Osaka", days=None)
    assert lines[:2] == ["The gateway is installed.", "  Site:        Osaka"]


def test_without_a_configured_gateway_it_leads_to_the_next_step() -> None:
    lines = summary_lines(address=None, port=None, site=None, days=None)
    assert lines == ["Done. See the next step with `mstunnel-setup status`."]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Completed(0, '{"Status": "online", "Active sessions": 7}', ""), "  Sessions:    7 so far"),
        (Completed(1, "", "no such container"), None),
        (Completed(0, "not JSON", ""), None),
    ],
)
def test_the_sessions_are_those_that_the_gateway_counts(
    scene: Scene, answer: Completed, told: str | None
) -> None:
    scene.write(paths.OCSERV_CONF, "tcp-port = 443\n")
    scene.engine.answer = lambda _arguments: answer
    shown = [line for line in summary(scene.context()) if "Sessions" in line]
    assert shown == ([told] if told else [])
    scene.prompter.interactive = False
    assert not any("Sessions" in line for line in summary(scene.context()))
