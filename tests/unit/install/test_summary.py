"""The end of an installation names what a person needs next."""

from mstunnel_setup.install.summary import Installed, lines


def test_it_names_address_port_site_certificate_and_the_next_steps() -> None:
    found = Installed(address="vpn.contoso.example", port=8443, site="Osaka", days_left=89)
    assert lines(found) == [
        "The gateway is installed.",
        "  Address:     vpn.contoso.example, port 8443 (TCP and UDP)",
        "  Site:        Osaka",
        "  Certificate: 89 days left",
        "Allow TCP and UDP port 8443 to this server in every firewall before it.",
        "Check the gateway with `mst-cli status`.",
    ]


def test_what_is_not_known_is_left_out() -> None:
    found = Installed(address=None, port=443, site="Osaka", days_left=None)
    assert lines(found)[:2] == ["The gateway is installed.", "  Site:        Osaka"]


def test_without_a_configured_gateway_it_leads_to_the_next_step() -> None:
    found = Installed(address=None, port=None, site=None, days_left=None)
    assert lines(found) == ["Done. See the next step with `mstunnel-setup status`."]
