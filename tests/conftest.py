"""What holds for every test."""

from pathlib import Path

import pytest
from hypothesis import settings

# A machine that is busy with other tests is no failure.
settings.register_profile("project", deadline=None)
settings.load_profile("project")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`make screenshots` puts those of the documentation into it."""
    parser.addoption("--screenshots", type=Path, default=Path("build/screenshots"), help="Where they go.")


@pytest.fixture
def screenshots(request: pytest.FixtureRequest) -> Path:
    """The folder for screenshots."""
    folder: Path = request.config.getoption("--screenshots")  # pyright: ignore[reportAssignmentType]
    return folder.absolute()
