"""The host's answers reach the gateway, and stay in effect when the monitor renders again."""

from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import SetupError, StepError
from mstunnel_setup.exchange.mailbox import CONFIGURATION, AgentRequest
from mstunnel_setup.gateway.configuration import ServerConfiguration
from mstunnel_setup.gateway.ocserv_conf import DEVICE_REVOCATIONS, ocserv_conf
from mstunnel_setup.gateway.options import Authentication, GatewayOptions, read_gateway_options
from mstunnel_setup.install.steps import configure
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Completed
from mstunnel_setup.operations.monitor.configuration import Configurations
from tests.refusals import refused
from tests.unit.clocks import FakeClock
from tests.unit.install.scenes import IMAGES, OSAKA, Accepting, Scene, configuration
from tests.unit.operations.monitor.hosts import DIRECTORIES

ANSWERS: dict[str, dict[str, Any]] = {
    "authentication": {"authentication": "certificate"},
    "certificate_too": {"authentication_also": "certificate"},
    "revocation_list": {"authentication_also": "certificate", "devices__crl_file": "/root/ca.crl"},
    "balancers": {"proxy_protocol_from": ["192.0.2.10", "2001:db8::/64"]},
}
"""Answers that give each setting of the host another value than its default."""
FIELDS = [name for name in GatewayOptions.model_fields if name != "version"]
WITHOUT_A_RECORD = ["authentication", "certificate_too", "revocation_list", "balancers"]
"""The settings of the releases that kept no record of them."""


def test_every_setting_of_the_host_has_an_answer_here() -> None:
    assert [name for name in FIELDS if name not in ANSWERS] == []


@pytest.fixture(autouse=True)
def joined(scene: Scene) -> None:
    scene.join(OSAKA)
    scene.graph.configuration = configuration(8443)
    scene.engine = Accepting()
    for directory in (paths.CONFIGURATION, *DIRECTORIES):
        scene.files.make_directories(directory)


def installed(scene: Scene, **answers: Any) -> bytes:
    """Return `ocserv.conf` after the step."""
    given = {**IMAGES, **answers}
    scene.run(configure.STEP, scene.opened(**given))
    return scene.files.read(paths.OCSERV_CONF) or b""


def rendered_by_the_monitor(scene: Scene, clock: FakeClock) -> bytes:
    """Return `ocserv.conf` after the agent has requested the tenant's configuration."""
    wire = (scene.graph.configuration or configuration(8443)).to_wire()
    scene.files.write(CONFIGURATION.request, AgentRequest.to_configure(wire, "").payload)
    Configurations(scene.files, clock, lambda: None, lambda _line: None).look()
    return scene.files.read(paths.OCSERV_CONF) or b""


@pytest.mark.parametrize("field", ANSWERS)
def test_every_setting_of_the_host_survives_the_monitor(scene: Scene, field: str) -> None:
    plain = installed(scene)

    changed = installed(scene, **ANSWERS[field])

    assert getattr(read_gateway_options(scene.files), field) != getattr(GatewayOptions(), field)
    assert changed != plain
    assert rendered_by_the_monitor(scene, FakeClock()) == changed


@pytest.mark.parametrize("field", ANSWERS)
def test_every_setting_of_the_host_can_be_withdrawn(scene: Scene, field: str) -> None:
    plain = installed(scene)
    installed(scene, **ANSWERS[field])

    assert installed(scene) == plain
    assert rendered_by_the_monitor(scene, FakeClock()) == plain


def test_settings_that_the_gateway_refuses_are_not_recorded(scene: Scene) -> None:
    before = installed(scene)
    scene.engine = Accepting(once=Completed(1, "", "bad option"))

    with pytest.raises(SetupError):
        installed(scene, **ANSWERS["authentication"])

    assert read_gateway_options(scene.files) == GatewayOptions()
    assert rendered_by_the_monitor(scene, FakeClock()) == before


@pytest.mark.parametrize("field", WITHOUT_A_RECORD)
def test_settings_of_an_earlier_release_stay_until_the_next_run(scene: Scene, field: str) -> None:
    before = installed(scene, **ANSWERS[field])
    wanted = read_gateway_options(scene.files)
    scene.files.remove(paths.GATEWAY_SETTINGS)

    assert read_gateway_options(scene.files) == wanted
    assert rendered_by_the_monitor(scene, FakeClock()) == before

    installed(scene, **ANSWERS[field])
    assert scene.files.read(paths.GATEWAY_SETTINGS) is not None


RELEASED = """
auth = "{auth}"
{more}
tcp-port = 443
"""


@pytest.mark.parametrize(
    ("auth", "more", "options"),
    [
        ("oidc[config=/etc/mstunnel/oidc.json]", "", GatewayOptions()),
        (
            "certificate",
            "ca-cert = /etc/mstunnel/certs/device-ca.crt",
            GatewayOptions(authentication=Authentication.CERTIFICATE),
        ),
        (
            "oidc[config=/etc/mstunnel/oidc.json]",
            f'enable-auth = "certificate"\ncrl = {DEVICE_REVOCATIONS}',
            GatewayOptions(certificate_too=True, revocation_list=True),
        ),
    ],
)
@pytest.mark.parametrize("record", [None, b"{", b'{"version": 2, "authentication": "oidc"}'])
def test_without_a_settings_record_the_rendered_file_is_read(
    tmp_path: Path, record: bytes | None, auth: str, more: str, options: GatewayOptions
) -> None:
    files = Files(tmp_path)
    files.make_directories(paths.CONFIGURATION)
    files.write(paths.OCSERV_CONF, RELEASED.format(auth=auth, more=more).encode())
    if record is not None:
        files.write(paths.GATEWAY_SETTINGS, record)

    assert read_gateway_options(files) == options


def test_a_host_without_a_gateway_has_no_settings(tmp_path: Path) -> None:
    with refused(StepError, "settings-unreadable"):
        read_gateway_options(Files(tmp_path))


@pytest.mark.parametrize("authentication", Authentication)
def test_what_the_template_writes_is_read_back(tmp_path: Path, authentication: Authentication) -> None:
    """The file of an earlier release is parsed by the lines of this release's template."""
    files = Files(tmp_path)
    files.make_directories(paths.CONFIGURATION)
    server = ServerConfiguration.from_wire({"network": "10.0.0.0/8"})
    options = GatewayOptions(authentication=authentication, certificate_too=True, revocation_list=True)
    files.write(paths.OCSERV_CONF, ocserv_conf(server, options).encode())

    assert read_gateway_options(files) == options
