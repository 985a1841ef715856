"""The Ansible collection as a whole: its version, what its archive holds, its documentation, its examples."""

import json
import os
import subprocess
import tarfile
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from scripts.release.version import semantic
from tests import programs

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[3]
COLLECTION = ROOT / "ansible"
MODULES = sorted(path.stem for path in (COLLECTION / "plugins/modules").glob("*.py"))
EXAMPLES = sorted((COLLECTION / "examples/inventories").iterdir())
PROGRAM = programs.path("mstunnel-setup")


def ansible(directory: Path, program: str, *arguments: str) -> str:
    """What a program of Ansible prints, with the collections of a directory."""
    environment = {
        **os.environ,
        "ANSIBLE_HOME": str(directory / "home"),
        "ANSIBLE_COLLECTIONS_PATH": str(directory),
        "ANSIBLE_NOCOLOR": "1",
        "LC_ALL": "C.UTF-8",
    }
    argv = [str(ROOT / ".venv-ansible/bin" / program), *arguments]
    ran = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    # What in the directory of an inventory is no inventory is only a warning.
    assert "[WARNING]: Skipping" not in ran.stderr, ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of collections with this one, from its archive."""
    directory = tmp_path_factory.mktemp("collections")
    ansible(directory, "ansible-galaxy", "collection", "build", str(COLLECTION), f"--output-path={directory}")
    (archive,) = directory.glob("*.tar.gz")
    assert archive.name == f"mstunnel-gateway-{semantic()}.tar.gz"
    ansible(
        directory, "ansible-galaxy", "collection", "install", str(archive), f"--collections-path={directory}"
    )
    return directory


def test_it_has_the_version_of_the_program() -> None:
    assert YAML(typ="safe").load(COLLECTION / "galaxy.yml")["version"] == semantic()


def test_the_archive_has_the_licence(installed: Path) -> None:
    (licence,) = installed.glob("ansible_collections/mstunnel/gateway/LICENSE")
    assert licence.read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_the_archive_holds_what_is_committed_and_nothing_else(installed: Path) -> None:
    with tarfile.open(installed / f"mstunnel-gateway-{semantic()}.tar.gz") as archive:
        held = {member.name for member in archive.getmembers() if member.isfile()}
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "ansible"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    committed = {path.removeprefix("ansible/") for path in listed}
    assert held == committed - {"galaxy.yml"} | {"MANIFEST.json", "FILES.json"}


@pytest.mark.parametrize("module", MODULES)
def test_every_option_of_a_module_is_documented(installed: Path, module: str) -> None:
    shown = json.loads(ansible(installed, "ansible-doc", "--json", f"mstunnel.gateway.{module}"))
    documented: dict[str, Any] = shown[f"mstunnel.gateway.{module}"]
    assert documented["return"]
    assert YAML(typ="safe").load(documented["examples"])


def test_the_role_documents_every_variable_that_it_has(installed: Path) -> None:
    role = "mstunnel.gateway.mstunnel_gateway"
    shown = json.loads(ansible(installed, "ansible-doc", "--type=role", "--json", role))
    defaults = YAML(typ="safe").load(COLLECTION / "roles/mstunnel_gateway/defaults/main.yml")
    options = shown[role]["entry_points"]["main"]["options"]
    assert {name: option["default"] for name, option in options.items()} == defaults


def variable(installed: Path, inventory: Path, name: str) -> Any:
    """The value of a variable on the first server of an inventory."""
    show = ["--module-name=ansible.builtin.debug", f"--args=var={name}"]
    given = [f"--inventory={inventory}", "--extra-vars=mstunnel_gateway_directory=/opt/mstunnel-setup"]
    shown = ansible(installed, "ansible", "mstunnel_gateways[0]", *given, *show)
    return json.loads(shown.partition("=>")[2])[name]


@pytest.mark.parametrize("inventory", EXAMPLES, ids=lambda path: path.name)
def test_the_answers_of_an_example_are_good(installed: Path, inventory: Path, tmp_path: Path) -> None:
    answers = variable(installed, inventory, "mstunnel_gateway_answers")
    (tmp_path / "answers.yaml").write_text(json.dumps(answers))
    command = [PROGRAM, "answers", "check", str(tmp_path / "answers.yaml"), "--output", "json"]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert checked.returncode == 0, checked.stdout


def test_the_releases_of_an_example_are_good(installed: Path) -> None:
    text = variable(installed, COLLECTION / "examples/inventories/berlin", "mstunnel_gateway_releases")
    (release,) = tomllib.loads(text)["release"]
    assert set(release) == {"label", "published", "server", "agent"}
