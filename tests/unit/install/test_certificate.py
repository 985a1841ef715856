"""Step `certificate`: found at the named or usual paths, checked and placed, or awaited."""

import base64
from datetime import timedelta
from typing import Any

import pytest

from mstunnel_setup.actions.files import Link, PlacedFile
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CertificateError, ExitCode, WaitingError
from mstunnel_setup.certificates import generations
from mstunnel_setup.certificates.read import read_material
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.steps import certificate
from tests.refusals import refused
from tests.testbed.certificates import as_pfx
from tests.unit.certificates.pki import Pki, key_bytes
from tests.unit.install.scenes import Scene


@pytest.fixture(autouse=True)
def directories(scene: Scene) -> None:
    """Create the directories of the step `environment`, and a system that trusts the root."""
    scene.files.make_directory(paths.CONFIGURATION)
    scene.files.make_directory(paths.CERTIFICATES)
    scene.files.make_directory(paths.PRIVATE, 0o700)
    scene.files.make_directory(paths.CA_TRUST)
    scene.trusted = (_PKI.certificate("root"),)


_PKI = Pki()


def _pem(scene: Scene, pki: Pki = _PKI) -> None:
    scene.write(paths.SITE_CERTIFICATE, pki.pem("leaf") + pki.pem("inter"))
    scene.write(paths.SITE_KEY, key_bytes(pki.key_name("leaf"))).chmod(0o600)


def _pfx(passphrase: bytes = b"", pki: Pki = _PKI) -> bytes:
    return as_pfx(pki.pem("leaf") + pki.pem("inter"), key_bytes(pki.key_name("leaf")), passphrase)


def _copies(run: Run) -> set[str]:
    """Return the files that are written to the usual paths."""
    actions = certificate.STEP.decide(certificate.STEP.gather(run))
    return {copy.path for copy in actions if isinstance(copy, PlacedFile)}


def _refused(scene: Scene, **answers: Any) -> CertificateError:
    scene.prompter.interactive = False
    with pytest.raises(CertificateError) as caught:
        certificate.STEP.gather(scene.opened(**answers))
    assert caught.value.exit_code is ExitCode.CERTIFICATE
    return caught.value


@pytest.mark.parametrize("kind", ["pem", "pfx"])
def test_only_files_outside_the_usual_paths_are_copied_there(scene: Scene, kind: str) -> None:
    pfx = str(scene.write("/root/site.pfx", _pfx()))
    scene.prompter.interactive = False
    named = {"certificate__pfx": pfx} if kind == "pfx" else scene.certificate(_PKI)
    assert _copies(scene.opened(**named)) == (
        {paths.SITE_PFX} if kind == "pfx" else {paths.SITE_CERTIFICATE, paths.SITE_KEY}
    )
    if kind == "pfx":
        scene.write(paths.SITE_PFX, _pfx())
    else:
        _pem(scene)
    assert _copies(scene.opened()) == set()


def test_a_chain_in_several_files_becomes_one_at_the_usual_place(scene: Scene) -> None:
    key = str(scene.write("/root/key.pem", key_bytes(_PKI.key_name("leaf"))))
    # One of the named files may already be at a usual path.
    leaf = str(scene.write(paths.SITE_CERTIFICATE, _PKI.pem("leaf")))
    inter = str(scene.write("/root/inter.der", _PKI.der("inter")))
    run = scene.opened(certificate__chain=[inter, leaf], certificate__key=key)
    scene.run(certificate.STEP, run)
    assert scene.files.read(paths.SITE_CERTIFICATE) == _PKI.pem("leaf") + _PKI.pem("inter")
    served = scene.files.read(f"{paths.ACTIVE}/chain.pem")
    assert served == _PKI.pem("leaf") + _PKI.pem("inter")
    assert certificate.STEP.gather(scene.opened()).copies == ()


