"""A benchmark beyond its limit fails; `make bench` measures."""

from tests.bench.bar import Bar, bars


def test_a_bar_that_is_missed_fails_the_benchmark() -> None:
    fast, slow = Bar("Start", 9, 10, "ms"), Bar("Rate", 0.8, 0.95, "", at_least=True)
    assert bars(fast)["within_limit"]
    assert not bars(fast, slow)["within_limit"]
