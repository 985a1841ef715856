"""When an import is for: the vendor's bare words, and options of our own."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.cli.mst_cli import ImportOptions

NOW = datetime(2026, 6, 1, 12, 0, 0, 250_000, tzinfo=UTC)
ALL = NOW.replace(microsecond=0)


@pytest.mark.parametrize(
    ("options", "due"),
    [
        ({}, None),
        ({"list_pending": True}, None),
        ({"cancel": "abc"}, None),
        ({"dry_run": True}, None),
        ({"word": "delay", "minutes": "0"}, None),
        ({"word": "delay", "minutes": "10080"}, ALL + timedelta(days=7)),
        ({"delay": 5}, ALL + timedelta(minutes=5)),
        ({"at": "2026-06-02T03:00+02:00"}, datetime(2026, 6, 2, 1, tzinfo=UTC)),
        ({"at": "2026-06-02 03:00Z"}, datetime(2026, 6, 2, 3, tzinfo=UTC)),
    ],
)
def test_due(options: dict[str, Any], due: datetime | None) -> None:
    assert ImportOptions(**options).request().due(NOW) == due


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"word": "delay"}, "delay-unclear"),
        ({"word": "dely", "minutes": "5"}, "delay-unclear"),
        ({"word": "delay", "minutes": "-5"}, "delay-unclear"),
        ({"word": "delay", "minutes": "99999999"}, "delay-too-long"),
        ({"delay": 5, "at": "2026-06-02T03:00"}, "time-twice"),
        ({"at": "tomorrow"}, "time-unclear"),
        ({"at": "2026-06-01T11:59Z"}, "time-past"),
        ({"list_pending": True, "cancel": "abc"}, "import-unclear: --list and --cancel cannot be combined"),
        ({"dry_run": True, "cancel": "abc"}, "import-unclear: --cancel and --dry-run cannot be combined"),
        ({"list_pending": True, "dry_run": True}, "import-unclear: --list and --dry-run cannot be combined"),
    ],
)
def test_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        ImportOptions(**options).request().due(NOW)
    assert f"{caught.value.code}: {caught.value.message}".startswith(problem)
