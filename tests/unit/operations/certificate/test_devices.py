"""`mst-cli cert check` says when devices are no longer checked as they should be."""

import json
from pathlib import Path

from mstunnel_setup.base.errors import ExitCode
from mstunnel_setup.gateway.ocserv_conf import DEVICE_AUTHORITY, DEVICE_REVOCATIONS
from tests.testbed.certificates import Authority
from tests.unit.certificates.revocation_material import revocation_list
from tests.unit.operations.conftest import Command


def findings(command: Command) -> tuple[int, dict[str, str]]:
    code, out, _ = command("cert", "check", "--output", "json")
    return code, {item["id"]: item["message"] for item in json.loads(out)["data"]["findings"]}


def test_a_list_that_is_out_of_date_or_of_another_ca_is_an_error(installed: Command, tmp_path: Path) -> None:
    authority, root = Authority(), tmp_path / "root"
    (root / DEVICE_AUTHORITY.lstrip("/")).write_bytes(authority.pem)
    listed = root / DEVICE_REVOCATIONS.lstrip("/")
    listed.write_bytes(authority.revocation_list())
    assert "devices-not-checked" not in findings(installed)[1]
    listed.write_bytes(revocation_list())
    code, found = findings(installed)
    assert code == ExitCode.CERTIFICATE
    assert "none of the CAs" in found["devices-not-checked"]
    assert "out of date" in found["devices-not-checked"]
