"""`mstunnel-setup answers`: a commented file, its schema, and the answers of an installation."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.answers.load import load
from mstunnel_setup.answers.model import AnswerFile
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CheckError, UsageError
from mstunnel_setup.base.result import Result
from mstunnel_setup.containers.release_images import ReleaseImages
from mstunnel_setup.install import answer_file
from mstunnel_setup.install.answer_file import save
from mstunnel_setup.install.steps.environment import TENANT_ROOTS
from mstunnel_setup.io.operator import Operator
from tests.refusals import refused
from tests.unit.certificates.pki import Pki
from tests.unit.install.scenes import AGENT_IMAGE, BERLIN, SERVER_IMAGE, Scene
from tests.unit.operators import operator_of
from tests.unit.results import lines_of

WRITERS = [answer_file.new, answer_file.schema]


@pytest.fixture
def file(private: Path) -> Path:
    return private / "next.yaml"


@pytest.mark.parametrize("write", WRITERS)
def test_file_equals_the_printed_answers(
    write: Callable[[Operator, Path | None], Result], tmp_path: Path, file: Path
) -> None:
    operator = operator_of(tmp_path)
    printed, written = write(operator, None), write(operator, file)
    assert (printed.status, written.status) == ("ok", "changed")
    assert file.read_text().splitlines() == lines_of(printed)
    assert written.data == {"file": str(file)}
    assert file.stat().st_mode & 0o777 == 0o600


def test_new_answer_file_loads_and_schema_is_valid_json(tmp_path: Path, file: Path) -> None:
    answer_file.new(operator_of(tmp_path), file)
    assert load(file).answers.version == 1
    file.unlink()
    answer_file.schema(operator_of(tmp_path), file)
    assert json.loads(file.read_text())["properties"]["version"]


@pytest.mark.parametrize("write", [*WRITERS, save])
def test_a_file_that_is_there_is_left_alone(
    write: Callable[[Operator, Path], Result], installed: Scene, file: Path
) -> None:
    file.write_text("mine")
    with refused(UsageError, "file-exists"):
        write(operator_of(installed.root), file)
    assert file.read_text() == "mine"


TOLD: dict[str, Any] = {
    "server_name": "gw1",
    "existing_record": "replace",
    "tenant.ca_file": "/root/ca.pem",
    "sign_in.client_id": "44444444-0000-0000-0000-000000000000",
    "certificate.pfx": "/root/site.pfx",
    "certificate.passphrase": "file:/root/passphrase",
}


@pytest.fixture
def installed(scene: Scene) -> Scene:
    """Return a host whose installation got the answers `TOLD`, and a site typed by a person."""
    scene.remember("answers", TOLD)
    scene.remember("accepted-eula", {"sha256": "0" * 64, "who": "root"})
    scene.join(BERLIN)
    scene.remember("images.server", SERVER_IMAGE)
    scene.remember("images.agent", AGENT_IMAGE)
    return scene


def saved(scene: Scene, file: Path) -> tuple[AnswerFile, Result]:
    """Save the answers; return the file as read again, and the result of the command."""
    result = save(operator_of(scene.root), file)
    return load(file).answers, result


def test_all_answers_are_saved(installed: Scene, private: Path) -> None:
    answers, result = saved(installed, private / "next.yaml")
    assert (answers.eula, answers.site, answers.images.server) == ("accept", BERLIN.id, SERVER_IMAGE)
    assert answers.sign_in.client_id == TOLD["sign_in.client_id"]
    assert (answers.certificate.pfx, str(answers.certificate.passphrase)) == (
        "/root/site.pfx",
        "file:/root/passphrase",
    )
    assert (result.status, result.data) == ("changed", {"file": str(private / "next.yaml")})
    assert "mstunnel-setup --answers next.yaml --unattended" in str(result.text)
    # Answers that apply to this server only are left out.
    assert (answers.server_name, answers.existing_record) == (None, "fail")
    # The file names its schema for editors.
    first, second = (private / "next.yaml").read_text().splitlines()[:2]
    assert first == "# yaml-language-server: $schema=answers.schema.json"
    assert second.endswith("mstunnel-setup answers schema > answers.schema.json")


def test_roots_of_the_tenant_are_saved_as_text(installed: Scene, private: Path) -> None:
    """The answer file holds the text of the roots, since their file exists on this server only."""
    root = Pki().pem("root")
    installed.write(TENANT_ROOTS, b"Root of the lab\n" + root)
    answers, _ = saved(installed, private / "next.yaml")
    assert (answers.tenant.ca_file, answers.tenant.ca_pem) == (None, root.decode())


def test_settings_edited_in_env_sh_are_saved(installed: Scene, private: Path) -> None:
    installed.write(paths.ENVIRONMENT, "https_proxy=http://p:1\nHTTPS_PROXY=http://p:1\nTRACE_SESSIONS=1\n")
    answers, result = saved(installed, private / "next.yaml")
    assert answers.environment == {"https_proxy": "http://p:1", "TRACE_SESSIONS": "1"}
    assert result.warnings == ()


def test_a_proxy_with_a_password_is_left_out_and_named(installed: Scene, private: Path) -> None:
    installed.write(paths.ENVIRONMENT, "https_proxy=http://user:hunter2@p:1\nno_proxy=x@y\n")
    answers, result = saved(installed, private / "next.yaml")
    assert answers.environment == {"no_proxy": "x@y"}
    assert [(notice.code, "https_proxy" in notice.message) for notice in result.warnings] == [
        ("proxy-left-out", True)
    ]
    assert "hunter2" not in (private / "next.yaml").read_text()


def test_images_of_the_release_are_left_to_the_release(
    installed: Scene, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = ReleaseImages("sha256:" + "a" * 64, "sha256:" + "c" * 64, "images.tar", "registry.example.com")
    monkeypatch.setattr(answer_file, "release_images", lambda: own)
    installed.remember("images.server", own.references(None)["server"])
    answers, _ = saved(installed, private / "next.yaml")
    assert (answers.images.server, answers.images.agent) == (None, AGENT_IMAGE)


def test_without_an_installation_there_is_nothing_to_save(scene: Scene, private: Path) -> None:
    with refused(CheckError, "not-installed"):
        save(operator_of(scene.root), private / "next.yaml")
    assert not (private / "next.yaml").exists()
