"""Writes the attacks that were run to docs/reference/attacks.md: `python -m scripts.attack_table`."""

from collections.abc import Iterable
from pathlib import Path

from tests.attack.record import Attack, recorded

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "attacks.md"
BEGIN = "<!-- attacks: begin -->"
END = "<!-- attacks: end -->"


def table(attacks: Iterable[Attack]) -> str:
    """The table in Markdown; a bar in a cell would end it."""
    rows = [(attack.attacker, attack.attack, attack.outcome) for attack in attacks]
    lines = [("Attacker", "Attack", "Outcome"), ("---", "---", "---"), *rows]
    cells = [[cell.replace("|", r"\|") for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def with_table(page: str, attacks: Iterable[Attack]) -> str:
    """The page with this table between its two markers. Raises ValueError when one is missing."""
    before, begin, rest = page.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE} lacks {BEGIN} or {END}")
    return f"{before}{BEGIN}\n\n{table(attacks)}\n{END}{after}"


def main() -> None:
    """Write the page from what was recorded last; without a record it stays as it is."""
    if attacks := list(recorded()):
        PAGE.write_text(with_table(PAGE.read_text(), attacks))


if __name__ == "__main__":
    main()
