"""Names and passwords: the RADIUS servers are named to the gateway, and their secret is nowhere else."""

from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.actions.gateway_configuration import PlaceRadiusServers
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.install.context import Context
from mstunnel_setup.install.preflight import refuse_unready
from mstunnel_setup.install.steps import configure
from mstunnel_setup.operations.diagnose import known_secrets
from tests.refusals import refused
from tests.unit.install.scenes import AGENT_IMAGE, OSAKA, SERVER_IMAGE, Accepting, Scene, configuration

SECRET = "Radius#,Key;with=signs$"


@pytest.fixture(autouse=True)
def prepared(scene: Scene) -> None:
    scene.engine = Accepting()
    scene.join(OSAKA)
    scene.graph.configuration = configuration()
    scene.files.make_directory(paths.CONFIGURATION)
    scene.files.make_directory(paths.PRIVATE)


def context(scene: Scene, secret: str = SECRET, **answers: Any) -> Context:
    file = scene.write("/root/radius-secret", f"{secret}\n")
    file.chmod(0o600)
    return scene.context(
        images__server=SERVER_IMAGE,
        images__agent=AGENT_IMAGE,
        authentication="radius",
        radius__servers=["radius.example.com:1645", "[2001:db8::7]"],
        radius__secret=f"file:{file}",
        **answers,
    )


def text(scene: Scene, path: str) -> str:
    return (scene.files.read(path) or b"").decode()


def test_the_gateway_asks_the_servers_in_their_order_with_the_secret(scene: Scene) -> None:
    scene.run(configure.STEP, context(scene, radius__nas_identifier="gw1"))
    assert f'auth = "radius[config={paths.RADIUS_CLIENT}]"' in text(scene, paths.OCSERV_CONF)
    client = text(scene, paths.RADIUS_CLIENT)
    assert "authserver radius.example.com:1645,[2001:db8::7]\n" in client
    assert "nas-identifier gw1\n" in client
    lines = text(scene, paths.RADIUS_SERVERS).splitlines()[1:]
    assert lines == [f"radius.example.com {SECRET}", f"2001:db8::7 {SECRET}"]
    for path in (paths.RADIUS_CLIENT, paths.RADIUS_SERVERS):
        state = scene.files.state(path)
        assert state is not None
        assert state.mode == 0o600


def test_the_secret_is_in_one_file_and_uninstallation_removes_it(scene: Scene) -> None:
    scene.run(configure.STEP, context(scene))
    holders = [
        path for path in scene.root.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()
    ]
    assert {path.name for path in holders} == {"radius-secret", Path(paths.RADIUS_SERVERS).name}
    assert SECRET in scene.secrets
    assert SECRET.encode() in known_secrets(scene.context().host)
    assert scene.run(configure.STEP, context(scene)) == ()
    scene.undo()
    assert scene.files.state(paths.RADIUS) is None


def test_another_secret_is_taken_by_running_the_step_again(scene: Scene) -> None:
    scene.run(configure.STEP, context(scene))
    (changed,) = scene.run(configure.STEP, context(scene, secret="other"))
    assert isinstance(changed, PlaceRadiusServers)
    assert "radius.example.com other\n" in text(scene, paths.RADIUS_SERVERS)


@pytest.mark.parametrize("secret", ["two words", "tab\there", "é", "x" * 61])
def test_a_secret_that_the_gateway_would_read_as_another_is_refused_before_the_first_change(
    scene: Scene, secret: str
) -> None:
    scene.files.remove_tree(paths.STATE)
    with refused(UsageError, "radius-secret-invalid") as caught:
        refuse_unready(context(scene, secret=secret), ["configure"])
    assert secret not in caught.value.message
    assert not scene.journal.records


def test_another_way_to_authenticate_takes_servers_and_secret_away(scene: Scene) -> None:
    scene.run(configure.STEP, context(scene))
    runner = scene.opened().runner
    assert runner.take_back(configure.obsolete_keys(context(scene))) == []
    runner.take_back(configure.obsolete_keys(scene.context()))
    assert scene.files.state(paths.RADIUS) is None
    assert scene.files.state(paths.OCSERV_CONF) is not None
