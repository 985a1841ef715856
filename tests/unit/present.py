"""What must be there, for tests that go on with it."""

from typing import TypeVar

Value = TypeVar("Value")


def present(value: Value | None) -> Value:
    """`value`, which is not None."""
    assert value is not None
    return value
