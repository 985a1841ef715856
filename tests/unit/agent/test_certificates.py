"""The certificate that the agent watches: its end, and the last response about its revocation."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mstunnel_setup.agent.health_watch import CertificateWatch
from mstunnel_setup.base import paths
from mstunnel_setup.certificates import revocation
from mstunnel_setup.certificates.revocation_answers import RevocationState
from mstunnel_setup.exchange.health_observation import GatewayCertificate
from mstunnel_setup.io.files import Files
from tests.unit.certificates.authority import Authority
from tests.unit.clocks import FakeClock
from tests.unit.present import present

NAME = "generation-1"


@dataclass
class RealStart(FakeClock):
    """A clock that begins at the time of day, for signatures of a responder, and advances only in sleeps."""

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.elapsed)


@dataclass
class Scene:
    files: Files
    authority: Authority
    clock: RealStart

    def watch(self) -> CertificateWatch:
        return CertificateWatch(self.files, self.clock)

    def serve(self, name: str, generation: str = NAME) -> None:
        directory = f"{paths.GENERATIONS}/{generation}"
        self.files.make_directories(directory)
        self.files.write(f"{directory}/chain.pem", (self.authority.directory / f"{name}.pem").read_bytes())
        self.files.write(f"{directory}/root.pem", (self.authority.directory / "ca.pem").read_bytes())
        self.files.link(paths.ACTIVE, f"generations/{generation}")


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    files = Files(tmp_path / "host")
    (tmp_path / "host").mkdir()
    (tmp_path / "authority").mkdir()
    for directory in (paths.GENERATIONS, paths.AGENT_STATE, paths.CA_TRUST):
        files.make_directories(directory)
    authority = Authority(tmp_path / "authority")
    authority.issue("leaf")
    scene = Scene(files, authority, RealStart())
    scene.serve("leaf")
    return scene


def test_revocation_is_checked_at_once_then_hourly(scene: Scene) -> None:
    watch = scene.watch()
    with scene.authority.responding():
        found = watch.look()
    leaf = scene.authority.read("leaf")
    start, end = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    assert found == GatewayCertificate(end, RevocationState.GOOD, "", start)

    # No responder runs now, and for an hour none is queried.
    scene.clock.sleep(3599)
    assert watch.look().revocation is RevocationState.GOOD
    scene.clock.sleep(1)
    found = watch.look()
    assert found.revocation is RevocationState.UNREACHABLE
    assert f"http://127.0.0.1:{scene.authority.ocsp_port}" in found.problem


def test_another_certificate_is_checked_at_once(scene: Scene) -> None:
    scene.authority.issue("next")
    scene.authority.revoke("next")
    watch = scene.watch()
    with scene.authority.responding():
        assert watch.look().revocation is RevocationState.GOOD
        scene.serve("next", "generation-2")
        assert watch.look().revocation is RevocationState.REVOKED


def test_result_is_saved_for_the_commands(scene: Scene) -> None:
    with scene.authority.responding():
        scene.watch().look()
    record = present(revocation.last(scene.files, NAME, scene.clock.now()))
    assert record.state is RevocationState.GOOD
    assert revocation.last(scene.files, "another", scene.clock.now()) is None

    older = (b'{"fingerprint": "generation-1", "asked": "2001-01-01T00:00:00+00:00", "state": "revoked", '
             b'"certificates": []}')  # fmt: skip
    scene.files.make_directories(paths.STATE)
    scene.files.write(revocation.ASKED_BY_COMMANDS, older)
    assert revocation.last(scene.files, NAME, scene.clock.now()) == record, "the newest answer counts"


@pytest.mark.parametrize("place", [f"{paths.CA_TRUST}/root.crt", "/etc/ssl/certs/ca-certificates.crt"])
def test_missing_root_is_found_among_trusted_roots(scene: Scene, place: str) -> None:
    root = (scene.authority.directory / "ca.pem").read_bytes()
    scene.files.remove(f"{paths.GENERATIONS}/{NAME}/root.pem")
    scene.files.make_directories(str(Path(place).parent))
    scene.files.write(place, root)
    with scene.authority.responding():
        assert scene.watch().look().revocation is RevocationState.GOOD


def test_no_responder_is_queried_without_the_issuer(scene: Scene) -> None:
    scene.files.remove(f"{paths.GENERATIONS}/{NAME}/root.pem")
    assert scene.watch().look().revocation is RevocationState.NOT_OFFERED


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_unreadable_certificate_is_unknown(scene: Scene, content: bytes | None) -> None:
    chain = f"{paths.GENERATIONS}/{NAME}/chain.pem"
    scene.files.remove(chain)
    if content is not None:
        scene.files.write(chain, content)
    assert scene.watch().look() == GatewayCertificate()
