"""Step `configure` writes the site's configuration and the settings of env.sh as the gateway's files."""

from contextlib import nullcontext
from typing import Any

import pytest

from mstunnel_setup.actions.codec import CODEC
from mstunnel_setup.actions.files import WriteFile, WriteJson
from mstunnel_setup.actions.gateway_configuration import WriteGatewayConfiguration
from mstunnel_setup.answers.merge import Origin
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import SetupError, UsageError
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.gateway.ocserv_conf import DEVICE_REVOCATIONS
from mstunnel_setup.install.steps import configure, environment
from mstunnel_setup.io.process import Completed
from mstunnel_setup.tenant.wire import TunnelConfiguration
from tests.refusals import refused
from tests.unit.install.scenes import IMAGES, OSAKA, SERVER_IMAGE, Accepting, Scene, configuration


@pytest.fixture(autouse=True)
def joined(scene: Scene) -> None:
    scene.join(OSAKA)
    scene.graph.configuration = configuration(8443)


def _files(scene: Scene, **answers: Any) -> dict[str, Any]:
    """Return the planned content of each file, by path."""
    actions = configure.STEP.decide(configure.STEP.gather(scene.opened(**{**IMAGES, **answers})))
    found = {action.path: action.value for action in actions if isinstance(action, WriteJson)}
    texts = [action for action in actions if isinstance(action, WriteGatewayConfiguration)]
    return {**found, **{action.path: action.text for action in texts}}


def test_ocserv_of_the_new_image_checks_the_site_configuration(scene: Scene) -> None:
    """The resulting files are covered by the recorded decisions."""
    found = configure.STEP.gather(scene.opened(**IMAGES))
    assert (found.server.listen_port, found.image) == (8443, SERVER_IMAGE)


@pytest.mark.parametrize(
    ("address", "tried"),
    [("https://intranet.test/", "https://intranet.test/"), ("http://[fd00::1/", ""), (None, "")],
)
def test_first_test_address_is_validated_like_later_ones(
    scene: Scene, address: str | None, tried: str
) -> None:
    run = scene.opened(**IMAGES)
    run.site = OSAKA.model_copy(update={"internal_network_probe_url": address})
    actions = configure.STEP.decide(configure.STEP.gather(run))
    texts = {action.path: action.text for action in actions if isinstance(action, WriteFile)}
    assert texts == {paths.PROBE_URL: f"{tried}\n"}


def test_only_tokens_of_this_tenant_are_accepted(scene: Scene) -> None:
    claims = _files(scene)[paths.OIDC_JSON]["required_claims"]
    assert claims["tid"] == scene.graph.tenant_id()
    assert scene.graph.tenant_id() in claims["iss"]


def test_answers_set_the_token_rules(scene: Scene) -> None:
    chosen = {"version": "2", "scope": "Other", "maximum_lifetime": 600, "required_claims": {"acct": 0}}
    oidc = _files(scene, **{f"token__{key}": value for key, value in chosen.items()})[paths.OIDC_JSON]
    assert oidc["required_claims"]["iss"].endswith(f"{scene.graph.tenant_id()}/v2.0")
    assert oidc["required_claims"]["acct"] == 0
    assert (oidc["required_words"]["scp"], oidc["maximum_lifetime"]) == (["Other"], 600)
    other = _files(scene, tenant__issuer="https://sts.example/x/")[paths.OIDC_JSON]
    assert other["required_claims"]["iss"] == "https://sts.example/x/"
    assert "https://sts.example/x/" in other["optional_claims"]["idp"]


def test_answers_name_the_applications_whose_tokens_count(scene: Scene) -> None:
    apps = ["1b730954-1685-4b74-9bfd-dac224a7b894", "d3590ed6-52b3-4102-aeff-aad2292ab01c"]
    assert _files(scene, token__clients=apps)[paths.OIDC_JSON]["listed_claims"] == {"appid": apps}
    of_version_2 = _files(scene, token__clients=apps, token__version="2")[paths.OIDC_JSON]
    assert of_version_2["listed_claims"] == {"azp": apps}


def test_a_lab_issues_its_own_tokens(scene: Scene) -> None:
    lab = {"tenant__authority": "https://lab:1", "tenant__graph": "https://lab:1/graph"}
    oidc = _files(scene, tenant__cloud="custom", **lab)[paths.OIDC_JSON]
    assert oidc["required_claims"]["iss"] == f"https://lab:1/{scene.graph.tenant_id()}/v2.0"
    assert oidc["openid_configuration_url"].startswith("https://lab:1/")


def test_log_level_comes_from_the_env_sh_of_this_run(scene: Scene) -> None:
    scene.write(paths.ENVIRONMENT, "DEBUG_LEVEL=4\n")
    run = scene.opened(**IMAGES, environment={"DEBUG_LEVEL": "3"})
    assert configure.STEP.gather(run).level == 4
    scene.files.remove(paths.ENVIRONMENT)
    environment.STEP.gather(run)
    assert configure.STEP.gather(run).level == 3


def test_invalid_log_level_is_refused(scene: Scene) -> None:
    scene.write(paths.ENVIRONMENT, "DEBUG_LEVEL=loud\n")
    with pytest.raises(SetupError, match="loud"):
        _files(scene)


