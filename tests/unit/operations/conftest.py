"""A server below another root where a certificate of a real authority is in use."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from mstunnel_setup.base.result import Result
from mstunnel_setup.cli import mst_cli, setup
from mstunnel_setup.cli.framework.render import run_app
from mstunnel_setup.operations import status
from mstunnel_setup.operations.certificate.summary import CertificateSummary
from tests.unit.certificates.authority import Authority
from tests.unit.schemas import validate


def validated(command: str, result: Result) -> Result:
    """The result, whose JSON keeps the schema of the command."""
    warnings = [notice.data for notice in result.warnings]
    fixed = {"schema": "mstunnel/1", "command": command, "status": result.status, "errors": []}
    validate({**fixed, "data": dict(result.data), "warnings": warnings})
    return result


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `status` finds besides the containers is as it should be: installation, certificate, monitor."""
    monkeypatch.setattr(status, "complete", lambda _receipt: True)
    certificate = CertificateSummary(days_left=90, not_after="2027-01-01", revocation=None, pending=())
    monkeypatch.setattr(CertificateSummary, "read", lambda *_: certificate)
    monkeypatch.setattr(status, "monitor_notices", lambda _ports: ())


PLACES = ("run", "etc/mstunnel/certs", "etc/mstunnel/private", "var/lib", "var/log")
Command: TypeAlias = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def server_with_certificate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with an authority that answers, and below `root` a server that uses its certificate."""
    place = tmp_path_factory.mktemp("server")
    authority = Authority(place, host="127.0.0.1", name="vpn.example.com")
    for name in ("good", "next"):
        authority.issue(name)
    for folder in PLACES:
        (place / "root" / folder).mkdir(parents=True, mode=0o700)
    chain = (place / "good.pem").read_bytes() + (place / "ca.pem").read_bytes()
    (place / "chain.pem").write_bytes(chain)
    with authority.responding():
        given = ["--cert", str(place / "chain.pem"), "--key", str(place / "good.key")]
        words = [
            "step",
            "certificate",
            "--accept-eula",
            "--root",
            str(place / "root"),
            "--unattended",
            *given,
        ]
        assert run_app(setup.app, "mstunnel-setup", words) == 0
        yield place


@pytest.fixture
def installed(server_with_certificate: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """A command of mst-cli where the certificate `good` is in use: its exit code, stdout and stderr.

    `import_cert` is given that certificate unless it is given another key or is `bare`. `next` is issued as
    well.
    """
    shutil.copytree(server_with_certificate, tmp_path, symlinks=True, dirs_exist_ok=True)
    common = ["--root", str(tmp_path / "root"), "--unattended"]
    given = [*common, "--cert", str(tmp_path / "chain.pem"), "--key", str(tmp_path / "good.key")]

    def run(*words: str, bare: bool = False) -> tuple[int, str, str]:
        options = given if words[0] == "import_cert" and "--key" not in words and not bare else common
        code = run_app(mst_cli.app, "mst-cli", [*words, *options])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run
