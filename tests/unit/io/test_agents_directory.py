"""Directories of the agent, or of an account, as root meets them: their owner may have put anything there."""

import os
from pathlib import Path

import pytest

from mstunnel_setup.base.paths import AGENT_USER, ENVIRONMENT
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files
from tests.refusals import refused

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
DIRECTORY = "/etc/mstunnel/agent"
ACCOUNT = 54321


@pytest.fixture
def files(tmp_path: Path) -> Files:
    found = Files(tmp_path)
    found.make_directories(DIRECTORY)
    found.give(DIRECTORY, AGENT_USER, -1)
    return found


def test_what_root_writes_there_belongs_to_the_agent(files: Files) -> None:
    files.write(f"{DIRECTORY}/agent.p12", b"key", 0o600)

    state = files.state(f"{DIRECTORY}/agent.p12")
    assert state is not None
    assert (state.uid, state.gid, state.mode) == (AGENT_USER, os.getegid(), 0o600)
    assert files.read(f"{DIRECTORY}/agent.p12") == b"key"


def test_what_root_writes_beside_it_stays_with_root(files: Files) -> None:
    files.write("/etc/mstunnel/env.sh", b"A=1\n")

    state = files.state("/etc/mstunnel/env.sh")
    assert state is not None
    assert state.uid == os.geteuid()


def test_a_link_of_the_agent_leads_root_nowhere(files: Files) -> None:
    files.write("/etc/secret", b"of root", 0o600)
    files.locate(f"{DIRECTORY}/ocserv.conf").symlink_to(files.locate("/etc/secret"))

    with pytest.raises(FileError):
        files.read(f"{DIRECTORY}/ocserv.conf")
    with pytest.raises(FileError):
        files.write(f"{DIRECTORY}/ocserv.conf", b"new")
    assert files.read("/etc/secret") == b"of root"


def test_a_pipe_of_the_agent_is_not_waited_for(files: Files) -> None:
    os.mkfifo(files.locate(f"{DIRECTORY}/ocserv.conf"))

    with pytest.raises(FileError):
        files.read(f"{DIRECTORY}/ocserv.conf")


def test_the_directory_of_another_user_is_still_refused(files: Files) -> None:
    files.give(DIRECTORY, AGENT_USER - 1, -1)

    with refused(FileError, "path-unsafe"):
        files.write(f"{DIRECTORY}/ocserv.conf", b"new")


def test_a_link_of_the_account_that_owns_the_settings_leads_root_nowhere(files: Files) -> None:
    files.write("/etc/shadow", b"root:$y$hash", 0o600)
    files.give("/etc/mstunnel", ACCOUNT, -1)
    files.locate(ENVIRONMENT).symlink_to(files.locate("/etc/shadow"))

    with refused(FileError, "file-irregular") as caught:
        files.read(ENVIRONMENT)

    assert "hash" not in f"{caught.value.message} {caught.value.hint}"


def test_a_file_of_that_account_is_read(files: Files) -> None:
    files.write(ENVIRONMENT, b"A=1\n")
    files.give("/etc/mstunnel", ACCOUNT, -1)

    assert files.read(ENVIRONMENT) == b"A=1\n"


def test_a_link_in_a_home_is_followed(files: Files) -> None:
    """An administrator who names a file there means what it leads to."""
    files.make_directories("/home/admin")
    files.write("/etc/answers.yaml", b"version: 1\n")
    files.locate("/home/admin/answers.yaml").symlink_to(files.locate("/etc/answers.yaml"))
    files.give("/home/admin", ACCOUNT, -1)

    assert files.read("/home/admin/answers.yaml") == b"version: 1\n"
