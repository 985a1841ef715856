"""The summary at the end of an installation, and the status of its steps."""

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.certificates import generations
from mstunnel_setup.install.step_status import summary
from mstunnel_setup.io.process import Completed
from tests.unit.certificates.pki import Pki
from tests.unit.install.scenes import BERLIN, OSAKA, Scene


def test_summary_names_address_certificate_and_next_steps(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.join(BERLIN)
    scene.write(paths.OCSERV_CONF, "tcp-port = 8443\n")
    monkeypatch.setattr(generations, "leaf_in_use", lambda _files: Pki().certificate("leaf"))
    scene.engine.answer = lambda _arguments: Completed(0, '{"Active sessions": 0}', "")
    assert summary(scene.opened()) == [
        "The gateway is installed.",
        "  Address:     vpn.example.org, port 8443 (TCP and UDP)",
        "  Site:        Berlin",
        "  Certificate: 79 days left",
        "  Sessions:    0 so far",
        "Allow TCP and UDP port 8443 to this server in every firewall in front of it.",
        "Check the gateway with `mst-cli status`.",
        "Save the answers for another server with `mstunnel-setup answers save FILE`.",
    ]


def test_unknown_values_are_left_out(scene: Scene) -> None:
    scene.prompter.interactive = False
    scene.join(OSAKA)
    scene.write(paths.OCSERV_CONF, "tcp-port = 443\n")
    first, site, following, *_ = summary(scene.opened())
    assert (first, site) == ("The gateway is installed.", "  Site:        Osaka")
    assert following.startswith("Allow TCP and UDP port 443 ")


def test_without_a_configured_gateway_it_leads_to_the_next_step(scene: Scene) -> None:
    assert summary(scene.opened()) == ["Done. See the next step with `mstunnel-setup status`."]


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
    shown = [line for line in summary(scene.opened()) if "Sessions" in line]
    assert shown == ([told] if told else [])
    scene.prompter.interactive = False
    assert not any("Sessions" in line for line in summary(scene.opened()))
