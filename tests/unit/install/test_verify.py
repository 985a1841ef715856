"""Step `verify`: the leaf on the port, both containers, and the record in the tenant; each given a minute."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from mstunnel_setup import paths
from mstunnel_setup.errors import EngineError, NetworkError, TenantError
from mstunnel_setup.install.steps import certificate, verify
from mstunnel_setup.tenant.wire import TunnelServer
from tests.unit.install.scenes import OSAKA, Scene, configuration, container
from tests.unit.tls.pki import Pki, key_bytes

_PKI = Pki()


@contextmanager
def _serving(directory: Path, pki: Pki) -> Iterator[int]:
    """A TLS server with the leaf of `pki` on a separate port."""
    bundle = directory / "served.pem"
    bundle.write_bytes(pki.pem("leaf") + key_bytes(pki.key_name("leaf")))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(bundle)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_answer, args=(listener, context))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _answer(listener: socket.socket, context: ssl.SSLContext) -> None:
    with suppress(OSError):
        while True:
            plain, _ = listener.accept()
            with suppress(OSError), plain, context.wrap_socket(plain, server_side=True):
                pass


@pytest.fixture(autouse=True)
def installed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A finished installation whose certificate is placed."""
    for directory in (paths.CONFIGURATION, paths.CERTIFICATES, paths.PRIVATE):
        scene.files.make_directory(directory)
    scene.write(paths.SITE_CERTIFICATE, _PKI.pem("leaf") + _PKI.pem("inter"))
    scene.write(paths.SITE_KEY, key_bytes(_PKI.key_name("leaf")))
    scene.trusted = (_PKI.certificate("root"),)
    scene.run(certificate.STEP, scene.context())
    scene.remember("joined-site", {"id": OSAKA.id, "name": "Osaka", "public_address": ""})
    record = {
        "kind": "register-server",
        "site_id": OSAKA.id,
        "server_name": "gw1",
        "deployment_mode": "standaloneRootful",
    }
    scene.finished(record, f"server:{OSAKA.id}/gw1", {"server_id": "3"})
    scene.graph.listed = [TunnelServer(id="3", display_name="gw1")]
    scene.engine.containers = {name: container() for name in ("mstunnel-server", "mstunnel-agent")}


def _verify(scene: Scene, port: int) -> None:
    scene.graph.configuration = configuration(port)
    assert scene.run(verify.STEP, scene.context()) == ()


def test_a_gateway_that_keeps_every_promise(scene: Scene, tmp_path: Path) -> None:
    with _serving(tmp_path, _PKI) as port:
        _verify(scene, port)
    assert scene.clock.elapsed == 0


def test_another_certificate_on_the_port(scene: Scene, tmp_path: Path) -> None:
    with _serving(tmp_path, Pki()) as port, pytest.raises(NetworkError) as caught:
        _verify(scene, port)
    assert caught.value.code == "wrong-leaf-served"
    assert 180 < scene.clock.elapsed < 190


def test_no_listener_on_the_port(scene: Scene) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(NetworkError) as caught:
        _verify(scene, port)
    assert caught.value.code == "handshake-failed"


@pytest.mark.parametrize("name", ["mstunnel-server", "mstunnel-agent"])
@pytest.mark.parametrize(
    ("state", "seen"),
    [
        (None, "is missing"),
        (container(health="unhealthy"), "is running, unhealthy"),
        (container(health=None), "is running, no health reported"),
        (container("exited", None), "is exited"),
    ],
    ids=["missing", "unhealthy", "unknown", "exited"],
)
def test_a_container_that_is_not_healthy(
    scene: Scene, tmp_path: Path, name: str, state: object, seen: str
) -> None:
    if state is None:
        del scene.engine.containers[name]
    else:
        scene.engine.containers[name] = state  # type: ignore[assignment]
    with _serving(tmp_path, _PKI) as port, pytest.raises(EngineError) as caught:
        _verify(scene, port)
    assert caught.value.code == "container-unhealthy"
    assert f"container {name} {seen}" in caught.value.message


def test_a_container_that_gets_healthy_in_time(scene: Scene, tmp_path: Path) -> None:
    containers = scene.engine.containers
    containers["mstunnel-server"] = container(health="starting")
    scene.clock.during = [lambda: None, lambda: containers.update({"mstunnel-server": container()})]
    with _serving(tmp_path, _PKI) as port:
        _verify(scene, port)
    assert scene.clock.elapsed == 2


def test_a_container_that_was_healthy_when_it_stopped(scene: Scene, tmp_path: Path) -> None:
    scene.engine.containers["mstunnel-agent"] = container("exited", "healthy")
    with _serving(tmp_path, _PKI) as port, pytest.raises(EngineError):
        _verify(scene, port)


def test_a_server_that_the_tenant_does_not_list(scene: Scene, tmp_path: Path) -> None:
    scene.graph.listed = []
    with _serving(tmp_path, _PKI) as port, pytest.raises(TenantError) as caught:
        _verify(scene, port)
    assert caught.value.code == "server-not-listed"
