"""A certificate is activated only after the gateway's image has loaded it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CertificateError
from mstunnel_setup.certificates import generations
from mstunnel_setup.containers.container_spec import Volume
from mstunnel_setup.containers.engine import Image
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.session import apply_actions
from mstunnel_setup.install.steps import certificate
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Completed
from mstunnel_setup.operations.certificate.generation_switch import activate
from tests.unit.certificates.pki import Pki, key_bytes
from tests.unit.fakes import FakeEngine
from tests.unit.install.scenes import AGENT_IMAGE, SERVER_IMAGE, Scene

PKI = Pki({"other": {"days": 200}})


@dataclass
class Gateway(FakeEngine):
    """An engine without containers whose image returns `verdict`; `seen` records what was linked then."""

    verdict: Completed = field(default_factory=lambda: Completed(0, "", ""))
    root: Path = Path()
    seen: list[tuple[str, str | None]] = field(default_factory=list)

    def run_once(
        self, image: str, arguments: Sequence[str], volumes: Sequence[Volume], timeout: float
    ) -> Completed:
        text = Path(volumes[1].host).read_text()
        linked = self.root / paths.ACTIVE.lstrip("/")
        self.seen.append((text, str(linked.readlink()) if linked.is_symlink() else None))
        return self.verdict


@pytest.fixture
def engine(tmp_path: Path) -> Gateway:
    image = Image(SERVER_IMAGE, SERVER_IMAGE.partition("@")[2], "1")
    return Gateway(images={SERVER_IMAGE: image}, root=tmp_path)


@pytest.fixture
def scene(tmp_path: Path, engine: Gateway, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Provide an installed gateway below a directory that the code takes for this machine's root."""
    scene = Scene(tmp_path, engine=engine)
    scene.trusted = (PKI.certificate("root"),)
    for directory in (paths.CERTIFICATES, paths.PRIVATE, paths.STATE):
        scene.files.make_directories(directory)
    scene.write(
        paths.OCSERV_CONF, f"server-cert = {paths.ACTIVE}/chain.pem\nserver-key = {paths.ACTIVE}/key.pem\n"
    )
    scene.remember("answers", {"images.server": SERVER_IMAGE, "images.agent": AGENT_IMAGE})
    monkeypatch.setattr(Files, "live", True)
    return scene


def placed(scene: Scene) -> tuple[Run, str]:
    """Return a certificate that passed all checks and is not in use yet."""
    scene.write(paths.SITE_CERTIFICATE, PKI.pem("leaf") + PKI.pem("inter"))
    scene.write(paths.SITE_KEY, key_bytes(PKI.key_name("leaf"))).chmod(0o600)
    run = scene.opened()
    found = certificate.find(run)
    apply_actions(run, "Place the certificate", certificate.placing(found))
    return run, found.fingerprint


def test_image_loads_a_certificate_before_the_switch(scene: Scene, engine: Gateway) -> None:
    run, name = placed(scene)
    activate(run, name)
    ((text, linked),) = engine.seen
    assert f"server-cert = {generations.directory(name)}/chain.pem" in text
    assert f"server-key = {generations.directory(name)}/key.pem" in text
    assert linked is None
    assert generations.linked(run.host.files) == name


def test_certificate_that_the_image_cannot_load_is_refused(scene: Scene, engine: Gateway) -> None:
    engine.verdict = Completed(1, "", "GnuTLS error (at tlslib.c:855): The curve is unsupported")
    run, name = placed(scene)
    with pytest.raises(CertificateError, match="The curve is unsupported") as caught:
        activate(run, name)
    assert caught.value.code == "import-refused"
    assert generations.linked(run.host.files) is None
    assert scene.files.names(paths.GENERATIONS) == []


def test_switch_without_the_image_skips_the_load_test(scene: Scene, engine: Gateway) -> None:
    engine.images.clear()
    run, name = placed(scene)
    activate(run, name)
    assert engine.seen == []
    assert generations.linked(run.host.files) == name


def test_certificate_that_the_image_cannot_load_is_not_used(scene: Scene, engine: Gateway) -> None:
    def install(name: str) -> None:
        chain = scene.write("/root/chain.pem", PKI.pem(name) + PKI.pem("inter"))
        key = scene.write("/root/key.pem", key_bytes(PKI.key_name(name)))
        given = {"certificate__chain": [str(chain)], "certificate__key": str(key)}
        scene.run(certificate.STEP, scene.opened(**given))

    install("leaf")
    assert engine.seen == []  # nothing is replaced
    first = generations.linked(scene.files)
    engine.verdict = Completed(1, "", "GnuTLS error (at tlslib.c:855): The curve is unsupported")
    with pytest.raises(CertificateError, match="The curve is unsupported") as caught:
        install("other")
    assert (caught.value.code, generations.linked(scene.files)) == ("import-refused", first)
    engine.verdict = Completed(0, "", "")
    install("other")
    assert generations.linked(scene.files) != first
    assert [linked for _, linked in engine.seen] == [generations.target(str(first))] * 2
