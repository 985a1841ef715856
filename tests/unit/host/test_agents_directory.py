"""The agent's own directories, as root meets them: the agent may have put anything there."""

import os
from pathlib import Path

import pytest

from mstunnel_setup.host.errors import FileError
from mstunnel_setup.host.files import Files
from mstunnel_setup.paths import AGENT_USER

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
DIRECTORY = "/etc/mstunnel/agent"


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

    with pytest.raises(FileError) as caught:
        files.write(f"{DIRECTORY}/ocserv.conf", b"new")

    assert caught.value.code == "path-unsafe"
