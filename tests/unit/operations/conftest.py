"""A server below another root where a certificate of a real authority is in use."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from mstunnel_setup.base.result import Result
from mstunnel_setup.cli import mst_cli, setup
from mstunnel_setup.cli.framework.render import run_app
from tests.unit.certificates.authority import Authority
from tests.unit.schemas import validate


def validated(command: str, result: Result) -> Result:
    """The result, whose JSON keeps the schema of the command."""
    warnings = [notice.data for notice in result.warnings]
    fixed = {"schema": "mstunnel/1", "command": command, "status": result.status, "errors": []}
    validate({**fixed, "data": dict(result.data), "warnings": warnings})
    return result


PLACES = ("run", "etc/mstunnel/certs", "etc/mstunnel/private", "var/lib", "var/log")
Command: TypeAlias = Callable[..., tuple[int, str, str]]


@pytest.fixture
def installed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """A command of mst-cli where the certificate `good` is in use: its exit code, stdout and stderr.

    `import_cert` is given that certificate unless it is given another key or is `bare`. `next` is issued as
    well.
    """
    authority = Authority(tmp_path, host="127.0.0.1", name="vpn.example.com")
    for name in ("good", "next"):
        authority.issue(name)
    root = tmp_path / "root"
    for place in PLACES:
        (root / place).mkdir(parents=True, mode=0o700)
    chain = (tmp_path / "good.pem").read_bytes() + (tmp_path / "ca.pem").read_bytes()
    (tmp_path / "chain.pem").write_bytes(chain)
    common = ["--root", str(root), "--unattended"]
    given = [*common, "--cert", str(tmp_path / "chain.pem"), "--key", str(tmp_path / "good.key")]

    def run(*words: str, bare: bool = False) -> tuple[int, str, str]:
        options = given if words[0] == "import_cert" and "--key" not in words and not bare else common
        code = run_app(mst_cli.app, "mst-cli", [*words, *options])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    assert run_app(setup.app, "mstunnel-setup", ["step", "certificate", "--accept-eula", *given]) == 0
    capsys.readouterr()
    return run
