"""Every command that the pages name exists, with the options they give it; every link leads somewhere."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.exceptions import TyperException

from mstunnel_setup.cli.dispatch import MODULES
from mstunnel_setup.cli.framework.help import SPELLINGS
from scripts.docs.command_tree import PROGRAMS, called, commands_of, flat
from tests import pages
from tests.cases import every

# Those of the commands are written from the programs themselves.
PAGES = [path for path in pages.PAGES if path.name != "commands.md" and path.parent.name != "commands"]
# What changed in earlier releases names commands of their time.
CURRENT = [path for path in PAGES if path.name != "CHANGELOG.md"]
TARGETS = re.findall(r"^([a-z0-9-]+):", (pages.ROOT / "Makefile").read_text(), re.MULTILINE)
_NAMES = "|".join(map(re.escape, (*MODULES, "make")))
# Behind sudo, variables and a directory, if any.
_CALL = re.compile(rf"\s*(?:sudo (?:-\S+ )*)?(?:\w+=\S* )*(?:\S*/)?({_NAMES})(?= |$)([^;|&>]*)")
_RUN = re.compile(rf"(?:sudo (?:-\S+ )*)?(?:\w+=\S* )*(?:\S*/)?(?:{'|'.join(PROGRAMS)})(?= |$)")
# Fenced, or indented by four.
_BLOCK = re.compile(r"(?ms)^( *)```([^\n]*)\n(.*?)^\1```|((?:^ {4}.*\n)+)")
_LINK = re.compile(r"\]\(([^)#\s]*)(#[^)\s]+)?\)")


def code(text: str) -> Iterator[str]:
    """Lines of code blocks, and code within lines; comments and the output in consoles left out."""
    fence = ""
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            fence = "" if fence else line.strip()
        elif fence == "```console":
            yield from typed(line)
        elif fence or line.startswith("    "):
            yield re.sub(r"(^|\s)# .*", "", line)
        else:
            yield from re.findall(r"`([^`]+)`", line)


def typed(console: str) -> list[str]:
    """The commands of a console: what follows `$ `. The rest is output."""
    return [line.strip()[2:] for line in console.splitlines() if line.strip().startswith("$ ")]


def calls(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each program that is called, and its words."""
    for line in code(text):
        if match := _CALL.match(line):
            yield match[1], match[2].split()


def blocks(text: str) -> Iterator[list[str]]:
    """The commands of each code block, whole: continued lines are one. Of a diagram, those in its boxes."""
    for _indent, language, fenced, indented in _BLOCK.findall(f"{text}\n"):
        if language.startswith("{"):  # a directive, such as a table of contents
            continue
        whole = re.sub(r"\\\n\s*", "", fenced or indented)
        lines = re.split(r'"|<br>' if language == "mermaid" else r"\n", whole)
        if language == "console":
            lines = typed(whole)
        stripped = (re.sub(r"(^|\s)# .*", "", line).strip() for line in lines)
        if found := [line for line in stripped if _RUN.match(line)]:
            yield found


def is_synopsis(commands: list[str]) -> bool:
    """Whether a block shows what may be left out: `[--site NAME]`."""
    return any(re.search(r"\[[-\w]", line) for line in commands)


def refusal(line: str) -> str:
    """What a program answers to a command line that it does not take; empty when it takes it."""
    try:
        called(line)
    except TyperException as error:
        return error.format_message()
    return ""


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
            children = commands_of(command)
            # Programs take other spellings, and the vendor's names with a hyphen, as well.
            word = SPELLINGS.get(word, word)  # noqa: PLW2901
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
    items = (*getattr(command, "arguments", ()), *command.params)
    kinds = [item.type_descriptor.annotation for item in items if item.param_type_name == "argument"]
    return [choice for kind in kinds for choice in flat(kind) if isinstance(choice, str)]


