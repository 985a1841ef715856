"""Certificate files that only an earlier run named: when they are used, and what replaces them."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from mstunnel_setup.answers.load import load
from mstunnel_setup.answers.merge import merge
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CertificateError, WaitingError
from mstunnel_setup.certificates import generations
from mstunnel_setup.install.steps import certificate
from mstunnel_setup.install.steps.certificate import Certificate
from tests.refusals import refused
from tests.unit.certificates.pki import Pki, key_bytes
from tests.unit.install.scenes import Scene

PKI = Pki(
    {
        "yearly": {"start": -200, "days": 365},
        "short": {"start": -20, "days": 90},
        "renewed": {"start": -2, "days": 90},
    }
)
GIVEN, USUAL = ("/root/chain.pem", "/root/key.pem"), (paths.SITE_CERTIFICATE, paths.SITE_KEY)


@dataclass
class Server:
    """An installed server; `certificate.chain` and `key` of its installation are at GIVEN."""

    scene: Scene

    def put(self, name: str, places: tuple[str, str]) -> dict[str, object]:
        """Write a certificate; return the answers that name it, for `Scene.opened`."""
        chain = self.scene.write(places[0], PKI.pem(name) + PKI.pem("inter"))
        key = self.scene.write(places[1], key_bytes(PKI.key_name(name)))
        return {"certificate__chain": [str(chain)], "certificate__key": str(key)}

    def run(self, **answers: object) -> None:
        self.scene.run(certificate.STEP, self.scene.opened(**answers))

    def run_with_file(self) -> None:
        """Run the step with an answer file that names GIVEN."""
        chain, key = map(self.scene.files.locate, GIVEN)
        file = self.scene.write(
            "/root/gw.yaml", f"version: 1\ncertificate:\n  chain: {chain}\n  key: {key}\n"
        )
        run = self.scene.opened()
        run.answers = merge({}, {}, load(file), run.answers.record())
        self.scene.run(certificate.STEP, run)

    def switch(self, name: str) -> None:
        """Put the certificate into use and at the usual paths, as an import does."""
        self.run(**self.put(name, ("/tmp/new.pem", "/tmp/new.key")))
        for path in ("/tmp/new.pem", "/tmp/new.key"):
            self.scene.files.remove(path)

    @property
    def in_use(self) -> str:
        return name_of(generations.read(self.scene.opened().host.files, paths.ACTIVE).leaf.serial_number)

    def found(self) -> str:
        """Return the certificate that an import without options would use."""
        return leaf_of(certificate.find(self.scene.opened()))


def name_of(serial: int) -> str:
    (name,) = (name for name in PKI.changes if PKI.certificate(name).serial_number == serial)
    return name


def leaf_of(found: Certificate) -> str:
    return name_of(found.identity.leaf.serial_number)


@pytest.fixture
def server(scene: Scene) -> Server:
    scene.prompter.interactive = False
    scene.trusted = (PKI.certificate("root"),)
    for directory in (paths.CONFIGURATION, paths.CERTIFICATES, paths.PRIVATE):
        scene.files.make_directories(directory)
    made = Server(scene)
    named = made.put("yearly", GIVEN)
    scene.remember("answers", {path.replace("__", "."): value for path, value in named.items()})
    made.run()
    assert made.in_use == "yearly"
    scene.started()
    return made


def test_import_without_options_reads_the_usual_paths(server: Server) -> None:
    assert server.found() == "yearly"
    server.put("short", USUAL)
    assert server.found() == "short"
    for path in GIVEN:
        server.scene.files.remove(path)
    assert server.found() == "short"


def test_import_without_options_ignores_older_answers(server: Server) -> None:
    server.switch("short")
    assert server.found() == "short"


def test_files_renewed_in_place_are_imported(server: Server) -> None:
    """Certbot renews in place; the usual paths hold copies of the previous certificate."""
    server.put("renewed", GIVEN)
    assert server.found() == "renewed"
    server.put("short", USUAL)
    assert server.found() == "renewed"
    server.put("short", GIVEN)
    server.put("renewed", USUAL)
    assert server.found() == "renewed"


def test_unreadable_renewed_file_is_reported(server: Server) -> None:
    server.put("renewed", GIVEN)
    server.scene.write(GIVEN[1], key_bytes("p256/other"))
    assert server.found() == "yearly"
    assert "chain.pem and " in server.scene.prompter.said[-1]
    assert "does not belong to the certificate" in server.scene.prompter.said[-1]


def test_answers_restore_usual_paths_but_replace_no_newer_file(server: Server) -> None:
    for path in USUAL:
        server.scene.files.remove(path)
    assert server.found() == "yearly"
    server.switch("short")
    for path in USUAL:
        server.scene.files.remove(path)
    with pytest.raises(WaitingError, match=paths.SITE_PFX):
        server.found()


@pytest.mark.parametrize("run", [Server.run, Server.run_with_file], ids=["stored answers", "answer file"])
def test_step_uses_named_files_again_only_if_renewed(server: Server, run: Callable[[Server], None]) -> None:
    """The certificate in use, from `mst-cli import_cert`, expires earlier but was issued later."""
    server.switch("short")
    run(server)
    assert server.in_use == "short"
    assert "was not issued after the one in use" in server.scene.prompter.said[-1]
    server.put("renewed", GIVEN)
    run(server)
    assert server.in_use == "renewed"


def test_option_overrides_the_certificate_in_the_answer_file(server: Server) -> None:
    server.switch("short")
    server.run(**server.put("yearly", GIVEN))
    assert server.in_use == "yearly"


def test_answer_file_replaces_an_unused_certificate(server: Server) -> None:
    server.scene.files.remove(f"{paths.STATE}/journal.jsonl")
    server.scene.remember("answers", {})
    server.switch("short")
    server.run_with_file()
    assert server.in_use == "yearly"


def test_relinked_older_certificate_is_loaded_by_the_gateway(server: Server) -> None:
    """ocserv ignores a file that is older than its last load."""
    server.switch("short")
    run = server.scene.opened(**server.put("yearly", GIVEN))
    kinds = [action.kind for action in server.scene.run(certificate.STEP, run)]
    assert (kinds, server.in_use) == (["write-file", "freshen-identity", "link"], "yearly")
    for name in ("chain.pem", "key.pem"):
        file = server.scene.files.locate(f"{paths.ACTIVE}/{name}")
        assert file.stat().st_mtime == server.scene.clock.now().timestamp() + 1
    assert server.scene.run(certificate.STEP, server.scene.opened()) == ()
    server.scene.undo()
    assert server.scene.files.names(paths.GENERATIONS) == []


def test_missing_files_keep_the_certificate_with_a_note(server: Server) -> None:
    server.scene.files.remove(GIVEN[1])
    server.run()
    assert server.in_use == "yearly"
    key = server.scene.files.locate(GIVEN[1])
    assert server.scene.prompter.said[-1] == (f"Certificate: {key} cannot be found; the one in use is kept.")


def test_path_to_a_missing_file_is_refused_before_it_is_stored(server: Server) -> None:
    typo = {"certificate__chain": ["/root/typo.pem"], "certificate__key": "/root/key.pem"}
    missing = r"the file /root/typo\.pem does not exist"
    with refused(CertificateError, "certificate-file-missing", missing):
        server.run(**typo)
    with pytest.raises(CertificateError, match=missing):
        certificate.STEP.refuse(server.scene.opened(**typo), ["environment", "certificate"])
