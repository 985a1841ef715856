"""Every text on a screen is a template: with a catalogue that rewrites all templates no English is left.

The catalogue has a Cyrillic letter for each letter of a template: only values stay as they are. What is
English then is a text that no translation can reach; a missing translation is no failure.
"""

import gettext
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mstunnel_setup.base.text import Text, text
from mstunnel_setup.cli.framework.translation import translated, use
from scripts.develop import texts as catalogues
from tests.cases import every
from tests.unit.cli.help_pages import COMMANDS, help_of
from tests.unit.cli.test_screens import Stage, failed, installed, judged, readiness_shows
from tests.unit.readiness.known import BROKEN

LETTERS = str.maketrans({chr(ord("a") + n): chr(0x430 + n) for n in range(26)})
VALUE = re.compile(r"(\{[^{}]*\}|`[^`]*`)")
# What stays English on purpose: commands, paths and names in the answers of other programs, quoted values,
# and the kind of a value in the help.
QUOTED = re.compile(r"<[^>]*>|`[^`]*`|“[^”]*”|\"[^\"]*\"|'[^']*'|\S*[/=@]\S*|--?\S+")
ENGLISH = re.compile(r"\b[a-z]{2,}(?: [a-z]{2,})+\b")
# These are outputs of other programs that the tests simulate.
OF_OTHERS = f"the engine of the tests, (the terms), {json.dumps(BROKEN)}"


def rewritten(template: str) -> str:
    parts = VALUE.split(template)
    return "".join(
        part if number % 2 else part.lower().translate(LETTERS) for number, part in enumerate(parts)
    )


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the catalogue and return its file."""
    path = tmp_path_factory.mktemp("catalogue") / "rewritten.mo"
    every_text = {template: rewritten(template) for template in catalogues.texts()}
    source = path.with_suffix(".po")
    source.write_bytes(catalogues.updated(every_text, every_text, "ja"))
    path.write_bytes(catalogues.compiled(source))
    return path


@pytest.fixture
def rewriting(catalogue: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    made = gettext.GNUTranslations(io.BytesIO(catalogue.read_bytes()))
    monkeypatch.setattr(gettext, "translation", lambda *_given, **_options: made)
    use("ja")
    yield
    monkeypatch.undo()
    use("en")


def english(shown: str) -> list[str]:
    """Return the lines with two adjacent English words."""
    return [
        line
        for line in QUOTED.sub("|", shown).splitlines()
        if any(words not in OF_OTHERS for words in ENGLISH.findall(line))
    ]


def test_an_fstring_with_a_text_is_refused_in_tests() -> None:
    value = text("not set")
    assert isinstance(value, Text)
    with pytest.raises(AssertionError, match="loses the translation"):
        f"{value}"
    assert f"{value!s}" == "not set"


def test_a_text_that_is_no_template_is_noticed(rewriting: None) -> None:
    assert english(translated(text("cannot pull {image}: {reason}", image="x", reason="no reply came"))) != []
    reason = text("no answer in time")
    assert english(translated(text("cannot pull {image}: {reason}", image="x", reason=reason))) == []


def test_findings_of_readiness_are_templates(rewriting: None) -> None:
    assert english(judged("ja")) == []


@every("command", COMMANDS)
def test_help_is_made_of_templates(command: str, rewriting: None) -> None:
    assert english("\n".join(help_of(command)).replace(command, "")) == []


@every("check", ["ip-forward", "disk", "port-tcp"])
def test_explanations_of_checks_are_templates(check: str, rewriting: None) -> None:
    assert english(readiness_shows("ja", ("explain", check))) == []


def test_screens_of_an_installation_are_templates(catalogue: Path, tmp_path: Path) -> None:
    stage = Stage(tmp_path, catalogue=str(catalogue))
    try:
        shown = {name: english(said) for name, said in (*installed(stage, "ja"), *failed(stage, "ja"))}
    finally:
        stage.close()
    del shown["configuration"]
    assert {name: lines for name, lines in shown.items() if lines} == {}


def test_an_explanation_names_the_group_in_the_language(rewriting: None) -> None:
    shown = readiness_shows("ja", ("explain", "ip-forward"))
    assert f"({rewritten('utils')}, {rewritten('required')})" in shown
