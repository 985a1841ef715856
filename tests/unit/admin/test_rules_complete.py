"""No rule without a case in a fixture file, and none that the reference does not tell."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SOURCES = [
    *(ROOT / "mstunnel_setup/admin").glob("rules_*.py"),
    *(ROOT / "mstunnel_setup/admin/profiles").glob("rules*.py"),
    ROOT / "mstunnel_setup/admin/profiles/exclusions.py",
    ROOT / "mstunnel_setup/admin/profiles/lint.py",
]
FIXTURES = [
    ROOT / "tests/unit/admin/rules.yaml",
    *(ROOT / "tests/unit/admin/profiles").glob("*.yaml"),
    # What depends on the site as well.
    ROOT / "tests/unit/admin/profiles/test_rules.py",
]
VALUES = {"connect-if-needed", "never-connect"}
"""Words of that form which are values of a key, not codes."""

CODES = sorted(
    {code for path in SOURCES for code in re.findall(r'"([a-z0-9]+(?:-[a-z0-9]+)+)"', path.read_text())}
    - VALUES
)


def test_the_codes_are_found() -> None:
    assert len(CODES) > 50


@pytest.mark.parametrize("code", CODES)
def test_a_rule_has_a_case_and_is_in_the_reference(code: str) -> None:
    cases = "".join(path.read_text(encoding="utf-8") for path in FIXTURES)
    assert re.search(rf"\b{code}\b", cases)
    assert f"`{code}`" in (ROOT / "docs/reference/mst-admin.md").read_text(encoding="utf-8")
