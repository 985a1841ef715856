"""The order in which the playbook `upgrade` takes servers, and where it stops; the programs are stand-ins."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.testbed.fleet import Recap, collections, recaps

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[3]
BIN = ROOT / ".venv-ansible/bin"
NAMES = ("gw1", "gw2", "gw3")
# Notes what it is asked for, and prints what a file holds.
PROGRAM = """#!/bin/sh
asked="$1"; [ "$1" = status ] || asked="$1-$2"
echo "$NAME $asked" >>"$SITE/calls"
cat "$SITE/$NAME/$asked"
exit "$(cat "$SITE/$NAME/$asked.code")"
"""
# Each server has its own programs, though all are this machine.
PYTHON = """#!/bin/sh
export SITE={site} NAME={name} PATH={site}:/usr/bin:/bin
exec {python} "$@"
"""


@dataclass
class Site:
    """Three servers; each begins with a release that is out of date."""

    directory: Path
    shown: str = ""

    def answers(self, name: str, command: str, code: int = 0, **data: Any) -> None:
        """What a command on a server prints, and its exit code."""
        errors = [{"code": "upgrade-failed", "message": "it does not serve", "hint": ""}] if code else []
        status = "error" if code else "changed"
        envelope = {"command": command, "status": status, "data": data, "warnings": [], "errors": errors}
        (self.directory / name / command).write_text(json.dumps(envelope))
        (self.directory / name / f"{command}.code").write_text(str(code))

    def upgrade(self, *options: str) -> dict[str, Recap]:
        """Run the playbook; what it did on each server."""
        hosts = {
            name: {
                "ansible_connection": "local",
                "ansible_python_interpreter": f"{self.directory}/{name}/python",
            }
            for name in NAMES
        }
        inventory = self.directory / "hosts.json"
        inventory.write_text(json.dumps({"mstunnel_gateways": {"hosts": hosts}}))
        environment = {
            **os.environ,
            "ANSIBLE_HOME": f"{self.directory}/home",
            "ANSIBLE_COLLECTIONS_PATH": str(collections()),
            "LC_ALL": "C.UTF-8",
        }
        argv = [str(BIN / "ansible-playbook"), f"--inventory={inventory}", "mstunnel.gateway.upgrade"]
        argv += ["--extra-vars=mstunnel_gateway_settle=0", *options]
        ran = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=120, check=False)
        self.shown = ran.stdout
        return recaps(ran.stdout)

    def upgraded(self) -> list[str]:
        """The servers on which an upgrade began, in order."""
        calls = (self.directory / "calls").read_text().splitlines()
        return [call.split()[0] for call in calls if call.endswith(" upgrade-apply")]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    (tmp_path / "mst-cli").write_text(PROGRAM)
    (tmp_path / "mst-cli").chmod(0o755)
    for name in NAMES:
        (tmp_path / name).mkdir()
        python = tmp_path / name / "python"
        python.write_text(PYTHON.format(site=tmp_path, name=name, python=BIN / "python"))
        python.chmod(0o755)
        made.answers(name, "status")
        made.answers(name, "upgrade-check", running=["1"], newest="2", upgrade_available=True)
        made.answers(name, "upgrade-apply")
    return made


def test_servers_upgrade_in_turn_and_each_is_checked(site: Site) -> None:
    done = site.upgrade()
    assert {name: (server.changed, server.failed) for name, server in done.items()} == dict.fromkeys(
        NAMES, (1, 0)
    )
    calls = (site.directory / "calls").read_text().splitlines()
    begin = calls.index("gw1 upgrade-apply") - 1
    turn = ("upgrade-check", "upgrade-apply", "status", "upgrade-check")
    assert calls[begin:] == [f"{name} {call}" for name in NAMES for call in turn]


def test_the_play_stops_at_the_first_server_that_fails(site: Site) -> None:
    site.answers("gw2", "upgrade-apply", code=7)
    assert {name: server.failed for name, server in site.upgrade().items()} == {"gw1": 0, "gw2": 1, "gw3": 0}
    assert site.upgraded() == ["gw1", "gw2"]


def test_none_is_upgraded_while_one_does_not_serve(site: Site) -> None:
    site.answers("gw3", "status", code=7)
    assert {name: server.failed for name, server in site.upgrade().items()}["gw3"] == 1
    assert site.upgraded() == []


def test_check_mode_upgrades_none_and_names_those_it_would(site: Site) -> None:
    site.answers("gw2", "upgrade-check", running=["2"], newest="2", upgrade_available=False)
    done = site.upgrade("--check")
    assert {name: server.changed for name, server in done.items()} == {"gw1": 1, "gw2": 0, "gw3": 1}
    assert site.upgraded() == []


def test_check_mode_skips_servers_with_another_list(site: Site) -> None:
    """It writes no list, so what the server would answer is about the one that it has."""
    listed = json.dumps({"mstunnel_gateway_releases": "# another list\n"})
    done = site.upgrade("--check", f"--extra-vars={listed}")
    assert {server.failed for server in done.values()} == {0}
    assert site.shown.count("The server has a different list of releases.") == len(NAMES)
    calls = (site.directory / "calls").read_text().splitlines()
    assert sorted(calls) == [f"{name} {call}" for name in NAMES for call in ("status", "upgrade-check")]
