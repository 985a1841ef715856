"""One machine for all tests of a file."""

from collections.abc import Iterator

import pytest

from tests.machines.booted import booted
from tests.machines.installation import MachineInstallation


@pytest.fixture(scope="module")
def trixie() -> Iterator[MachineInstallation]:
    with booted("trixie") as installation:
        yield installation
