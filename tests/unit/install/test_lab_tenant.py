"""`--lab`: a lab tenant is verified by its printed fingerprint and supplies all tenant answers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.answers.merge import merge
from mstunnel_setup.base.errors import NetworkError, SetupError, TenantError, UsageError
from mstunnel_setup.cli import setup
from mstunnel_setup.cli.framework.render import run_app
from mstunnel_setup.install import lab_tenant
from mstunnel_setup.install.lab_tenant import with_lab
from mstunnel_setup.install.request import InstallRequest
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.http import HttpSession
from tests.refusals import refused
from tests.unit.running_lab import running_lab

OTHER = "sha256:" + "0" * 64


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with running_lab(tmp_path_factory.mktemp("lab")) as description:
        yield description


def printed(lab: dict[str, Any]) -> str:
    """Return the text that the lab prints for `--lab`."""
    return str(lab["setup"]).rpartition(" ")[2]


def test_the_printed_command_answers_everything_about_the_tenant(lab: dict[str, Any]) -> None:
    answers = merge(with_lab(Clock(), InstallRequest(lab=printed(lab))).settings, {})
    assert (answers.tenant.cloud, answers.tenant.authority, answers.tenant.graph) == (
        "custom",
        lab["authority"],
        lab["graph"],
    )
    assert answers.sign_in.client_id == lab["client_id"]
    assert answers.tenant.ca_pem == Path(lab["ca_file"]).read_text()


def test_the_root_it_gives_verifies_the_lab(lab: dict[str, Any]) -> None:
    settings = with_lab(Clock(), InstallRequest(lab=printed(lab))).settings
    session = HttpSession(Clock(), roots=settings["tenant.ca_pem"])
    assert session.get(f"{lab['authority']}/v2.0/.well-known/openid-configuration").status_code == 200
    session.close()


def test_other_answers_override_those_of_the_lab(lab: dict[str, Any]) -> None:
    own = "44444444-0000-0000-0000-000000000000"
    request = InstallRequest(settings={"sign_in.client_id": own, "site": "Berlin"}, lab=printed(lab))
    settings = with_lab(Clock(), request).settings
    assert (settings["sign_in.client_id"], settings["site"]) == (own, "Berlin")


def test_without_a_lab_the_request_stays_unchanged() -> None:
    request = InstallRequest(settings={"site": "Berlin"})
    assert with_lab(Clock(), request) is request


@pytest.mark.parametrize(
    ("change", "kind", "code", "said"),
    [
        (lambda text: text.partition("#")[0] + "#" + OTHER, NetworkError, "lab-fingerprint-wrong", OTHER),
        (lambda text: text.partition("#")[0], UsageError, "lab-fingerprint-missing", "#sha256:"),
        (lambda text: text[:-1], UsageError, "lab-fingerprint-missing", "64 hex digits"),
        (lambda text: text.replace("https:", "http:"), UsageError, "lab-address-invalid", "http://"),
        (lambda _text: f"https://127.0.0.1:9#{OTHER}", NetworkError, "root-unreachable", "127.0.0.1:9"),
        (
            lambda text: text.replace("#", "/nothing#"),
            NetworkError,
            "root-unreachable",
            "HTTP 404",
        ),
    ],
)
def test_lab_that_cannot_be_used_is_refused(
    lab: dict[str, Any], change: Any, kind: type[SetupError], code: str, said: str
) -> None:
    with refused(kind, code) as caught:
        with_lab(Clock(), InstallRequest(lab=change(printed(lab))))
    assert said in caught.value.message


def test_the_fingerprint_may_be_in_upper_case(lab: dict[str, Any]) -> None:
    address, _, digits = printed(lab).partition("#sha256:")
    assert with_lab(Clock(), InstallRequest(lab=f"{address}/#sha256:{digits.upper()}")).settings


def test_server_that_is_not_a_lab_is_reported(lab: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab_tenant, "_CONNECTION", "/devicelogin")
    with refused(TenantError, "lab-connection-invalid"):
        with_lab(Clock(), InstallRequest(lab=printed(lab)))


def test_a_wrong_fingerprint_changes_nothing(
    lab: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("etc", "run", "var/lib"):
        (tmp_path / name).mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    wrong = printed(lab).partition("#")[0] + "#" + OTHER
    arguments = ["--root", str(tmp_path), "--lab", wrong, "--accept-eula", "--unattended", "--output", "json"]
    assert run_app(setup.app, "mstunnel-setup", arguments) == NetworkError.exit_code
    assert json.loads(capsys.readouterr().out)["errors"][0]["code"] == "lab-fingerprint-wrong"
    assert sorted(tmp_path.rglob("*")) == before