@every("path", CURRENT)
def test_what_a_page_says_to_type_exists(path: Path) -> None:
    found = {
        f"{program} {' '.join(words)}": wrong(program, words) for program, words in calls(pages.content(path))
    }
    assert {call: word for call, word in found.items() if word} == {}


@every("path", PAGES)
def test_links_lead_somewhere(path: Path) -> None:
    links = [(path.parent / target if target else path, anchor) for target, anchor in relative(path)]
    assert [str(target) for target, _ in links if not pages.exists(target.resolve())] == []
    assert [
        (target.name, anchor) for target, anchor in links if anchor and anchor not in anchors(target)
    ] == []


def relative(page: Path) -> list[tuple[str, str]]:
    """The links of a page within the repository: path (empty: the page itself) and `#heading`."""
    return [(target, anchor) for target, anchor in _LINK.findall(pages.content(page)) if "://" not in target]


def anchors(page: Path) -> set[str]:
    """`#heading` of each heading, as Git's web interfaces make it, and `#id` of each `<a id="…">`."""
    text = pages.content(page.resolve())
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    made = {"#" + re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return made | {f"#{name}" for name in re.findall(r'<a id="([^"]+)">', text)}


@every("path", CURRENT)
def test_the_programs_take_every_command_of_a_code_block(path: Path) -> None:
    lines = [line for found in blocks(pages.content(path)) if not is_synopsis(found) for line in found]
    refused = {line: refusal(line) for line in lines}
    assert {line: answer for line, answer in refused.items() if answer} == {}


def test_few_blocks_are_a_synopsis() -> None:
    """A command in brackets escapes the command line."""
    shown = [path.name for path in PAGES for found in blocks(pages.content(path)) if is_synopsis(found)]
    assert shown == ["lab.md", "mst-admin.md", "readiness.md"]


@pytest.mark.parametrize(
    ("block", "answer"),
    [
        ("```\nsudo mst-cli server restart --fast\n```", "No such option: --fast"),
        ("```console\n$ mst-cli status --fast\nmst-cli output --of-it\n```", "No such option: --fast"),
        ("```sh\nmst-cli import_cert \\\n  --pxf site.pfx\n```", "No such option: --pxf"),
        ("    mst-admin config update --network 10.0.0.0/16", "Missing argument 'NAME_OR_ID'"),
        ('```mermaid\nflowchart TB\n  a --> b["See it<br>mst-cli explian USER"]\n```', "no such command"),
        (
            "1. Install:\n\n   ```\n   mst_no_prompt=1 ./mstunnel-setup --prot 1\n   ```",
            "No such option: --prot",
        ),
    ],
    ids=["fenced", "console", "continued", "indented", "diagram", "in a list"],
)
def test_a_command_that_a_program_refuses_is_found(block: str, answer: str) -> None:
    ((line,),) = blocks(block)
    assert answer in refusal(line)


def test_every_leaf_of_the_decision_trees_is_a_command() -> None:
    page = (pages.ROOT / "docs/how-to/runbook.md").read_text()
    ends = 0
    for tree in re.findall(r"(?s)```mermaid\n(.*?)```", page):
        named = dict(re.findall(r'(\w+)\["([^"]+)"\]', tree))
        inner = set(re.findall(r"(?m)^ *(\w+)[\[({]?.*-->", tree))
        leaves = {name: text for name, text in named.items() if name not in inner}
        assert [name for name, text in leaves.items() if not _RUN.match(text.split("<br>")[-1])] == []
        ends += len(leaves)
    assert ends > 15


def test_what_does_not_exist_is_found() -> None:
    text = "    sudo mst-cli sever status\n\n`mst-readiness host --fixx` and `mst-cli`\n    make demmo\n"
    assert [wrong(*call) for call in calls(text)] == ["sever", "--fixx", "", "demmo"]


def test_the_pages_name_many_commands() -> None:
    assert sum(1 for path in PAGES for _ in calls(pages.content(path))) > 100


def test_the_pages_have_many_links() -> None:
    assert sum(len(relative(path)) for path in PAGES) > 50
