"""No rule without a case in a fixture file; the reference is written from the declarations."""

import re
from pathlib import Path

from mstunnel_setup.answers.finding import Finding
from scripts.error_codes import declarations

ROOT = Path(__file__).parents[3]
FIXTURES = [
    ROOT / "tests/unit/mst_admin/rules.yaml",
    *(ROOT / "tests/unit/mst_admin/profiles").glob("*.yaml"),
    # What depends on the site as well.
    ROOT / "tests/unit/mst_admin/profiles/test_rules.py",
    *(ROOT / "tests/unit/mst_admin/apps").glob("*.yaml"),
]
OF_A_TENANT = {"name-ambiguous", "profile-not-declarable", "app-config-not-declarable"}
"""What an export reports; the tests of exports have their cases."""
OF_OPTIONS = {"setting-malformed"}
"""What only the command line can get wrong; tests/unit/mst_admin/test_commands.py has its case."""


def test_every_rule_has_a_case() -> None:
    rules = {item.code for item in declarations().values() if isinstance(item.example(), Finding)}
    assert len(rules) > 50
    cases = "".join(path.read_text(encoding="utf-8") for path in FIXTURES)
    tested = {code for code in rules if re.search(rf"\b{code}\b", cases)}
    assert rules - tested - OF_A_TENANT - OF_OPTIONS == set()
