"""Parameters of tests that are run in part: `make test` takes some of them, `make e2e` the others."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def sample(values: Iterable[Any], kept: Collection[Any]) -> list[Any]:
    """All of `values`, in their order; those that are not `kept` are marked `long`. A tuple is one row."""
    rows = [(value, value if isinstance(value, tuple) else (value,)) for value in values]
    return [value if value in kept else pytest.param(*row, marks=pytest.mark.long) for value, row in rows]
