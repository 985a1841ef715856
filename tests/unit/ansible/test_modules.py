"""The modules of the Ansible collection, run by Ansible's Python, with stand-ins for programs on a server."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.testbed.fleet import collections

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venv-ansible/bin/python"
# Notes its arguments, the answers and one variable, then prints and exits with what a file holds.
PROGRAM = """#!/bin/sh
echo "${0##*/} $*" >>"$SERVER/calls"
echo "$MSTUNNEL_SECRET_SIGN_IN" >>"$SERVER/secrets"
while [ $# -gt 0 ]; do [ "$1" != --answers ] || cp "$2" "$SERVER/answers"; shift; done
cat "$SERVER/output"
exit "$(cat "$SERVER/code")"
"""
AWAITED = {"code": "certificate-awaited", "message": "there is no certificate yet", "hint": "Copy it there."}
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="the answers are written below /run")


@dataclass
class Server:
    """A server on which programs print what a test chooses."""

    directory: Path

    def prints(self, status: str = "ok", code: int = 0, **envelope: Any) -> None:
        """What the programs print, and their exit code."""
        parts = {"schema": "mstunnel/1", "command": "", "data": {}, "warnings": [], "errors": []}
        (self.directory / "output").write_text(json.dumps({**parts, "status": status, **envelope}))
        (self.directory / "code").write_text(str(code))

    def module(self, name: str, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
        """Run a module; what it returns."""
        given = {"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_check_mode": check}}
        environment = {
            "PATH": f"{self.directory}/bin:/usr/bin:/bin",
            "PYTHONPATH": str(collections()),
            "SERVER": str(self.directory),
        }
        argv = [str(PYTHON), "-m", f"ansible_collections.mstunnel.gateway.plugins.modules.{name}"]
        ran = subprocess.run(
            argv, input=json.dumps(given), env=environment, capture_output=True, text=True, check=False
        )
        assert ran.stdout, ran.stderr
        return dict(json.loads(ran.stdout))

    def read(self, name: str) -> list[str]:
        """Lines of what the programs noted."""
        path = self.directory / name
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def server(tmp_path: Path) -> Server:
    (tmp_path / "bin").mkdir()
    for name in ("mstunnel-setup", "mst-cli"):
        (tmp_path / "bin" / name).write_text(PROGRAM)
        (tmp_path / "bin" / name).chmod(0o755)
    return Server(tmp_path)


@needs_root
def test_answers_go_to_a_file_and_secrets_to_the_environment(server: Server) -> None:
    server.prints("changed", data={"actions": 3})
    done = server.module(
        "mstunnel_gateway",
        answers={"version": 1, "eula": "accept"},
        secrets={"MSTUNNEL_SECRET_SIGN_IN": "not to be seen"},
        skip=["audit"],
    )
    (call,) = server.read("calls")
    program, skip, option, answers, *others = call.split()
    assert (program, skip, option) == ("mstunnel-setup", "--skip=audit", "--answers")
    assert others == ["--unattended", "--output", "json"]
    assert json.loads("\n".join(server.read("answers"))) == {"version": 1, "eula": "accept"}
    assert not Path(answers).exists()
    assert server.read("secrets") == ["not to be seen"]
    assert "not to be seen" not in json.dumps(done)
    assert (done["changed"], done["waiting"]) == (True, False)


@needs_root
@pytest.mark.parametrize("value", [83, True, None, ["one", "two"]])
def test_a_secret_that_is_no_text_is_refused_by_name(server: Server, value: object) -> None:
    server.prints("changed")
    done = server.module("mstunnel_gateway", answers={"version": 1}, secrets={"MSTUNNEL_SECRET_PIN": value})
    assert done["msg"] == "secrets: the value of MSTUNNEL_SECRET_PIN is not text. Put it in quotes."
    assert server.read("calls") == []


@needs_root
def test_check_mode_plans_and_shows_the_plan(server: Server) -> None:
    server.prints("changed", data={"actions": 1, "plan": [{}], "diff": ["eula: Terms", "  + write"]})
    done = server.module("mstunnel_gateway", check=True, answers={"version": 1})
    assert [call.split()[:2] for call in server.read("calls")] == [["mstunnel-setup", "plan"]]
    assert done["changed"]
    assert done["diff"] == {"prepared": "eula: Terms\n  + write\n"}
    assert done["envelope"]["data"] == {"actions": 1}


@needs_root
def test_a_run_that_waits_is_no_failure_and_says_for_what(server: Server) -> None:
    server.prints("error", code=11, errors=[AWAITED])
    done = server.module("mstunnel_gateway", answers={"version": 1})
    assert "failed" not in done
    assert done["waiting"]
    assert done["msg"] == "there is no certificate yet Copy it there. (certificate-awaited)"


@needs_root
@pytest.mark.parametrize("code", [1, 3, 5, 9, 10])
def test_every_other_exit_code_is_a_failure(server: Server, code: int) -> None:
    server.prints("error", code=code, errors=[{"code": "pool-route", "message": "it is taken", "hint": ""}])
    done = server.module("mstunnel_gateway", answers={"version": 1})
    assert (done["failed"], done["exit_code"], done["msg"]) == (True, code, "it is taken (pool-route)")


@needs_root
def test_a_program_that_prints_no_envelope_is_a_failure(server: Server) -> None:
    server.prints()
    (server.directory / "output").write_text("Killed")
    assert "printed no result" in server.module("mstunnel_gateway", answers={"version": 1})["msg"]


@needs_root
@pytest.mark.parametrize(
    ("errors", "changed", "calls"),
    [([], True, ["mst-cli status", "mst-cli uninstall"]), (["not-installed"], False, ["mst-cli status"])],
    ids=["there", "not-there"],
)
def test_only_a_gateway_that_is_there_is_removed(
    server: Server, errors: list[str], changed: bool, calls: list[str]
) -> None:
    server.prints("changed", errors=[{"code": code, "message": "", "hint": ""} for code in errors])
    assert server.module("mstunnel_gateway", state="absent")["changed"] is changed
    assert [" ".join(call.split()[:2]) for call in server.read("calls")] == calls


@needs_root
def test_unfinished_run_is_removed_with_the_copied_program(server: Server) -> None:
    server.prints("changed")
    (server.directory / "bin/mst-cli").unlink()
    assert server.module("mstunnel_gateway", state="absent", directory=f"{server.directory}/bin")["changed"]
    assert [call.split()[:2] for call in server.read("calls")] == [
        ["mst-cli", "status"],
        ["mst-cli", "uninstall"],
    ]
    assert sorted(path.name for path in (server.directory / "bin").iterdir()) == ["mstunnel-setup"]


@needs_root
def test_without_any_program_there_is_nothing_to_remove(server: Server) -> None:
    (server.directory / "bin/mst-cli").unlink()
    done = server.module("mstunnel_gateway", state="absent", directory="/nonexistent")
    assert (done["changed"], done["waiting"], server.read("calls")) == (False, False, [])


@needs_root
def test_waiting_removal_changes_nothing_and_says_why(server: Server) -> None:
    server.prints("error", code=11, errors=[{**AWAITED, "code": "consent-missing"}])
    done = server.module("mstunnel_gateway", state="absent")
    assert (done["changed"], done["waiting"], "diff" in done) == (False, True, False)
    assert done["msg"].endswith("(consent-missing)")


def test_facts_are_the_envelopes(server: Server) -> None:
    server.prints("warning", code=7, command="mst-cli status", data={"site": "Berlin"})
    facts = server.module("mstunnel_facts", gather=["status", "version"])["ansible_facts"]["mstunnel"]
    assert (facts["installed"], facts["serving"]) == (True, False)
    assert facts["status"]["data"] == {"site": "Berlin"}
    assert [call.split()[1] for call in server.read("calls")] == ["status", "version"]


def test_a_server_without_a_gateway_is_a_fact_too(server: Server) -> None:
    server.prints("error", code=3, errors=[{"code": "not-installed", "message": "", "hint": ""}])
    facts = server.module("mstunnel_facts")["ansible_facts"]
    assert facts == {"mstunnel": {"installed": False, "serving": False}}


def test_a_user_who_may_not_look_gets_no_facts(server: Server) -> None:
    refused = {"code": "not-root", "message": "this command needs root", "hint": ""}
    server.prints("error", code=3, errors=[refused])
    done = server.module("mstunnel_facts")
    assert (done["failed"], done["msg"]) == (True, "this command needs root (not-root)")


@pytest.mark.parametrize(
    ("arguments", "changed"), [({}, True), ({"release": "1"}, False), ({"release": "2"}, True)]
)
def test_check_mode_of_an_upgrade_knows_what_is_pending(
    server: Server, arguments: dict[str, str], changed: bool
) -> None:
    server.prints(data={"running": ["1"], "newest": "2", "upgrade_available": True})
    done = server.module("mstunnel_upgrade", check=True, **arguments)
    assert done["changed"] is changed
    assert [call.split()[:3] for call in server.read("calls")] == [["mst-cli", "upgrade", "check"]]


def test_an_upgrade_names_drain_and_release(server: Server) -> None:
    server.prints("changed", data={"running": ["1"], "newest": "2", "upgrade_available": True})
    done = server.module("mstunnel_upgrade", drain=10, release="2")
    assert server.read("calls")[1].split()[:5] == ["mst-cli", "upgrade", "apply", "--drain=10", "2"]
    assert done["changed"]
    assert done["diff"] == {"before": "release: 1\n", "after": "release: 2\n"}


def test_a_refused_upgrade_is_a_failure(server: Server) -> None:
    went_back = {"code": "upgrade-failed", "message": "the earlier release is in use again", "hint": ""}
    server.prints("error", code=7, data={"running": ["1"]}, errors=[went_back])
    done = server.module("mstunnel_upgrade")
    assert (done["failed"], done["msg"]) == (True, "the earlier release is in use again (upgrade-failed)")
