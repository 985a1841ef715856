"""Fixtures of the tests in a browser."""

from collections.abc import Iterator

import pytest

from tests.browser.served_site import Site, served_site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A lab, and a browser in which its administrator has signed in."""
    with served_site(tmp_path_factory.mktemp("lab"), tmp_path_factory.mktemp("profile")) as served:
        yield served
