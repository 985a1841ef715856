"""Where the playbook `install` puts the archive of the images."""

import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from mstunnel_setup.base import paths
from tests.testbed.fleet import collections, recaps

ROOT = Path(__file__).parents[3]
BIN = ROOT / ".venv-ansible/bin"
ARCHIVE = "mstunnel-images-1.0-amd64.tar"
pytestmark = [pytest.mark.e2e, pytest.mark.skipif(os.geteuid() != 0, reason="the role works for root")]


def copied(site: Path, **variables: Any) -> dict[str, str]:
    """Copy what an installation needs to a server; the modes of files and directories there by path."""
    for name in (ARCHIVE, "mstunnel-setup"):
        (site / name).write_text(name)
    server = {
        "ansible_connection": "local",
        "ansible_python_interpreter": str(BIN / "python"),
        "mstunnel_gateway_state": "copied",
        "mstunnel_gateway_images": f"{site}/{ARCHIVE}",
        "mstunnel_gateway_directory": f"{site}/server/opt",
        "mstunnel_gateway_archives": f"{site}/server/var/lib/images",
        **variables,
    }
    # A role's own variables give way to those of the command line alone.
    given = [f"--extra-vars={json.dumps(server)}"]
    (site / "server").mkdir()
    (site / "hosts.json").write_text(json.dumps({"mstunnel_gateways": {"hosts": {"gw1": None}}}))
    environment = {
        **os.environ,
        "ANSIBLE_HOME": f"{site}/home",
        "ANSIBLE_COLLECTIONS_PATH": str(collections()),
        "LC_ALL": "C.UTF-8",
    }
    argv = [
        *(str(BIN / "ansible-playbook"), f"--inventory={site}/hosts.json", *given),
        "mstunnel.gateway.install",
    ]
    ran = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert recaps(ran.stdout)["gw1"].failed == 0, ran.stdout
    return {
        str(path.relative_to(site / "server")): f"{stat.S_IMODE(path.stat().st_mode):o}"
        for path in sorted((site / "server").rglob("*"))
    }


def test_the_images_lie_beside_the_one_file(tmp_path: Path) -> None:
    program = {"mstunnel_gateway_program": f"{tmp_path}/mstunnel-setup"}
    assert copied(tmp_path, **program) == {
        "opt": "700",
        f"opt/{ARCHIVE}": "600",
        "opt/mstunnel-setup": "755",
    }


@pytest.mark.parametrize(
    ("answers", "directory", "file"), [({}, "700", "600"), ({"mode": "rootless"}, "755", "644")]
)
def test_images_are_where_the_package_looks_and_readable(
    tmp_path: Path, answers: dict[str, str], directory: str, file: str
) -> None:
    assert copied(tmp_path, mstunnel_gateway_answers=answers) == {
        "opt": "700",
        **dict.fromkeys(("var", "var/lib", "var/lib/images"), directory),
        f"var/lib/images/{ARCHIVE}": file,
    }


def test_the_directory_is_the_one_in_which_the_program_looks() -> None:
    variables = YAML(typ="safe").load(ROOT / "ansible/roles/mstunnel_gateway/vars/main.yml")
    assert variables == {"mstunnel_gateway_archives": paths.IMAGE_ARCHIVES}
