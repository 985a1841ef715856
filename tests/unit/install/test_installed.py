"""When an installation counts as complete."""

import pytest

from mstunnel_setup.actions.host import Scope
from mstunnel_setup.install.installed import complete
from mstunnel_setup.install.scope import LAST_STEP
from mstunnel_setup.install.step_list import steps_of
from mstunnel_setup.transaction.receipt import Receipt


@pytest.mark.parametrize("scope", Scope)
def test_a_step_that_was_skipped_or_is_new_does_not_make_it_unfinished(scope: Scope) -> None:
    names = [step.name for step in steps_of(scope)]
    for missing in {*names} - {LAST_STEP[scope]}:
        assert complete(Receipt(steps=tuple(name for name in names if name != missing)), scope)


@pytest.mark.parametrize(("scope", "last"), [("whole", "verify"), ("host", "boot"), ("account", "verify")])
def test_without_the_last_step_it_is_unfinished(scope: str, last: str) -> None:
    names = [step.name for step in steps_of(Scope(scope))]
    assert not complete(Receipt(steps=tuple(name for name in names if name != last)), Scope(scope))
