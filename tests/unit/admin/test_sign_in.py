"""Signing in to `mst-admin` by variables, as a person and unattended."""

import os
import re
import subprocess
import sys

from mstunnel_setup.errors import ExitCode
from mstunnel_setup.lab import remote
from tests.unit.admin.labs import Tenant

COMMAND = [sys.executable, "-c", "import sys; from mstunnel_setup.cli.admin import main; sys.exit(main())"]


def _environment(tenant: Tenant) -> dict[str, str]:
    return {
        **os.environ,
        "MSTUNNEL_TENANT_CLOUD": "custom",
        "MSTUNNEL_TENANT_AUTHORITY": tenant.facts["authority"],
        "MSTUNNEL_TENANT_GRAPH": tenant.facts["graph"],
        "MSTUNNEL_CA_FILE": tenant.facts["ca_file"],
    }


def test_a_person_signs_in_with_a_device_code(tenant: Tenant) -> None:
    environment = {**_environment(tenant), "MSTUNNEL_SIGN_IN_CLIENT_ID": tenant.facts["client_id"]}
    with subprocess.Popen(
        [*COMMAND, "site", "list"],
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
        remote.approve(tenant.directory, code, "admin@lab.example")
        assert "gw.lab.example" in process.stdout.read()
    assert process.returncode == 0


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
