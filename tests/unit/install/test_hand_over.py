"""Root continues as the account of a rootless gateway only with an installed program of this release."""

from collections.abc import Mapping, Sequence
from typing import NoReturn

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CheckError
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.install.install import one_step, plan
from mstunnel_setup.install.request import InstallRequest
from mstunnel_setup.install.step_list import steps_of
from mstunnel_setup.install.step_status import status
from mstunnel_setup.install.uninstall import rollback
from mstunnel_setup.io import accounts, bundle
from mstunnel_setup.io.accounts import Account
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.io.process import Completed, Processes
from tests.refusals import refused
from tests.unit.install.scenes import Scene
from tests.unit.operators import operator_of

GATEWAY = Account("mstunnel", 991, 991, "/home/mstunnel")
PLACED = f"{paths.PROGRAMS}/mstunnel-setup"
THIS, OTHER = "a" * 64, "b" * 64


class Relay(Processes):
    """A fake in which every command of the account ends at once."""

    def become(self, account: Account, arguments: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
        raise SystemExit(0)

    def attend_as(
        self, account: Account, arguments: Sequence[str], environment: Mapping[str, str]
    ) -> Completed:
        self.become(account, arguments, environment)


def program(digest: str) -> str:
    """Return the beginning of a one-file program."""
    return f"#!/bin/sh\ndigest='{digest}'\n"


@pytest.fixture
def operator(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """Return root's operator with this release's one-file program, on a host whose account exists."""
    monkeypatch.setattr(paths, "ROOTLESS", False)
    monkeypatch.setattr(paths, "STATE", paths.HOST_STATE)
    monkeypatch.setattr(Files, "live", True)
    monkeypatch.setattr(accounts, "find", lambda name: GATEWAY if name == GATEWAY.name else None)
    monkeypatch.setattr(bundle, "running", lambda: THIS)
    monkeypatch.setenv("MSTUNNEL_ONE_FILE", str(scene.write("/root/mstunnel-setup", program(THIS))))
    scene.files.make_directories(paths.PROGRAMS)
    return operator_of(scene.root, processes=Relay())


@pytest.fixture
def stopped(scene: Scene, operator: Operator) -> Operator:
    """Return an operator after root's part stopped in the step `account` with the account created."""
    for name, value in {"mode": "rootless", "account": GATEWAY.name}.items():
        scene.remember(name, value)
    scene.journal.append("step", step="eula")
    return operator


PLAN = InstallRequest(
    {"mode": "rootless", "eula": "accept"},
    skip=tuple(step.name for step in steps_of(Scope.HOST) if step.name != "program"),
)


@pytest.mark.parametrize("placed", [None, OTHER])
def test_plan_shows_only_roots_part_until_the_program_is_placed(
    scene: Scene, stopped: Operator, placed: str | None
) -> None:
    """Without an installed program of this release, nothing can plan the account's part."""
    if placed is not None:
        scene.write(PLACED, program(placed))
    planned = plan(stopped, PLAN, exit_code=False)
    assert f"  + copy {scene.files.locate('/root/mstunnel-setup')} to {PLACED}" in planned.data["diff"]
    assert [(item.code, item.message) for item in planned.warnings] == [
        ("plan-incomplete", "the account's steps cannot be planned before root's part is done")
    ]


def test_the_account_plans_both_parts_with_the_same_program(scene: Scene, stopped: Operator) -> None:
    scene.write(PLACED, program(THIS))
    with pytest.raises(SystemExit):
        plan(stopped, PLAN, exit_code=False)


def test_roots_part_is_shown_before_the_account_starts(stopped: Operator) -> None:
    shown = status(stopped).report
    assert shown is not None
    assert (shown.done, shown.next, shown.installed) == (("eula",), "account", False)


def test_roots_part_is_rolled_back_without_the_account(scene: Scene, stopped: Operator) -> None:
    assert rollback(stopped).status == "changed"
    assert scene.journal.receipt.entries == {}


def test_account_can_show_and_roll_back_with_any_release(scene: Scene, stopped: Operator) -> None:
    scene.write(PLACED, program(OTHER))
    for command in (status, rollback):
        with pytest.raises(SystemExit):
            command(stopped)


def test_account_part_is_removed_even_if_its_program_is_gone(scene: Scene, stopped: Operator) -> None:
    scene.write(f"{GATEWAY.home}/.local/state/mstunnel/journal.jsonl", "")
    for command in (status, rollback):
        with refused(CheckError, "program-not-placed") as caught:
            command(stopped)
        assert PLACED in caught.value.message
        assert "mstunnel-setup host" in caught.value.hint
    assert set(scene.journal.receipt.entries) == {"answer:mode", "answer:account"}


def test_a_step_of_the_account_needs_the_program(stopped: Operator) -> None:
    with refused(CheckError, "program-not-placed"):
        one_step(stopped, InstallRequest({}), "launch")
