"""The table of attacks in the security page comes from what was recorded, and can be written again."""

from pathlib import Path

import pytest

from scripts.attack_table import BEGIN, END, PAGE, with_table
from tests.attack.record import record, recorded


def test_the_last_outcome_of_each_attack_is_in_the_table(tmp_path: Path) -> None:
    record("agent", "links | pipes", "passed", tmp_path)
    record("agent", "links | pipes", "refused", tmp_path)
    record("device", "scan", "refused", tmp_path)
    page = with_table(f"before\n{BEGIN}\nold\n{END}\nafter\n", recorded(tmp_path))
    assert "| agent | links \\| pipes | refused |\n| device | scan | refused |\n" in page
    assert "old" not in page
    assert page.startswith("before\n")
    assert page.endswith("after\n")
    assert with_table(page, recorded(tmp_path)) == page


def test_the_page_has_its_place_for_the_table() -> None:
    assert with_table(PAGE.read_text(), [])
    with pytest.raises(ValueError, match="lacks"):
        with_table("no markers", [])


def test_every_promise_of_the_security_page_names_its_test() -> None:
    blocks = PAGE.read_text().partition(BEGIN)[0].split("\n\n")
    rows = [row for block in blocks if "| Proved by |" in block for row in block.splitlines()[2:]]
    assert len(rows) > 25
    assert [row for row in rows if "`tests/" not in row] == []
