"""The order of the steps, and when an installation counts as complete."""

import pytest

from mstunnel_setup.base.scope import Scope
from mstunnel_setup.install.installed import LAST_STEP, complete
from mstunnel_setup.install.step_list import ORDER, steps_of
from mstunnel_setup.transaction.receipt import Receipt

# Journals, `step NAME`, `--skip` and scripts use these names, so they never change.
NAMES = {
    *("eula", "environment", "certificate", "sign-in", "site", "register", "program", "kernel", "proxy"),
    *("bridge", "images", "configure", "launch", "monitor", "verify", "account", "boot", "proxy-units"),
    *("uplink", "audit", "logs"),
}


def test_step_names_are_stable() -> None:
    assert {step.name for scope in Scope for step in steps_of(scope)} == NAMES


@pytest.mark.parametrize("scope", Scope)
def test_only_steps_of_later_releases_follow_the_final_step(scope: Scope) -> None:
    names = [step.name for step in steps_of(scope)]
    assert {*names[names.index(LAST_STEP[scope]) + 1 :]} <= {"audit", "logs"}


@pytest.mark.parametrize("scope", [Scope.ALL, Scope.ACCOUNT])
def test_the_dialogue_comes_first_and_in_its_order(scope: Scope) -> None:
    """The sign-in follows the terms, env.sh and the certificate, so a stop there costs no second sign-in."""
    assert [step.name for step in steps_of(scope)][:6] == [
        *("eula", "environment", "certificate", "sign-in", "site", "register"),
    ]


def test_root_too_begins_with_the_terms() -> None:
    assert [step.name for step in steps_of(Scope.HOST)][:2] == ["eula", "account"]


def test_what_a_step_needs_comes_before_it() -> None:
    names = [step.name for step in ORDER]
    assert [
        (step.name, needed)
        for step in ORDER
        for needed in step.needs
        if names.index(needed) > names.index(step.name)
    ] == []


@pytest.mark.parametrize(
    ("scope", "last"), [(Scope.ALL, "verify"), (Scope.HOST, "boot"), (Scope.ACCOUNT, "verify")]
)
def test_the_last_step_alone_decides_whether_a_part_is_finished(scope: Scope, last: str) -> None:
    """Other steps may have been skipped, or be new in this release."""
    names = [step.name for step in steps_of(scope)]
    without = {name: Receipt(steps=tuple(other for other in names if other != name)) for name in names}
    assert [name for name in names if not complete(without[name], scope)] == [last]
