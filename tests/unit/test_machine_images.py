"""The examples for machines that install themselves: each is judged by a program that is not ours."""

import hashlib
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import hcl2
import pytest
from ruamel.yaml import YAML

from mstunnel_setup import __version__
from mstunnel_setup.answers.load import load
from mstunnel_setup.containers.release_images import ReleaseImages
from scripts.bundle import image_index

CONTRIB = Path(__file__).parents[2] / "contrib"
CLOUD_INIT = CONTRIB / "cloud-init/gateway.yaml"
PACKER = CONTRIB / "packer/gateway.pkr.hcl"
VALUES = {
    "tenant id": "11111111-2222-3333-4444-555555555555",
    "client id": "22222222-2222-3333-4444-555555555555",
}


def written(path: str) -> str:
    """The content of a file that cloud-init writes, its placeholders filled in."""
    files = {each["path"]: each["content"] for each in YAML(typ="safe").load(CLOUD_INIT)["write_files"]}
    text: str = files[path]
    return re.sub("<(.*?)>", lambda found: VALUES.get(found[1], "Berlin"), text)


def schema(path: Path) -> subprocess.CompletedProcess[str]:
    """What cloud-init says of user data."""
    return subprocess.run(
        ["cloud-init", "schema", "--config-file", str(path)], capture_output=True, text=True, check=False
    )


def shellcheck(text: str) -> str:
    """What shellcheck has against a script."""
    return subprocess.run(
        ["shellcheck", "--shell=sh", "-"], input=text, capture_output=True, text=True, check=False
    ).stdout


def test_cloud_init_accepts_the_example() -> None:
    judged = schema(CLOUD_INIT)
    assert (judged.returncode, judged.stdout.split()[:2]) == (0, ["Valid", "schema"]), judged.stderr


def test_cloud_init_can_refuse(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text(CLOUD_INIT.read_text().replace("runcmd:", "runcmds:"))
    assert schema(broken).returncode != 0


def test_cloud_init_has_valid_answers_and_stops_at_a_failure(tmp_path: Path) -> None:
    answers = tmp_path / "gateway.yaml"
    answers.write_text(written("/root/gateway.yaml"))
    assert load(answers)
    script = written("/root/install-gateway")
    assert shellcheck(script) == ""
    assert "\nset -eu\n" in script


def test_cloud_init_runs_nothing_that_was_changed(tmp_path: Path) -> None:
    images = image_index.archive_of("amd64")
    (tmp_path / "program").write_text(f'#!/bin/sh\necho "$@" >{tmp_path}/ran\n')
    (tmp_path / images).write_text("the images")
    values = {
        "address of mstunnel-setup": f"file://{tmp_path}/program",
        "address of the images": f"file://{tmp_path}/{images}",
        "SHA-256 of mstunnel-setup": sha256(tmp_path / "program"),
        "SHA-256 of the images": sha256(tmp_path / images),
        "file name of the images": images,
    }
    text = {each["path"]: each["content"] for each in YAML(typ="safe").load(CLOUD_INIT)["write_files"]}
    script = re.sub("<(.*?)>", lambda found: values[found[1]], text["/root/install-gateway"])
    for place in ("/usr/local/sbin", "/var/lib/mstunnel"):
        (tmp_path / place[1:]).mkdir(parents=True)
        script = script.replace(f"={place}", f"={tmp_path}{place}")
    subprocess.run(["sh", "-c", script], check=True, timeout=60)
    own = ReleaseImages("", "", images, "")
    assert Path(f"{tmp_path}{own.places()[-1]}").read_text() == "the images"
    assert (tmp_path / "ran").read_text() == "--answers /root/gateway.yaml --unattended\n"
    (tmp_path / "ran").unlink()
    (tmp_path / images).write_text("changed")
    assert subprocess.run(["sh", "-c", script], check=False, timeout=60).returncode != 0
    assert not (tmp_path / "ran").exists()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def template() -> dict[str, Any]:
    """The template for Packer, read by a parser of its language: no package that we use has Packer."""
    found: dict[str, Any] = hcl2.loads(PACKER.read_text())
    return found


def test_the_template_for_packer_uses_each_of_its_variables(template: dict[str, Any]) -> None:
    names = {name for each in template["variable"] for name in each if name.startswith('"')}
    used = set(re.findall(r"\bvar\.([a-z_]+)", PACKER.read_text()))
    assert set(map(json.loads, names)) == used
    assert [*template["source"][0]] == ['"qemu"']


def test_template_is_clean_shell_and_leaves_no_identity(template: dict[str, Any]) -> None:
    (shell,) = (each['"shell"'] for each in template["build"][0]["provisioner"] if '"shell"' in each)
    commands = [json.loads(line) for line in shell["inline"] if line.startswith('"')]
    assert shellcheck("\n".join(commands)) == ""
    assert commands[-1] == "cloud-init clean --logs --machine-id --seed"
    last = template["source"][0]['"qemu"']['"gateway"']["shutdown_command"]
    assert "rm /etc/sudoers.d/90-cloud-init-users; userdel --force --remove packer;" in last
    assert any("/etc/ssh/ssh_host_*" in command for command in commands)


def test_template_installs_packages_that_podman_only_recommends() -> None:
    """netavark makes the rules of a network with `nft`."""
    (install,) = re.findall(r"apt-get install .* --no-install-recommends ([a-z -]+)", PACKER.read_text())
    assert {"ca-certificates", "nftables", "podman"} == {*install.split()}


def test_template_puts_images_where_the_program_looks(template: dict[str, Any], tmp_path: Path) -> None:
    name = image_index.archive_of("amd64")
    (described,) = (each['"images"'] for each in template["variable"] if '"images"' in each)
    assert f"dist/{name.replace(__version__, 'VERSION')}" in described["description"]
    provisioners = template["build"][0]["provisioner"]
    (copied,) = (
        each['"file"']["destination"] for each in provisioners if "var.images" in str(each.get('"file"'))
    )
    (tmp_path / json.loads(copied.replace("${basename(var.images)}", name)).removeprefix("/tmp/")).touch()
    (shell,) = (each['"shell"'] for each in provisioners if '"shell"' in each)
    (install,) = (line for line in map(str, shell["inline"]) if "mode=0644" in line)
    command = json.loads(install).replace("/tmp/", f"{tmp_path}/").replace("=/var", f"={tmp_path}/root/var")
    subprocess.run(["sh", "-euc", command], check=True)
    own = ReleaseImages("", "", name, "")
    assert Path(f"{tmp_path}/root{own.places()[-1]}").is_file()
