"""The protection of this process from code that others can change, and from readers of its memory."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mstunnel_setup.cli.dispatch import MODULES
from mstunnel_setup.io.own_process import changeable_below


def test_file_that_disappears_is_ignored(tmp_path: Path) -> None:
    """Check a race: Python creates and renames files in a directory of modules at any moment."""
    files = {tmp_path / f"module.cpython-313.pyc.{number}" for number in range(3)}
    for path in files:
        path.touch()
        path.chmod(0o666)
    found = changeable_below(tmp_path)
    first = next(found)
    for path in files - {first}:
        path.unlink()
    assert not list(found)


def test_directory_that_disappears_is_ignored(tmp_path: Path) -> None:
    cache = tmp_path / "__pycache__"
    cache.mkdir()
    cache.chmod(0o777)
    found = changeable_below(tmp_path)
    assert next(found) == cache
    shutil.rmtree(cache)
    assert not list(found)


_LOOK = """
import ctypes, json, resource, sys
def look(*_given, **_more):
    dumpable = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)  # PR_GET_DUMPABLE
    print(json.dumps([dumpable, resource.getrlimit(resource.RLIMIT_CORE)]), flush=True)
    sys.exit(0)
"""
_PROGRAMS = {
    **{
        name: f"from mstunnel_setup.cli.framework import command\nimport {module} as program\n"
        "command.run_app = look\nprogram.main()"
        for name, module in MODULES.items()
        if name not in {"mstunnel-agent", "mstunnel_uplink"}
    },
    "agent (command line)": "from mstunnel_setup.cli import agent\nagent.app = look\nagent.main()",
    "agent": "from mstunnel_setup.agent import __main__ as agent\nagent.build_agent = look\nagent.main(None)",
}


@pytest.mark.parametrize("program", _PROGRAMS.values(), ids=_PROGRAMS)
def test_every_program_is_private_from_its_start(program: str) -> None:
    done = subprocess.run([sys.executable, "-c", _LOOK + program], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [0, [0, 0]]


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_private_process_can_read_its_own_descriptors() -> None:
    """Check the way in which OpenSSL gets a client certificate."""
    script = (
        "import os\n"
        "from mstunnel_setup.io.own_process import keep_private\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "keep_private()\n"
        "handle = os.memfd_create('certificate')\n"
        "os.write(handle, b'content')\n"
        "print(open(f'/proc/self/fd/{handle}').read())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "content\n"
