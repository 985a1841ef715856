"""The access log: one record for each connection, even if another one fails."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

ACCESS_LOG = Path(__file__).parents[3] / "images/gateway/access-log"
SHELLS = ("dash", "bash")


def ended(source: str, port: int = 443) -> str:
    """Return the output of conntrack for the end of a connection from `source`."""
    return (
        f"[DESTROY] tcp 6 src={source} dst=192.0.2.9 sport=40000 dport={port} packets=3 bytes=150"
        f" src=192.0.2.9 dst={source} sport={port} dport=40000 packets=2 bytes=90 delta-time=12"
    )


def record(owner: str, source: str, port: int = 443) -> str:
    return f"ACCESS_LOG,{owner},tcp,{source}:40000,192.0.2.9:{port},150,90,12"


def written(
    folder: Path, owners: Mapping[str, str], events: Sequence[str], *, level: int = 1, shell: str = "dash"
) -> Sequence[str]:
    """Return the records for `events`, after which conntrack exits for good.

    `owners` has the file content that session-log wrote for each address.
    """
    sessions = folder / "sessions"
    sessions.mkdir()
    for address, owner in owners.items():
        (sessions / address).write_text(owner)
    (folder / "events").write_text("".join(f"{event}\n" for event in events))
    programs = {"conntrack": f"exec /bin/cat {folder}/events", "sleep": "exit 1", "cat": "exec /bin/cat"}
    for name, line in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o755)
    script = ACCESS_LOG.read_text().replace("/run/mstunnel-sessions", str(sessions))
    (folder / "access-log").write_text(script.replace("/run/systemd/journal", str(folder)))
    argv = [f"/bin/{shell}", str(folder / "access-log"), str(level)]
    done = subprocess.run(argv, env={"PATH": str(folder)}, capture_output=True, check=False)
    return done.stderr.decode().splitlines()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_connection_of_a_device_is_recorded_with_its_owner(tmp_path: Path, shell: str) -> None:
    owners = {"169.254.0.9": "user\\n,phone\n"}
    events = [ended("169.254.0.9"), ended("198.51.100.7")]
    assert written(tmp_path, owners, events, shell=shell) == [record("user\\n,phone", "169.254.0.9")]


@pytest.mark.parametrize(("level", "ports"), [(1, [443]), (2, [53, 443])])
def test_dns_is_recorded_at_level_2_only(tmp_path: Path, level: int, ports: Sequence[int]) -> None:
    events = [ended("169.254.0.9", port) for port in (53, 443)]
    expected = [record("user,phone", "169.254.0.9", port) for port in ports]
    assert written(tmp_path, {"169.254.0.9": "user,phone\n"}, events, level=level) == expected


@pytest.mark.parametrize("shell", SHELLS)
def test_an_owner_that_is_being_written_ends_no_records(tmp_path: Path, shell: str) -> None:
    """The file of an address is briefly empty while the address is assigned again."""
    owners = {"169.254.0.8": "", "169.254.0.9": "user,phone\n"}
    events = [ended("169.254.0.8"), ended("169.254.0.9")]
    assert written(tmp_path, owners, events, shell=shell) == [record("user,phone", "169.254.0.9")]


@pytest.mark.parametrize("shell", SHELLS)
def test_an_event_without_an_address_ends_no_records(tmp_path: Path, shell: str) -> None:
    events = ["[DESTROY] unknown 253", "", ended("169.254.0.9")]
    expected = [record("user,phone", "169.254.0.9")]
    assert written(tmp_path, {"169.254.0.9": "user,phone\n"}, events, shell=shell) == expected