@pytest.mark.parametrize(
    ("chain", "key"),
    [("chain", "key"), ("key", "chain"), ("both", "key"), ("key", "both"), ("both", None)],
    ids=["as named", "swapped", "key too", "key too, swapped", "key too, named alone"],
)
def test_world_readable_file_holds_certificates_only(scene: Scene, chain: str, key: str | None) -> None:
    """The file given as certificate may hold the key as well, and the two may be swapped."""
    certificates, private = _PKI.pem("leaf") + _PKI.pem("inter"), key_bytes(_PKI.key_name("leaf"))
    contents = {"chain": certificates, "key": private, "both": certificates + b"a remark\n" + private}
    named = {
        name: str(scene.write(f"/root/{file}.pem", contents[file]))
        for name, file in (("chain", chain), ("key", key))
        if file is not None
    }
    run = scene.opened(**{f"certificate__{name}": path for name, path in named.items()})
    scene.run(certificate.STEP, run)
    assert scene.files.read(paths.SITE_CERTIFICATE) == certificates
    written = read_material(scene.files.read(paths.SITE_KEY) or b"")
    assert (len(written.certificates), len(written.keys)) == (0, 1)
    # The written files can be read again.
    scene.prompter.said.clear()
    found = certificate.STEP.gather(scene.opened())
    assert (found.copies, found.fingerprint) == ((), generations.linked(run.host.files))
    assert scene.prompter.said == []


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (paths.SITE_CERTIFICATE, "site.crt holds a private key and has mode 0644"),
        (paths.SITE_PFX, f"{paths.SITE_PFX} has mode 0644, not 0600"),
    ],
)
def test_key_readable_by_others_at_the_usual_path_is_reported(scene: Scene, place: str, said: str) -> None:
    if place == paths.SITE_PFX:
        content = _pfx()
    else:
        _pem(scene)
        content = _PKI.pem("leaf") + _PKI.pem("inter") + key_bytes("p256")
    file = scene.write(place, content)
    file.chmod(0o600)
    certificate.STEP.gather(scene.opened())
    assert scene.prompter.said == []
    file.chmod(0o644)
    certificate.STEP.gather(scene.opened())
    assert said in scene.prompter.said[0]


def test_certificate_without_a_key_is_refused(scene: Scene) -> None:
    error = _refused(scene, **scene.certificate(_PKI) | {"certificate__key": None})
    assert error.code == "key-missing"
    assert "--key" in error.hint


@pytest.mark.parametrize("name", ["chain", "key", "pfx"])
def test_an_empty_file_is_named(scene: Scene, name: str) -> None:
    empty = str(scene.write("/root/empty", b"\n"))
    given = {} if name == "pfx" else scene.certificate(_PKI)
    error = _refused(scene, **given | {f"certificate__{name}": empty})
    assert (error.code, error.message) == ("input-empty", f"{empty} is empty")


def test_a_link_at_the_usual_place_is_followed_and_stays(scene: Scene) -> None:
    chain, key = scene.certificate(_PKI, "/root/live").values()
    scene.files.locate(paths.SITE_CERTIFICATE).symlink_to(chain)
    scene.files.locate(paths.SITE_KEY).symlink_to(key)
    assert _copies(scene.opened()) == set()
    scene.run(certificate.STEP, scene.opened())
    assert scene.files.state(paths.SITE_CERTIFICATE).kind == "link"  # type: ignore[union-attr]
    assert scene.files.read(f"{paths.ACTIVE}/chain.pem") == _PKI.pem("leaf") + _PKI.pem("inter")


def test_pem_comes_before_pfx_when_both_are_there(scene: Scene) -> None:
    _pem(scene)
    scene.write(paths.SITE_PFX, b"not looked at")
    facts = certificate.STEP.gather(scene.opened())
    assert facts.source.chain.endswith(paths.SITE_CERTIFICATE)
    # A single link switches chain and key together.
    link = Link(path=paths.ACTIVE, target=f"generations/{facts.fingerprint}")
    assert certificate.STEP.decide(facts)[-1] == link


def test_a_renewed_certificate_is_a_new_generation(scene: Scene) -> None:
    _pem(scene)
    scene.run(certificate.STEP, scene.opened())
    assert scene.run(certificate.STEP, scene.opened()) == ()
    _pem(scene, Pki({"leaf": {"days": 80}}, {"inter": _PKI.certificate("inter")}))
    assert len(scene.run(certificate.STEP, scene.opened())) == 3
    assert len(scene.files.names(paths.GENERATIONS)) == 2


def test_key_is_readable_by_root_only_and_not_in_the_journal(scene: Scene) -> None:
    scene.run(certificate.STEP, scene.opened(**scene.certificate(_PKI)))
    states = [scene.files.state(path) for path in (paths.GENERATIONS, f"{paths.ACTIVE}/key.pem")]
    assert [state.mode if state else None for state in states] == [0o710, 0o600]
    body = key_bytes(_PKI.key_name("leaf")).splitlines()[1].decode()
    assert body not in str(scene.journal.records)


