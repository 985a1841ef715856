"""Writes the attacks that were run to docs/evidence/attacks.md: `python -m scripts.docs.attack_table`."""

from collections.abc import Iterable
from dataclasses import astuple
from pathlib import Path

from scripts.docs.error_codes import table, with_tables
from tests.attack.record import Attack, recorded

PAGE = Path(__file__).parents[2] / "docs" / "evidence" / "attacks.md"
BEGIN = "<!-- attacks: begin -->"
END = "<!-- attacks: end -->"


def with_table(page: str, attacks: Iterable[Attack]) -> str:
    """The page with a table of them between its two markers. Raises ValueError when one is missing."""
    if BEGIN not in page or END not in page:
        raise ValueError(f"{PAGE} lacks {BEGIN} or {END}")
    # A bar in a cell would end it.
    rows = ([cell.replace("|", r"\|") for cell in astuple(attack)] for attack in attacks)
    return with_tables(page, {"attacks": f"\n{table(('Attacker', 'Attack', 'Outcome'), rows)}\n"})


def main() -> None:
    """Write the page from what was recorded last; without a record it stays as it is."""
    if attacks := list(recorded()):
        PAGE.write_text(with_table(PAGE.read_text(), attacks))


if __name__ == "__main__":
    main()
