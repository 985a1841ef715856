"""Labs and the command, as fixtures."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.mst_admin.labs import HERE, MstAdmin, Tenant, running


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    """Return a lab with two configurations and two sites, shared by the tests of a module."""
    with running(tmp_path_factory.mktemp("lab"), HERE / "seed.yaml") as found:
        yield found


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    """Return a lab without configurations and sites."""
    with running(tmp_path_factory.mktemp("empty"), HERE / "seed-empty.yaml") as found:
        yield found


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[[Tenant], MstAdmin]:
    """Return a function that makes an `mst-admin` for a tenant."""
    (tmp_path / "root").mkdir(exist_ok=True)
    return lambda tenant: MstAdmin(tenant, capsys, tmp_path / "root")


@pytest.fixture
def admin(command: Callable[[Tenant], MstAdmin], tenant: Tenant) -> MstAdmin:
    """Return an `mst-admin` for the shared lab."""
    return command(tenant)