@pytest.mark.parametrize(
    ("named", "places"),
    [
        ({}, f"put the chain in PEM at {paths.SITE_CERTIFICATE} and its key at {paths.SITE_KEY}, or both"),
        ({"chain": "/root/c.pem", "key": "/root/k.pem"}, "expected at /root/c.pem, /root/k.pem"),
        # One of the named files is missing.
        (
            {"chain": ["/etc/hosts", "/root/inter.pem"], "key": "/etc/hosts"},
            "expected at /etc/hosts, /root/inter.pem, /etc/hosts",
        ),
    ],
)
def test_unattended_run_names_the_expected_paths(scene: Scene, named: dict[str, Any], places: str) -> None:
    scene.prompter.interactive = False
    with refused(WaitingError, "certificate-awaited", places) as caught:
        certificate.STEP.gather(
            scene.opened(**{f"certificate__{name}": path for name, path in named.items()})
        )
    assert caught.value.exit_code is ExitCode.WAITING
    assert (paths.SITE_PFX in caught.value.message) is not bool(named)


PLACE, KEY = "Or enter the path of an existing certificate", "Path of its private key (PEM)"


@pytest.mark.parametrize(
    ("kind", "asked"),
    [("chain", [PLACE, KEY]), ("both", [PLACE]), ("PKCS12", [PLACE]), ("PFX", [PLACE])],
)
def test_person_may_enter_the_path_of_an_existing_certificate(
    scene: Scene, kind: str, asked: list[str]
) -> None:
    """The path may name a chain, chain and key in one file, or a PFX file in DER or PEM."""
    chain, key = _PKI.pem("leaf") + _PKI.pem("inter"), key_bytes(_PKI.key_name("leaf"))
    pem = f"-----BEGIN {kind}-----\n{base64.encodebytes(_pfx()).decode()}-----END {kind}-----\n".encode()
    files = {"site.pem": {"chain": chain, "both": chain + key}.get(kind, pem), "site.key": key}
    places = [str(scene.write(f"/root/{name}", content)) for name, content in files.items()]
    scene.prompter.typed = places[: len(asked)]
    run = scene.opened(certificate__chain="/root/no.pem", certificate__key="/root/no.key")
    scene.run(certificate.STEP, run)
    assert scene.prompter.asked == asked
    assert scene.files.read(f"{paths.ACTIVE}/chain.pem") == chain
    assert scene.files.read(f"{paths.ACTIVE}/key.pem")
    in_pem = kind in ("chain", "both")
    assert scene.files.read(paths.SITE_CERTIFICATE if in_pem else paths.SITE_PFX) == (
        chain if in_pem else pem
    )
    assert kind == "chain" or run.answers.certificate.key is None


@pytest.mark.parametrize("where", ["named by a person", "at its usual place"])
def test_the_passphrase_of_a_pfx_is_asked_for_without_echo(scene: Scene, where: str) -> None:
    usual = where == "at its usual place"
    pfx = scene.write(paths.SITE_PFX if usual else "/root/site.pfx", _pfx(b"geheim"))
    scene.prompter.typed = ["geheim"] if usual else [str(pfx), "geheim"]
    scene.run(certificate.STEP, scene.opened())
    assert scene.files.read(paths.SITE_PFX) == pfx.read_bytes()
    assert scene.files.read(f"{paths.ACTIVE}/chain.pem")
    assert "geheim" not in str(scene.journal.records)


def test_wrong_path_is_reported_and_asked_again(scene: Scene) -> None:
    chain, key = scene.certificate(_PKI).values()
    relative = chain.lstrip("/")
    scene.prompter.typed = ["/nowhere/site.pfx", relative, "", chain, key]
    scene.run(certificate.STEP, scene.opened())
    for path in ("/nowhere/site.pfx", relative):
        assert f"There is no file {path}. Type its full path, such as /root/site.pfx." in scene.prompter.said


def test_a_warning_is_shown_once_in_a_run(scene: Scene) -> None:
    """The step `site` checks the certificate again without repeating the warning."""
    scene.trusted = ()
    run = scene.opened(**scene.certificate(_PKI))
    certificate.STEP.gather(run)
    assert run.identity is not None
    certificate.examine(run, run.identity, "vpn.example.org")
    assert len(scene.prompter.said) == len(set(scene.prompter.said)) > 0


