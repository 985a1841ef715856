"""The page with instructions to add a server: its script and its answer file, run as printed."""

import html
import os
import re
import shlex
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import programs
from tests.unit.mstunnel_lab.conftest import SEED, trusting_session
from tests.unit.mstunnel_lab.pages import Pages

PRE = re.compile(r"<pre[^>]*>(.*?)</pre>", re.DOTALL)


def printed(pages: Pages) -> list[str]:
    """Return the blocks of the page that are to be copied, as a browser copies them."""
    return [html.unescape(text) for text in PRE.findall(pages.open("/admin/servers/new").source)]


def run(directory: Path, *commands: str, path: Path = programs.DIRECTORY) -> subprocess.CompletedProcess[str]:
    """Run commands in a shell in a directory."""
    environment = {"PATH": f"{path}:{os.environ['PATH']}", "HOME": str(directory)}
    script = "\n".join(commands)
    return subprocess.run(
        ["sh", "-ec", script], cwd=directory, env=environment, capture_output=True, text=True, check=False
    )


def test_printed_answer_file_is_valid(administrator: Pages, lab: Any, tmp_path: Path) -> None:
    """Check that it is valid, equals the download, and points to the tenant."""
    answers, commands = printed(administrator)[-2:]
    (tmp_path / "answers.yaml").write_text(answers)
    check, install = commands.splitlines()
    done = run(tmp_path, check)
    assert done.returncode == 0, done.stderr
    assert install == "sudo mstunnel-setup --answers answers.yaml"
    assert administrator.open("/admin/servers/new/answers.yaml").source == answers
    done = run(tmp_path, "mstunnel-setup answers show --answers answers.yaml")
    assert done.returncode == 0, done.stderr
    assert lab.description["authority"] in done.stdout
    assert lab.description["client_id"] in done.stdout
    # The check would refuse what the page printed in an earlier version.
    relative = re.sub(r"  ca_pem: \|\n(    .*\n)+", "  ca_file: ca.pem\n", answers)
    (tmp_path / "answers.yaml").write_text(relative)
    assert run(tmp_path, check).returncode == 2


@pytest.fixture
def recorder(tmp_path: Path) -> Path:
    """Return a directory with programs that print their arguments, instead of changing the host."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for name, text in {
        "mstunnel-setup": '#!/bin/sh\necho "$mst_rootless_mode|$*"\n',
        "sudo": '#!/bin/sh\nexec env "$@"\n',
    }.items():
        (directory / name).write_text(text)
        (directory / name).chmod(stat.S_IRWXU)
    return directory


def test_script_installs_into_the_tenant(
    administrator: Pages, lab: Any, tmp_path: Path, recorder: Path
) -> None:
    """Check the page's commands with the page's script; `setup` of lab.json names the same tenant."""
    blocks = printed(administrator)
    (tmp_path / "mstunnel-setup").write_text(administrator.open("/admin/servers/new/mstunnel-setup").source)
    option = lab.description["setup"].partition("mstunnel-setup ")[2]
    assert run(tmp_path, blocks[1], path=recorder).stdout == f"|{option}\n"
    assert run(tmp_path, blocks[2], path=recorder).stdout == f"1|{option}\n"
    more = run(tmp_path, "./mstunnel-setup --site 'Berlin 1' --unattended", path=recorder)
    assert more.stdout == f"|{option} --site Berlin 1 --unattended\n"


def test_script_reports_a_missing_program(administrator: Pages, tmp_path: Path) -> None:
    (tmp_path / "script").write_text(administrator.open("/admin/servers/new/mstunnel-setup").source)
    command, environment = ["/bin/sh", "./script"], {"PATH": "empty"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, "not installed" in done.stderr) == (2, True)


def test_every_printed_command_exists(administrator: Pages, tmp_path: Path) -> None:
    """Check that each program on the page has the command and its options."""
    for line in (line for block in printed(administrator) for line in block.splitlines()):
        words = shlex.split(line.removeprefix("sudo "))
        if words[0] in {"mstunnel-setup", "mst-readiness"}:
            names = [word for word in words[1:] if word.isalpha()]
            assert run(tmp_path, shlex.join([words[0], *names, "--help"])).returncode == 0, line


def test_another_tenant_has_no_script(start_lab: Any, tmp_path: Path) -> None:
    """Check that the page has no script: `--lab` points to the home tenant, which is the wrong one."""
    other = tmp_path / "other.yaml"
    other.write_text(Path(SEED).read_text().replace("lab.example", "other.example"))
    running = start_lab("--seed", SEED, "--seed", str(other)).description
    with trusting_session(running["ca_file"]) as session:
        users = [user for tenant in running["tenants"] for user in tenant["users"]]
        pages = Pages({**running, "users": users}, session)
        assert pages.sign_in("admin@other.example").address.endswith("/admin/servers")
        answers = printed(pages)[1]
        assert running["tenants"][1]["authority"] in answers
        assert "Download script" not in pages.page.text
        assert pages.open("/admin/servers/new/mstunnel-setup").status == 404
