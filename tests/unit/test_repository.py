"""What belongs to the repository besides the program: its root, its workflows, its change fragments."""

import re
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
# What has no place here yet but one in the layout of ARCHITECTURE.md may come.
AT_THE_ROOT = {
    *(".ci", ".github", ".gitignore", ".importlinter"),
    *("ARCHITECTURE.md", "CHANGELOG.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "LICENSE", "SECURITY.md"),
    *("Makefile", "README.ja.md", "README.md", "pyproject.toml"),
    *("ansible", "changelog.d", "contrib", "docs", "images", "mstunnel_setup", "requirements", "scripts"),
    *("templates", "tests"),
}


def entries(*options: str) -> set[str]:
    """The top-level names that `git ls-files` lists."""
    command = ["git", "ls-files", "-z", *options]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {path.partition("/")[0] for path in listed.split("\0") if path}


def test_the_root_holds_only_what_belongs_there() -> None:
    """Also what is not committed yet: a stray file of a test or a redirection would be, with the next `add`."""
    assert entries("--cached", "--others", "--exclude-standard") - AT_THE_ROOT == set()


HEADINGS = ["Added", "Changed", "Fixed", "Security", "Documentation"]


def test_change_notes_have_the_usual_headings() -> None:
    types = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]["type"]
    assert [kind["name"] for kind in types] == HEADINGS
    assert [kind["directory"] for kind in types] == [name.lower() for name in HEADINGS]


def test_every_change_fragment_has_a_type_that_the_release_notes_know() -> None:
    """`towncrier build` leaves out a fragment whose type it does not know, without an error."""
    fragments = [path for path in (ROOT / "changelog.d").iterdir() if path.name != ".gitignore"]
    types = "|".join(name.lower() for name in HEADINGS)
    assert [path.name for path in fragments if not re.fullmatch(rf"[+\w-]+\.({types})\.md", path.name)] == []


def test_every_change_fragment_is_text_for_the_release_notes() -> None:
    assert [path.name for path in (ROOT / "changelog.d").glob("*.md") if not path.read_text().strip()] == []
