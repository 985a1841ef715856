"""The pages of the repository: those in git, and those that follow from the code (`scripts.docs`)."""

import re
from pathlib import Path

from scripts.docs import reference

ROOT = Path(__file__).parents[1]
_GENERATED = reference.pages()
_FOUND = (
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "contrib").rglob("*.md"),
    *(ROOT / "tests").glob("*/*.md"),
)
GENERATED = frozenset(path for path in _GENERATED if path.parent.name != "tables")
WRITTEN = frozenset(_FOUND) - _GENERATED.keys()
PAGES = sorted(WRITTEN | GENERATED)


def exists(path: Path) -> bool:
    """Return whether there is such a file, in git or once `make docs` ran."""
    return path in _GENERATED or path.exists()


def content(path: Path) -> str:
    """Return the text of a page, with the tables that it includes."""
    text = _GENERATED[path] if path in _GENERATED else path.read_text()
    return re.sub(
        r"```\{include\} (\S+)\n```\n", lambda found: content((path.parent / found[1]).resolve()), text
    )
