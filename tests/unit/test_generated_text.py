"""No module builds the text of a file itself: such text belongs in a template."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "mstunnel_setup"

# How a generated file begins, or a line that only such a file has.
GENERATED = re.compile(
    r"^(#!/|### BEGIN|\[(Unit|Service|Install|Container|Timer|network)\]\n"
    r"|(Description|Exec\w+|Environment|After|Wants|WantedBy|Volume|Label|Image|default_subnet) ?=)",
    re.MULTILINE,
)


def generated(source: str) -> list[str]:
    """Texts of a module that belong in a template: strings and parts of f-strings, without docstrings."""
    tree = ast.parse(source)
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in prose]
    texts = [node.value for node in constants if isinstance(node.value, str)]
    return [text for text in texts if GENERATED.search(text)]


def test_no_module_builds_the_text_of_a_file() -> None:
    modules = {str(path.relative_to(PACKAGE)): path.read_text() for path in PACKAGE.rglob("*.py")}
    assert {name: texts for name, source in modules.items() if (texts := generated(source))} == {}


TEXTS = ('T = "[Unit]\\nA=b\\n"', "yield f'Description={x}'", "T = '#!/bin/sh\\n'", "T = f'a\\n[Timer]\\n'")


@pytest.mark.parametrize("source", TEXTS)
def test_the_scan_sees_such_texts(source: str) -> None:
    assert len(generated(source)) == 1
