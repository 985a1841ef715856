"""What the playbook `uninstall` leaves on a server; its program is a stand-in."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.testbed.fleet import Recap, collections, recaps

ROOT = Path(__file__).parents[3]
BIN = ROOT / ".venv-ansible/bin"
# Prints and exits with what files hold.
PROGRAM = """#!/bin/sh
cat "${0%/*}/output"
exit "$(cat "${0%/*}/code")"
"""
PYTHON = """#!/bin/sh
export PATH={site}/bin:/usr/bin:/bin
exec {python} "$@"
"""
pytestmark = [pytest.mark.e2e, pytest.mark.skipif(os.geteuid() != 0, reason="the module wants root")]


def uninstalled(
    site: Path, code: int, *errors: str, variables: Mapping[str, str] | None = None
) -> tuple[Recap, str]:
    """Run the playbook on a server whose `mst-cli` ends with a code and errors; what it did and printed."""
    (site / "bin").mkdir()
    (site / "opt").mkdir()
    (site / "opt/key.pem").touch()
    for path, text in (
        (site / "bin/mst-cli", PROGRAM),
        (site / "python", PYTHON.format(site=site, python=BIN / "python")),
    ):
        path.write_text(text)
        path.chmod(0o755)
    found = [{"code": each, "message": "an administrator has to consent", "hint": ""} for each in errors]
    status = "error" if errors else "changed"
    envelope = {"command": "", "status": status, "data": {}, "warnings": [], "errors": found}
    (site / "bin/output").write_text(json.dumps(envelope))
    (site / "bin/code").write_text(str(code))
    server = {
        "ansible_connection": "local",
        "ansible_python_interpreter": f"{site}/python",
        "mstunnel_gateway_directory": f"{site}/opt",
    }
    (site / "hosts.json").write_text(json.dumps({"mstunnel_gateways": {"hosts": {"gw1": server}}}))
    environment = {
        **os.environ,
        "ANSIBLE_HOME": f"{site}/home",
        "ANSIBLE_COLLECTIONS_PATH": str(collections()),
        "LC_ALL": "C.UTF-8",
    }
    argv = [str(BIN / "ansible-playbook"), f"--inventory={site}/hosts.json", "mstunnel.gateway.uninstall"]
    argv += [f"--extra-vars={json.dumps(dict(variables or {}))}"]
    ran = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=120, check=False)
    return recaps(ran.stdout)["gw1"], ran.stdout


def test_what_was_copied_goes_with_the_gateway(tmp_path: Path) -> None:
    done, _printed = uninstalled(tmp_path, 0)
    assert done == Recap(changed=2, unreachable=0, failed=0)
    assert not (tmp_path / "opt").exists()


def test_only_images_copied_for_a_package_are_removed(tmp_path: Path) -> None:
    (tmp_path / "archives").mkdir()
    for name in ("images-1.0.tar", "images-2.0.tar"):
        (tmp_path / "archives" / name).touch()
    images = {
        "mstunnel_gateway_images": "/srv/dist/images-1.0.tar",
        "mstunnel_gateway_archives": f"{tmp_path}/archives",
    }
    done, _printed = uninstalled(tmp_path, 0, variables=images)
    assert done == Recap(changed=3, unreachable=0, failed=0)
    assert [path.name for path in (tmp_path / "archives").iterdir()] == ["images-2.0.tar"]


def test_program_and_keys_stay_while_the_removal_waits(tmp_path: Path) -> None:
    done, printed = uninstalled(tmp_path, 11, "consent-missing")
    assert done == Recap(changed=0, unreachable=0, failed=0)
    assert "Waiting: an administrator has to consent (consent-missing)" in printed
    assert (tmp_path / "opt/key.pem").exists()


def test_program_and_keys_stay_where_the_removal_fails(tmp_path: Path) -> None:
    done, _printed = uninstalled(tmp_path, 8, "graph-unreachable")
    assert done.failed == 1
    assert (tmp_path / "opt/key.pem").exists()