def test_a_passphrase_named_by_an_answer_is_not_asked_for(scene: Scene) -> None:
    pfx = scene.write("/root/site.pfx", _pfx(b"geheim"))
    place = scene.write("/root/passphrase", "geheim\n")
    place.chmod(0o600)
    run = scene.opened(certificate__pfx=str(pfx), certificate__passphrase=f"file:{place}")
    scene.run(certificate.STEP, run)
    assert scene.prompter.asked == []
    assert scene.secrets
    assert set(scene.secrets) == {"geheim"}


def test_wrong_passphrase_is_refused(scene: Scene) -> None:
    scene.write(paths.SITE_PFX, _pfx(b"geheim"))
    scene.write("/root/passphrase", "falsch\n").chmod(0o600)
    named = {
        "pfx": str(scene.files.locate(paths.SITE_PFX)),
        "passphrase": f"file:{scene.root}/root/passphrase",
    }
    error = _refused(scene, **{f"certificate__{name}": value for name, value in named.items()})
    assert error.code == "pfx-passphrase-wrong"
    assert "falsch" not in error.message + error.hint


def test_wrong_key_and_expired_certificate_are_refused(scene: Scene) -> None:
    _pem(scene)
    scene.clock.elapsed = timedelta(days=100).total_seconds()
    assert _refused(scene).code == "expired"
    scene.write(paths.SITE_KEY, key_bytes("p256/other"))
    assert _refused(scene).code == "key-mismatch"


def test_a_warning_is_reported_and_the_run_continues(scene: Scene) -> None:
    _pem(scene)
    scene.clock.elapsed = timedelta(days=75).total_seconds()
    certificate.STEP.gather(scene.opened())
    (said,) = scene.prompter.said
    assert said.startswith("Certificate: the certificate expires on 2026-08-20 (days left: ")


@pytest.mark.parametrize("added", [True, False])
def test_root_that_devices_need_is_shown_once(scene: Scene, *, added: bool) -> None:
    _pem(scene)
    scene.trusted = ()
    if added:
        scene.write(f"{paths.CA_TRUST}/own.crt", _PKI.pem("root"))
    else:
        scene.write(paths.SITE_CERTIFICATE, _PKI.pem("leaf") + _PKI.pem("inter") + _PKI.pem("root"))
    scene.run(certificate.STEP, scene.opened())
    assert "Give devices the whole chain with a trusted certificate profile" in "".join(scene.prompter.said)
    scene.prompter.said.clear()
    scene.run(certificate.STEP, scene.opened())
    assert scene.prompter.said == []


def test_self_signed_certificate_is_accepted_only_in_a_lab(scene: Scene) -> None:
    pki = Pki({"leaf": {"issuer": "leaf"}})
    scene.write(paths.SITE_CERTIFICATE, pki.pem("leaf"))
    scene.write(paths.SITE_KEY, key_bytes(pki.key_name("leaf"))).chmod(0o600)
    assert _refused(scene, tenant__cloud="gcc-high").code == "self-signed"
    lab = {"tenant__authority": "https://lab:1", "tenant__graph": "https://lab:1/graph"}
    run = scene.opened(tenant__cloud="custom", **lab)
    certificate.STEP.gather(run)
    assert run.identity is not None
    (said,) = scene.prompter.said
    assert "the certificate is self-signed: devices do not trust it" in said


def test_only_the_address_of_the_joined_site_is_checked(scene: Scene) -> None:
    _pem(scene)
    certificate.STEP.gather(scene.opened())
    scene.remember("joined-site", {"id": "1", "name": "Berlin", "public_address": "vpn.elsewhere.org"})
    assert "vpn.elsewhere.org" in _refused(scene).message


def test_renewed_pfx_is_imported_despite_older_pem_files(scene: Scene) -> None:
    """The vendor documents a new site.pfx and `import_cert`; the earlier PEM files still exist."""
    _pem(scene)
    first = certificate.find(scene.opened())
    scene.prompter.interactive = False
    scene.write(paths.SITE_PFX, _pfx(pki=Pki({"leaf": {"days": 200}})))
    assert certificate.find(scene.opened()).fingerprint == first.fingerprint, "nothing is in use yet"

    for path, mode in ((paths.GENERATIONS, 0o700), (f"{paths.GENERATIONS}/{first.fingerprint}", 0o700)):
        scene.files.make_directory(path, mode)
    scene.files.link(paths.ACTIVE, f"generations/{first.fingerprint}")
    found = certificate.find(scene.opened())
    assert found.source.pfx.endswith(paths.SITE_PFX)
    assert found.fingerprint != first.fingerprint
