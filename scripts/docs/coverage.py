"""The page of what the vendor documents: what each behaviour is here, its code, its test and how to see it.

The behaviours are in `scripts/docs/behaviours`, one file for each section of the vendor's page, in its order.
tests/unit/test_coverage.py fails when something that a row names does not exist.
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field
from typer.exceptions import TyperException

from scripts import ROOT
from scripts.docs import command_tree

_SECTIONS = ROOT / "scripts/docs/behaviours"
_UP = "../.."
_WHY_ENOUGH = 10
_INTRO = """# Coverage

Microsoft documents on one page how to configure, install and update its own tunnel (“Configure Microsoft
Tunnel for Intune”). Each sentence there that states a behaviour has a row here, in the same order: what this
program does, in our words; the command that shows it; the module that implements it; the test that proves
it. If the tests read a table of cases, the row names the case.

{count} behaviours. {open} of them depend on a part that is proprietary or was not available: the row names
what is not verified.
"""


class Behaviour(BaseModel):
    """One behaviour in one sentence.

    `code` is a path of the repository. `test` is a module with `::` and a test, a table of cases with `::`
    and a case, or a file that is one case. `unverified` names what no test could reach, or what stands for
    it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    text: str = Field(pattern=r"^[A-Za-z0-9].*\.$")
    code: str = Field(min_length=1)
    test: str = Field(pattern=r"^tests/.+(\.py::\w+|\.(json|jsonl|yaml)(::.+)?)$")
    command: str = Field(min_length=1)
    unverified: str | None = Field(default=None, min_length=_WHY_ENOUGH)


class Section(BaseModel):
    """The behaviours of one section of the vendor's page."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = Field(min_length=1)
    behaviour: tuple[Behaviour, ...] = Field(min_length=1)


def sections() -> Sequence[Section]:
    """All sections in their order. Raises ValueError when an entry lacks a part."""
    return [
        Section.model_validate(tomllib.loads(path.read_text())) for path in sorted(_SECTIONS.glob("*.toml"))
    ]


def page() -> str:
    """The page: a table for each section."""
    found = sections()
    every = [behaviour for section in found for behaviour in section.behaviour]
    intro = _INTRO.format(count=len(every), open=sum(behaviour.unverified is not None for behaviour in every))
    return "\n".join([intro, *map(_table, found)])


def _table(section: Section) -> str:
    head = "| Behaviour | To see it | Code | Test |\n| --- | --- | --- | --- |\n"
    return f"## {section.title}\n\n{head}{''.join(map(_row, section.behaviour))}"


def _row(behaviour: Behaviour) -> str:
    text = f'<a id="{behaviour.id}"></a>{behaviour.text}'
    if behaviour.unverified:
        text += f" *Not verified: {behaviour.unverified}.*"
    file, _, name = behaviour.test.partition("::")
    code, test = behaviour.code.removeprefix("mstunnel_setup/"), name or Path(file).stem
    cells = (
        text,
        f"`{behaviour.command}`",
        f"[`{code}`]({_UP}/{behaviour.code})",
        f"[`{test}`]({_UP}/{file})",
    )
    return f"| {' | '.join(cells)} |\n"


def problems(behaviour: Behaviour) -> Iterator[str]:
    """What of the things that an entry names does not exist."""
    file, _, name = behaviour.test.partition("::")
    if not (ROOT / behaviour.code).is_file():
        yield f"no file {behaviour.code}"
    if not (ROOT / file).is_file() or not _has(ROOT / file, name):
        yield f"no test {behaviour.test}"
    if refusal := _refusal(behaviour.command):
        yield f"{behaviour.command}: {refusal!s}"


def _has(file: Path, name: str) -> bool:
    """Whether a module defines a test, or a table has a case, of that name; empty is the whole file."""
    exact = re.escape(name)
    pattern = rf"^ *def {exact}\(" if file.suffix == ".py" else rf"(?<![\w-]){exact}(?![\w-])"
    return re.search(pattern, file.read_text(), re.MULTILINE) is not None


def _refusal(command: str) -> str:
    """What the program, or make, would answer to a command that is wrong; empty when it is right."""
    program, _, target = command.partition(" ")
    if program == "make":
        known = re.search(rf"^{re.escape(target)}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
        return "" if known else "no such target"
    try:
        command_tree.called(command)
    except TyperException as error:
        return str(error)
    return ""
