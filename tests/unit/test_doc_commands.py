"""Every command that the pages name exists, with the options they give it; every link leads somewhere."""

import importlib
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import typer

from mstunnel_setup.cli.dispatch import MODULES

ROOT = Path(__file__).parents[2]
PAGES = [
    path
    for path in (
        *sorted(ROOT.glob("*.md")),
        *sorted((ROOT / "docs").rglob("*.md")),
        *sorted((ROOT / "tests").glob("*/*.md")),
    )
    # Written from the programs themselves.
    if path.name != "commands.md"
]
TARGETS = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
_NAMES = "|".join(map(re.escape, (*MODULES, "make")))
# Behind sudo, variables and a directory, if any.
_CALL = re.compile(rf"\s*(?:sudo (?:-\S+ )*)?(?:\w+=\S* )*(?:\S*/)?({_NAMES})(?= |$)([^;|&>]*)")
_LINK = re.compile(r"\]\(([^)#\s]*)(#[^)\s]+)?\)")


def code(text: str) -> Iterator[str]:
    """Lines of code blocks, and code within lines; comments left out."""
    fenced = False
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield re.sub(r"(^|\s)# .*", "", line)
        else:
            yield from re.findall(r"`([^`]+)`", line)


def calls(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each program that is called, and its words."""
    for line in code(text):
        if match := _CALL.match(line):
            yield match[1], match[2].split()


def wrong(program: str, words: list[str]) -> str:
    """What of a call does not exist; empty when all does."""
    if program == "make":
        return "" if not words or words[0] in TARGETS else words[0]
    command: Any = typer.main.get_command(importlib.import_module(MODULES[program]).app)
    known = {"-h", "--help", *options(command)}
    for before, word in zip(["", *words], words, strict=False):
        if word.startswith("-"):
            if word.partition("=")[0] not in known:
                return word
        elif word == "…":
            return ""
        elif not before.startswith("-") and re.fullmatch("[a-z_-]+", word):
            children = getattr(command, "commands", {})
            # Programs take the vendor's names with a hyphen as well.
            name = word if word in children else word.replace("-", "_")
            if children and not {word, name} & {*children, *choices(command)}:
                return word
            command = children.get(name, command)
            known |= options(command)
    return ""


def options(command: Any) -> set[str]:
    """The options of a command, in every spelling."""
    return {name for item in command.params for name in (*item.opts, *item.secondary_opts)}


def choices(command: Any) -> list[str]:
    """What the arguments of a command may be, where that is listed."""
    kinds = [item.type_descriptor.annotation for item in command.params if item.param_type_name == "argument"]
    return [
        str(member.value)
        for kind in kinds
        if isinstance(kind, type) and issubclass(kind, Enum)
        for member in kind
    ]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_page_says_to_type_exists(path: Path) -> None:
    found = {
        f"{program} {' '.join(words)}": wrong(program, words) for program, words in calls(path.read_text())
    }
    assert {call: word for call, word in found.items() if word} == {}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    links = [(path.parent / target if target else path, anchor) for target, anchor in relative(path)]
    assert [str(target) for target, _ in links if not target.exists()] == []
    assert [
        (target.name, anchor) for target, anchor in links if anchor and anchor not in anchors(target)
    ] == []


def relative(page: Path) -> list[tuple[str, str]]:
    """The links of a page within the repository: path (empty: the page itself) and `#heading`."""
    return [(target, anchor) for target, anchor in _LINK.findall(page.read_text()) if "://" not in target]


def anchors(page: Path) -> set[str]:
    """`#heading` of each heading, as Git's web interfaces make it, and `#id` of each `<a id="…">`."""
    text = page.read_text()
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    made = {"#" + re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return made | {f"#{name}" for name in re.findall(r'<a id="([^"]+)">', text)}


def test_what_does_not_exist_is_found() -> None:
    text = "    sudo mst-cli sever status\n\n`mst-readiness host --fixx` and `mst-cli`\n    make demmo\n"
    assert [wrong(*call) for call in calls(text)] == ["sever", "--fixx", "", "demmo"]


def test_the_pages_name_many_commands() -> None:
    assert sum(1 for path in PAGES for _ in calls(path.read_text())) > 100


def test_the_pages_have_many_links() -> None:
    assert sum(len(relative(path)) for path in PAGES) > 50