@pytest.mark.parametrize(
    ("served", "issuer", "code"),
    [
        (None, "", "configuration-missing"),
        (configuration(routes_include=("not a network",)), "", "configuration-invalid"),
        (
            configuration(),
            "https://sts.windows.net/99999999-2222-3333-4444-555555555555/",
            "issuer-of-another-tenant",
        ),
    ],
)
def test_configuration_that_cannot_be_served_is_refused(
    scene: Scene, served: TunnelConfiguration | None, issuer: str, code: str
) -> None:
    scene.graph.configuration = served
    with refused(SetupError, code):
        _files(scene, **({"tenant__issuer": issuer} if issuer else {}))


@pytest.mark.parametrize(
    ("once", "code", "message"),
    [
        (Completed(1, "", "bad option"), "gateway-configuration-refused", "bad option"),
        (Completed(127, "", "no such file"), "image-not-gateway", SERVER_IMAGE),
        # A kernel without process namespaces once caused a misleading error about the image.
        (Completed(126, "", "crun: clone: Invalid argument"), "engine-failed", "clone: Invalid argument"),
    ],
)
def test_failed_check_tells_file_image_and_runtime_apart(
    scene: Scene, once: Completed, code: str, message: str
) -> None:
    scene.engine = Accepting(once=once)
    scene.files.make_directory(paths.CONFIGURATION)
    with refused(SetupError, code) as caught:
        scene.run(configure.STEP, scene.opened(**IMAGES))
    assert message in caught.value.message


def test_settings_ignored_by_the_gateway_are_reported(scene: Scene) -> None:
    scene.graph.configuration = configuration(route_includes=("192.168.0.0/16",))
    _files(scene)
    assert [text for text in scene.prompter.said if "10.0.0.53" in text]


def test_gateway_expects_the_proxy_header_of_load_balancers(scene: Scene) -> None:
    scene.engine = Accepting()
    scene.files.make_directory(paths.CONFIGURATION)
    named = {**IMAGES, "proxy_protocol_from": ["192.0.2.10", "2001:db8::/64"]}
    scene.run(configure.STEP, scene.opened(**named))
    assert scene.files.read(paths.BALANCERS) == b"192.0.2.10\n2001:db8::/64\n"
    assert b"\nlisten-proxy-proto = true\n" in (scene.files.read(paths.OCSERV_CONF) or b"")
    runner = scene.opened().runner
    assert runner.take_back(configure.STEP.obsolete(scene.opened(**named))) == []
    runner.take_back(configure.STEP.obsolete(scene.opened(**IMAGES)))
    scene.run(configure.STEP, scene.opened(**IMAGES))
    assert scene.files.read(paths.BALANCERS) is None
    assert b"proxy-proto" not in (scene.files.read(paths.OCSERV_CONF) or b"")


@pytest.mark.parametrize(
    ("engine", "disabled", "balancers", "safe"),
    [
        ("docker", 1, "192.0.2.10", True),
        ("docker", 0, [], True),
        ("podman", 0, "192.0.2.10", True),
        ("docker", 0, "192.0.2.10", False),
    ],
)
def test_balancers_are_refused_only_if_the_engine_hides_senders(
    scene: Scene, *, engine: str, disabled: int, balancers: object, safe: bool
) -> None:
    """A link-local IPv6 address is enough to reach docker-proxy."""
    scene.write("/proc/net/if_inet6", "fe800000000000000000000000000002 02 40 20 80 eth0\n")
    scene.write("/proc/sys/net/ipv6/conf/all/disable_ipv6", f"{disabled}\n")
    with nullcontext() if safe else refused(UsageError, "proxy-protocol-forgeable"):
        assert _files(scene, engine=engine, proxy_protocol_from=balancers)


def test_revocation_list_stays_until_it_is_removed(scene: Scene) -> None:
    given = {**IMAGES, "authentication": "certificate"}
    scene.files.make_directories(paths.CERTIFICATES)
    scene.files.write(DEVICE_REVOCATIONS, b"a list")
    assert configure.STEP.gather(scene.opened(**given)).options.revocation_list

    run = scene.opened(**given)
    run.answers.origins["devices.crl_file"] = Origin("file", "answers.yaml:3:3")

    assert not configure.STEP.gather(run).options.revocation_list
    assert [*configure.STEP.obsolete(run)].count(f"file:{DEVICE_REVOCATIONS}") == 1


def test_the_radius_servers_of_release_0_2_are_removed(scene: Scene) -> None:
    directory = f"{paths.PRIVATE}/radius"
    for path in (paths.CONFIGURATION, paths.PRIVATE):
        scene.files.make_directory(path)
    made: list[JsonObject] = [
        {"kind": "make-directory", "path": directory, "mode": 0o700},
        {
            "kind": "place-radius-servers",
            "path": f"{directory}/servers",
            "servers": ["radius.example.com"],
            "secret": "file:/s",
        },
    ]
    scene.write(f"{directory}/servers", "radius.example.com secret\n")
    for data in made:
        scene.finished(data, CODEC.load(data).key, {}, before={"digest": None})
    scene.opened().runner.take_back(configure.STEP.obsolete(scene.opened()))
    assert scene.files.state(directory) is None
