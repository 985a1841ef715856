"""The step `certificate` checks and places the CAs and CRLs for device certificates."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.answers.merge import require
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CertificateError, UsageError
from mstunnel_setup.gateway.ocserv_conf import DEVICE_AUTHORITY, DEVICE_REVOCATIONS
from mstunnel_setup.install import device_certificates
from mstunnel_setup.install.preflight import refuse_unready
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.steps import certificate, configure
from mstunnel_setup.io.process import Completed
from tests.refusals import refused
from tests.unit.certificates.revocation_material import PKI, revocation_list
from tests.unit.install.scenes import Scene, paths_of

LIST, NEWER = revocation_list(pem=True), revocation_list(pem=True, without_leaf=True)
PLACED = [f"file:{DEVICE_AUTHORITY}", f"file:{DEVICE_REVOCATIONS}"]


@pytest.fixture(autouse=True)
def unattended(scene: Scene) -> None:
    scene.prompter.interactive = False
    for directory in (paths.CERTIFICATES, paths.PRIVATE):
        scene.files.make_directories(directory)


def opened(scene: Scene, **answers: Any) -> Run:
    return scene.opened(**scene.certificate(PKI), **CLOUD, **answers)


CLOUD = {
    "tenant__cloud": "custom",
    "tenant__authority": "https://login.test",
    "tenant__graph": "https://graph.test",
}


def run(scene: Scene, **answers: Any) -> Sequence[str]:
    given = {"authentication": "certificate", **answers}
    return paths_of(scene.run(certificate.STEP, opened(scene, **given)))


def given_files(scene: Scene) -> dict[str, str]:
    return {
        "devices__ca_file": str(scene.write("/root/device-ca.pem", PKI.pem("inter"))),
        "devices__crl_file": str(scene.write("/root/device-ca.crl", LIST)),
    }


def test_device_ca_and_crl_are_placed_once_and_uninstalled(scene: Scene) -> None:
    files = given_files(scene)
    assert set(PLACED) <= set(run(scene, **files))
    assert scene.files.read(DEVICE_AUTHORITY) == PKI.pem("inter")
    assert scene.files.read(DEVICE_REVOCATIONS) == LIST
    assert [scene.files.state(path).mode for path in (DEVICE_AUTHORITY, DEVICE_REVOCATIONS)] == [0o644] * 2  # type: ignore[union-attr]
    assert run(scene, **files) == []
    scene.undo()
    assert scene.files.state(DEVICE_AUTHORITY) is scene.files.state(DEVICE_REVOCATIONS) is None


def test_running_the_step_again_places_a_newer_crl(scene: Scene) -> None:
    files = given_files(scene)
    run(scene, **files)
    scene.write("/root/device-ca.crl", NEWER)
    assert run(scene, **files) == PLACED[1:]
    assert scene.files.read(DEVICE_REVOCATIONS) == NEWER


def test_running_gateway_loads_a_newer_list_at_once(scene: Scene) -> None:
    reloads: list[Sequence[str]] = []

    def execute(arguments: Sequence[str]) -> Completed:
        reloads.append(arguments)
        return Completed(0, "", "")

    scene.engine.answer = execute
    files = given_files(scene)
    run(scene, **files)
    assert reloads == []  # no gateway was started yet
    scene.journal.append("step", step="launch")
    run(scene, **files)
    assert reloads == []  # nothing has changed
    scene.write("/root/device-ca.crl", NEWER)
    run(scene, **files)
    assert reloads == [("sh", "-c", "kill -HUP 1")]


def test_placed_files_stay_when_their_sources_are_gone(scene: Scene) -> None:
    files = given_files(scene)
    scene.remember("answers", {name.replace("__", "."): path for name, path in files.items()})
    run(scene, **files)
    for path in files.values():
        Path(path).unlink()
    assert run(scene, **files) == run(scene) == []
    for path, placed in zip(files.values(), (DEVICE_AUTHORITY, DEVICE_REVOCATIONS), strict=True):
        assert (
            f"Devices: {path} cannot be found; {placed}, made of it earlier, is kept." in scene.prompter.said
        )


@pytest.mark.parametrize("setting", ["devices__ca_file", "devices__crl_file"])
def test_path_to_a_missing_file_is_refused_before_it_is_stored(scene: Scene, setting: str) -> None:
    files = given_files(scene)
    scene.remember("answers", {name.replace("__", "."): path for name, path in files.items()})
    run(scene, **files)
    typo = {"authentication": "certificate", **files, setting: "/root/typo.pem"}
    missing = r"the file /root/typo\.pem does not exist"
    with refused(CertificateError, "certificate-file-missing", missing):
        run(scene, **typo)
    with pytest.raises(CertificateError, match=missing):
        certificate.STEP.refuse(opened(scene, **typo), ["environment", "certificate"])


def test_token_sign_in_needs_no_device_ca(scene: Scene) -> None:
    assert not set(PLACED) & set(run(scene, authentication="oidc"))
    assert device_certificates.missing(opened(scene)) == ()


def test_certificate_sign_in_needs_a_device_ca(scene: Scene) -> None:
    also = {"authentication": "oidc", "authentication_also": "certificate"}
    assert PLACED[0] in run(scene, **also, **given_files(scene))


def test_missing_device_ca_is_reported_as_a_missing_answer(scene: Scene) -> None:
    without = opened(scene, authentication="certificate")
    with refused(UsageError, "answers-missing", r"`devices\.ca_file`: give MSTUNNEL_DEVICES_CA_FILE or"):
        require(without.answers, certificate.STEP.missing(without))


def test_a_person_is_asked_until_the_file_can_be_used(scene: Scene) -> None:
    scene.prompter.interactive = True
    wrong = scene.write("/root/leaf.pem", PKI.pem("leaf"))
    right = scene.write("/root/ca.pem", PKI.pem("inter"))
    scene.prompter.typed = ["device-ca.pem", "/root/none.pem", str(wrong), str(right)]
    asked = opened(scene, authentication="certificate")
    scene.run(certificate.STEP, asked)
    assert (scene.files.read(DEVICE_AUTHORITY), asked.answers.devices.ca_file) == (
        PKI.pem("inter"),
        str(right),
    )
    relative, none, leaf = scene.prompter.said[-3:]
    assert "device-ca.pem does not exist" in relative
    assert "/root/none.pem does not exist" in none
    assert "leaf is not a CA" in leaf


def test_unusable_files_are_refused_before_the_first_change(scene: Scene) -> None:
    files = given_files(scene)
    scene.write("/root/device-ca.crl", revocation_list(signer="p256/stranger"))
    with pytest.raises(CertificateError, match="not signed by that CA"):
        refuse_unready(scene.opened(authentication="certificate", **files), ["certificate"])
    scene.write("/root/device-ca.pem", PKI.pem("leaf"))
    with pytest.raises(CertificateError, match="leaf is not a CA"):
        refuse_unready(scene.opened(authentication="certificate", **files), ["certificate"])


def test_crl_changed_after_the_check_is_not_placed(scene: Scene) -> None:
    files = given_files(scene)
    planned = device_certificates.placing(opened(scene, authentication="certificate", **files))
    scene.write("/root/device-ca.crl", NEWER)
    with pytest.raises(CertificateError, match="changed since the check"):
        planned[-1].apply(opened(scene).host, {})


def test_journal_does_not_hold_the_crl(scene: Scene) -> None:
    run(scene, **given_files(scene))
    journal = "".join(str(record) for record in scene.journal.records)
    assert "BEGIN X509 CRL" not in journal
    assert "device-ca.crl" in journal


def test_other_authentication_removes_device_ca_and_crl(scene: Scene) -> None:
    run(scene, **given_files(scene))
    runner = scene.opened().runner
    assert runner.take_back(configure.STEP.obsolete(opened(scene, authentication="certificate"))) == []
    runner.take_back(configure.STEP.obsolete(opened(scene)))
    assert scene.files.state(DEVICE_AUTHORITY) is scene.files.state(DEVICE_REVOCATIONS) is None
    assert scene.files.state(paths.SITE_CERTIFICATE) is not None
