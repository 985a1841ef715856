"""What a gateway takes counts as grown when the second half of a time exceeds the first one."""

import pytest

from tests.machines.usage import grown

_FIRST = {"agent_memory": 100, "agent_open": 10, "disk": 1000, "paths": 1000, "journal": 1}
_FIGURES = {"agent_memory": 120, "agent_open": 12, "disk": 1020, "paths": 1020}


@pytest.mark.parametrize(("name", "figure"), _FIGURES.items())
def test_what_has_grown_is_named_with_both_figures(name: str, figure: int) -> None:
    (complaint,) = grown([_FIRST, _FIRST, {**_FIRST, name: figure}, _FIRST])
    assert complaint == f"{name} has grown from {_FIRST[name]} to {figure}"


def test_what_is_larger_in_the_first_half_has_not_grown() -> None:
    assert list(grown([_FIRST, {**_FIRST, **_FIGURES}, _FIRST, {**_FIRST, "agent_memory": 105}])) == []


def test_the_journal_may_grow_until_it_is_compacted() -> None:
    assert list(grown([_FIRST, {**_FIRST, "journal": 256}])) == []
