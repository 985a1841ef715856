"""When an installation counts as complete."""

import pytest

from mstunnel_setup.engine.receipt import Receipt
from mstunnel_setup.install.installed import complete
from mstunnel_setup.install.scope import STEP_NAMES, Scope

STEPS = STEP_NAMES[Scope.ALL]


@pytest.mark.parametrize("added", ["audit", "logs"])
def test_that_of_an_earlier_release_is_complete_without_the_steps_of_later_ones(added: str) -> None:
    assert complete(Receipt(steps=tuple(name for name in STEPS if name != added)))


@pytest.mark.parametrize("missing", ["launch", "verify"])
def test_without_another_step_it_is_not(missing: str) -> None:
    assert not complete(Receipt(steps=tuple(name for name in STEPS if name != missing)))
