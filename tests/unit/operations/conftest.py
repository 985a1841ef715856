"""A server below another root whose certificate was issued by a test authority."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.result import Result
from mstunnel_setup.certificates.expiry import Expiry
from mstunnel_setup.cli import mst_cli, setup
from mstunnel_setup.cli.framework.render import run_app
from mstunnel_setup.operations import status
from mstunnel_setup.operations.certificate.summary import CertificateSummary
from tests.unit.certificates.authority import Authority
from tests.unit.schemas import validate


def validated(command: str, result: Result) -> Result:
    """Return the result after validating its JSON by the command's schema."""
    warnings = [notice.data for notice in result.warnings]
    fixed = {"schema": "mstunnel/1", "command": command, "status": result.status, "errors": []}
    validate({**fixed, "data": dict(result.data), "warnings": warnings})
    return result


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make everything that `status` checks besides the containers healthy."""
    monkeypatch.setattr(status, "complete", lambda _receipt: True)
    certificate = CertificateSummary(
        days_left=90, not_after="2027-01-01", expiry=Expiry.FAR, revocation=None, pending=()
    )
    monkeypatch.setattr(CertificateSummary, "read", lambda *_: certificate)
    monkeypatch.setattr(status, "monitor_notices", lambda _ports: ())


PLACES = ("run", "etc/mstunnel/certs", "etc/mstunnel/private", "var/lib", "var/log")


@dataclass
class Server:
    """A server below `root` that uses the certificate `good`; `place` has the files of `good` and `next`.

    Calling it runs a command of mst-cli there and returns exit code, stdout and stderr. `import_cert` gets
    the options for `good` unless it has a key already or is `bare`.
    """

    place: Path
    capsys: pytest.CaptureFixture[str]

    @property
    def root(self) -> Path:
        return self.place / "root"

    @property
    def in_use(self) -> str:
        """The generation in use."""
        return self.file(paths.ACTIVE).readlink().name

    def file(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def given(self, name: str) -> tuple[str, ...]:
        """Return the options that name a certificate."""
        return ("--cert", str(self.place / f"{name}-chain.pem"), "--key", str(self.place / f"{name}.key"))

    def __call__(self, *words: str, bare: bool = False) -> tuple[int, str, str]:
        named = words[0] != "import_cert" or "--key" in words or bare
        options = ["--root", str(self.root), "--unattended", *(() if named else self.given("good"))]
        code = run_app(mst_cli.app, "mst-cli", [*words, *options])
        shown = self.capsys.readouterr()
        return code, shown.out, shown.err

    def json(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Run a command and return its exit code and its JSON output."""
        code, out, _err = self(*words, "--output", "json")
        return code, json.loads(out)


@pytest.fixture(scope="session")
def server_with_certificate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Provide an authority that answers requests, and below `root` a server that uses its certificate."""
    place = tmp_path_factory.mktemp("server")
    authority = Authority(place, host="127.0.0.1", name="vpn.example.com")
    for name in ("good", "next"):
        authority.issue(name)
        chain = (place / f"{name}.pem").read_bytes() + (place / "ca.pem").read_bytes()
        (place / f"{name}-chain.pem").write_bytes(chain)
    for folder in PLACES:
        (place / "root" / folder).mkdir(parents=True, mode=0o700)
    given = ["--cert", str(place / "good-chain.pem"), "--key", str(place / "good.key")]
    common = ["--root", str(place / "root"), "--unattended", *given]
    with authority.responding():
        words = ["step", "certificate", "--accept-eula", *common]
        assert run_app(setup.app, "mstunnel-setup", words) == 0
        yield place


@pytest.fixture
def installed(server_with_certificate: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Server:
    shutil.copytree(server_with_certificate, tmp_path, symlinks=True, dirs_exist_ok=True)
    return Server(tmp_path, capsys)
