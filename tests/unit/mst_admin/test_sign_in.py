"""Signing in to `mst-admin` by variables, as a person and unattended."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mst_admin.cli import app
from mstunnel_lab import remote
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import ExitCode
from mstunnel_setup.cli.framework.render import run_app
from mstunnel_setup.io.files import Files
from tests.unit.mst_admin.labs import Tenant

ADMINISTRATOR = "admin@lab.example"
COMMAND = [sys.executable, "-c", "import sys; from mst_admin.cli import main; sys.exit(main())"]


def _environment(tenant: Tenant) -> dict[str, str]:
    return {
        **os.environ,
        "MSTUNNEL_TENANT_CLOUD": "custom",
        "MSTUNNEL_TENANT_AUTHORITY": tenant.facts["authority"],
        "MSTUNNEL_TENANT_GRAPH": tenant.facts["graph"],
        "MSTUNNEL_CA_FILE": tenant.facts["ca_file"],
    }


def _sign_in(tenant: Tenant, user: str, *arguments: str) -> tuple[int, str, str]:
    """Run a command, approve its device code as a user; exit code, standard output and error."""
    environment = {**_environment(tenant), "MSTUNNEL_SIGN_IN_CLIENT_ID": tenant.facts["client_id"]}
    with subprocess.Popen(
        [*COMMAND, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        code = ""
        while not code:
            line = process.stderr.readline()
            assert line
            found = re.fullmatch(r"\s+([A-Z0-9-]{8,})\s*", line)
            code = found[1] if found else ""
        remote.approve(tenant.directory, code, user)
        out, errors = process.communicate()
    return process.returncode, out, errors


def test_a_person_signs_in_with_a_device_code(tenant: Tenant) -> None:
    code, out, _ = _sign_in(tenant, ADMINISTRATOR, "site", "list")
    assert code == 0
    assert "gw.lab.example" in out


def test_the_cloud_app_takes_the_role_that_its_documentation_names(tenant: Tenant) -> None:
    user = "apps@lab.example"
    assert _sign_in(tenant, user, "conditional-access", "provision")[0] == 0
    code, _, errors = _sign_in(tenant, user, "site", "list")
    assert code == ExitCode.SIGN_IN
    assert "is neither Intune Administrator" in errors


def test_unattended_all_missing_answers_are_named_at_once(tenant: Tenant) -> None:
    environment = {**_environment(tenant), "MSTUNNEL_SIGN_IN_METHOD": "device-code"}
    done = subprocess.run(
        [*COMMAND, "site", "list", "--unattended"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == ExitCode.USAGE
    assert "MSTUNNEL_SIGN_IN_CLIENT_ID" in done.stderr


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_the_roots_of_the_gateway_are_trusted_here_too(
    tenant: Tenant, tmp_path: Path, capsys: pytest.CaptureFixture[str], encoding: Encoding
) -> None:
    given = json.loads(tenant.answers().read_text())
    root = x509.load_pem_x509_certificate(Path(given["tenant"].pop("ca_file")).read_bytes())
    answers, files = tmp_path / "answers.yaml", Files(tmp_path)
    answers.write_text(json.dumps(given))
    command = ["config", "list", "--answers", str(answers), "--root", str(tmp_path), "--unattended"]
    assert run_app(app, "mst-admin", command) == ExitCode.NETWORK
    files.make_directories(paths.CA_TRUST)
    files.write(f"{paths.CA_TRUST}/lab.crt", root.public_bytes(encoding))
    assert run_app(app, "mst-admin", command) == ExitCode.DONE
    assert "Main" in capsys.readouterr().out
