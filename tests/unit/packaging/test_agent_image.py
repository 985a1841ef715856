"""The agent's image leaves modules out: what runs in it must import none of them."""

import subprocess
import sys

from scripts.bundle.agent_root import LEFT_OUT

# Fails for each module that the image does not have.
BLOCKED = """
import fnmatch, importlib.abc, sys
class LeftOut(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if any(fnmatch.fnmatch(name.partition(".")[0], pattern) for pattern in sys.argv[1:]):
            raise ModuleNotFoundError(f"left out of the image: {name}")
sys.meta_path.insert(0, LeftOut())
"""


def imported(module: str) -> subprocess.CompletedProcess[str]:
    patterns = [pattern for pattern in LEFT_OUT if "/" not in pattern]
    command = [sys.executable, "-c", f"{BLOCKED}\nimport {module}", *patterns]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_the_agent_imports_nothing_that_its_image_lacks() -> None:
    for module in ("mstunnel_setup.agent.__main__", "mstunnel_setup.agent.loop", "mstunnel_setup.cli.agent"):
        assert imported(module).stderr == ""


def test_an_import_that_the_image_lacks_is_found() -> None:
    assert "left out of the image: jinja2" in imported("jinja2").stderr
