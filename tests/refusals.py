"""An error that is expected, by its class and its code."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mstunnel_setup.base.errors import SetupError


@contextmanager
def refused(
    kind: type[SetupError], code: str, match: str | None = None
) -> Iterator[pytest.ExceptionInfo[SetupError]]:
    """The block raises an error of this class with this code; `match` is a pattern of its message."""
    with pytest.raises(kind, match=match) as caught:
        yield caught
    assert caught.value.code == code
