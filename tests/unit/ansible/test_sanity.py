"""`ansible-test sanity`, all tests that it has for a collection, without a network.

It makes an environment for each test with pip. Here pip finds locked wheels, downloaded once.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.testbed import cache
from tests.testbed.paths import CACHE, ROOT

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

LOCKED = ROOT / "requirements/ansible-sanity.txt"
BIN = ROOT / ".venv-ansible/bin"
# What ansible-test downloads to put pip into a new environment; Python can do that too.
GET_PIP = "import ensurepip\n\nensurepip.bootstrap()\n"


@pytest.fixture(scope="module")
def wheels() -> Path:
    """A directory with the locked wheels."""
    name = hashlib.sha256(LOCKED.read_bytes() + sys.version.encode()).hexdigest()[:16]
    directory = CACHE / "ansible-sanity" / name
    with cache.writing():
        if not directory.is_dir():
            partial = directory.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            pip = [str(BIN / "python"), "-m", "pip", "download", "--quiet", "--only-binary=:all:"]
            options = ["--require-hashes", f"--requirement={LOCKED}", f"--dest={partial}"]
            environment = {name: value for name, value in os.environ.items() if name != "PIP_FIND_LINKS"}
            subprocess.run([*pip, *options], env=environment, check=True, timeout=280)
            partial.rename(directory)
    return directory


@pytest.fixture
def home(tmp_path: Path, wheels: Path) -> Path:
    """A home in which pip and ansible-test are set up to work without a network."""
    (tmp_path / ".config/pip").mkdir(parents=True)
    (tmp_path / ".config/pip/pip.conf").write_text(f"[global]\nno-index = true\nfind-links = {wheels}\n")
    (tmp_path / ".ansible/test/cache").mkdir(parents=True)
    (tmp_path / ".ansible/test/cache/get_pip_25_2.py").write_text(GET_PIP)
    return tmp_path


@pytest.mark.skipif(sys.version_info < (3, 12), reason="ansible-core 2.21 needs Python 3.12")
def test_the_collection_passes_every_sanity_test(home: Path, tmp_path: Path) -> None:
    collection = tmp_path / "ansible_collections/mstunnel/gateway"
    shutil.copytree(ROOT / "ansible", collection, ignore=shutil.ignore_patterns(".ansible"))
    environment = {"HOME": str(home), "PATH": f"{BIN}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
    command = ["unshare", "--map-root-user", "--net", str(BIN / "ansible-test"), "sanity", "--color=no"]
    version = f"--python={sys.version_info.major}.{sys.version_info.minor}"
    ran = subprocess.run(
        [*command, version],
        cwd=collection,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr + ran.stdout
    assert (ran.stdout + ran.stderr).count("Running sanity test") > 20
