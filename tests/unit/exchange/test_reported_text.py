"""Texts of the agent with their templates, which the host can translate."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from mstunnel_setup.base.text import Text, text
from mstunnel_setup.exchange.health_report import (
    REPORT,
    HealthReport,
    HealthState,
    ReportedRow,
    ReportedText,
    Thresholds,
    read_health,
    write_health,
)
from mstunnel_setup.io.files import Files
from tests.cases import every


def test_rows_reach_the_host_with_their_templates(tmp_path: Path) -> None:
    """Check that a value from elsewhere is inserted and never used as a template."""
    files = Files(tmp_path)
    at = datetime(2026, 5, 1, tzinfo=UTC)
    said = text("{registry} answered {age} ago", registry="{evil.__class__}", age="9 s")
    rows = tuple(
        ReportedRow(id=name, title=name, state=HealthState.HEALTHY, text=words)
        for name, words in {"upgradeability": said, "disk-space": "3.0 GB free"}.items()
    )
    (tmp_path / REPORT.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
    write_health(files, HealthReport(at=at, state=HealthState.HEALTHY, rows=rows, thresholds=Thresholds()))
    found = read_health(files)
    assert found is not None
    shown, plain_row = (row.text for row in found.rows)
    assert isinstance(shown, Text)
    assert isinstance(said, Text)
    assert (shown.template, str(shown)) == (said.template, "{evil.__class__} answered 9 s ago")
    assert not isinstance(plain_row, Text)


@every("template", ["{a.__class__}", "{a:>99999999}", "{0}", "{", "{a!r}"])
def test_template_that_formats_more_than_values_is_refused(template: str) -> None:
    with pytest.raises(ValidationError):
        ReportedText.model_validate({"template": template, "values": {"a": "x"}})
