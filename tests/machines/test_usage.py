"""What a gateway takes counts as grown when the second half of a time exceeds the first one."""

import pytest

from tests.machines.usage import grown

_FIRST = {"agent_memory": 100, "agent_open": 10, "disk": 1000, "paths": 1000, "journal": 1}
_FIGURES = {"agent_memory": 120, "agent_open": 12, "disk": 1010, "paths": 1010}


@pytest.mark.parametrize(("name", "figure"), _FIGURES.items())
def test_what_has_grown_is_named_with_both_figures(name: str, figure: int) -> None:
    (complaint,) = grown([_FIRST] * 3 + [{**_FIRST, name: figure}] * 3)
    assert complaint == f"{name} has grown from {_FIRST[name]} to {figure}"


def test_an_open_file_more_in_each_month_is_a_leak() -> None:
    (complaint,) = grown([{**_FIRST, "agent_open": 10 + month} for month in range(13)])
    assert complaint == "agent_open has grown from 13 to 19"


def test_what_is_larger_for_a_moment_has_not_grown() -> None:
    assert list(grown([_FIRST, _FIRST, _FIRST, _FIRST, {**_FIRST, **_FIGURES}, _FIRST])) == []


def test_the_journal_may_grow_until_it_is_compacted() -> None:
    assert list(grown([_FIRST, {**_FIRST, "journal": 256}])) == []
