"""Numbers and JSON that others wrote are read by `mstunnel_setup.base.parsing` alone.

`int` raises for more than 4,300 digits and takes `٣`; `json.loads` raises RecursionError and returns NaN.
Every other use in the package is either arithmetic, which the scan knows, or listed here with what bounds it.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT = Path(__file__).parents[2]
PARSERS = ROOT / "mstunnel_setup/base/parsing.py"
SOURCES = [
    path for name in ("mstunnel_setup", "mst_admin", "mstunnel_lab") for path in (ROOT / name).rglob("*.py")
]
HARMLESS: Final = {
    "int(value)": "a float, or an answer that `allows` has judged",
    "int(days)": "a float",
    "float(min(_INTERVAL_SECONDS * 2 ** min(failures, 10), _LONGEST_WAIT_SECONDS))": "an int",
    "int(found)": "a bool or int, or digits that a pattern bounds",
    "int(seconds_left)": "a float",
    "int(import_module(MODULES[_program()]).main() or 0)": "an int",
    "int(result.exit_code)": "an enum",
    "int(ended.exit_code)": "an enum",
    "int(unwritten.exit_code)": "an enum",
    "int(wrong.exit_code)": "an enum",
    "int(timeout)": "a float",
    "int(bound)": "a constant of ours",
    "float(count)": "an int",
    "float(seconds)": "an int",
    "float(number)": "digits that a pattern bounds",
    "float(weight[1])": "digits that a pattern bounds",
    "int(match[1])": "digits that a pattern bounds",
    "int(match[1] or 1)": "the name of a file of ours",
    "int(match[2] or match[1])": "digits that a pattern bounds",
    "int(match[2] or 0)": "digits that a pattern bounds",
    "int(match[3] or 0)": "digits that a pattern bounds",
    "int(self._number('http_code'))": "a number below a million",
    "int(settings['tcp-port'][0])": "our own file; ValueError is caught",
    "int(str(given.claims['exp']))": "a claim that `time_problem` has judged",
    "int(str(times[name]))": "a claim of 64 bits",
    "int(str(before[name]))": "our journal",
    "int(str(record['sequence']))": "our journal",
    "int(str(uid or 0))": "our journal",
    "int(str(gid or 0))": "our journal",
    "int(settings.get('session-timeout', ['0'])[0])": "our own file; ValueError is caught",
    "int(inode.rpartition(':')[2])": "the kernel's",
    "int(process)": "the kernel's",
    "int(process.name)": "the kernel's",
    "int(line.split()[1])": "the kernel's",
    "int(spec)": "a width in a template of ours",
    "int(words[4])": "the kernel's",
    "int(path.name)": "the kernel's",
    "int(group)": "the name service's",
    "int(uid)": "the name service's",
    "int(gid)": "the name service's",
    "map(int, line.split('.'))": "our own table",
    "map(int, _NUMBER.findall(str(answer.get('error_description'))))": "digits that a pattern bounds",
    "json.loads(written)": "a file of the package",
    "json.loads(written.read_text())": "a file of the package",
    "json.loads(line)": "our journal, whose checksum needs the very text",
    "json.loads(file.read_text('utf-8'))": "a file of the package",
    "json.loads(present[begin])": "our own database",
    "json.loads(body)": "our own database",
    "answer.json()": "an answer of Podman, of which a text is taken",
}
"""Expression -> why its argument is bounded, or not foreign."""

_NUMBERS = (ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Pow)
_MEASURES = {"total_seconds", "timestamp", "time", "clock_gettime"}


def conversions(source: str) -> Iterator[str]:
    """Every call in the source that turns text into a number or a JSON value, unless it is arithmetic."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and _converts(node):
            yield ast.unparse(node)


def _converts(call: ast.Call) -> bool:
    called = ast.unparse(call.func)
    if called in {"json.loads", "json.load"}:
        return True
    if called == "map":
        return bool(call.args) and ast.unparse(call.args[0]) in {"int", "float", "json.loads"}
    if called.endswith(".json") and not call.args and not call.keywords:
        return True
    # A base that is a power of two has no limit of digits.
    return called in {"int", "float"} and len(call.args) == 1 and not _is_number(call.args[0])


def _is_number(argument: ast.expr) -> bool:
    if isinstance(argument, ast.BinOp):
        return isinstance(argument.op, _NUMBERS)
    if isinstance(argument, ast.Call):
        return ast.unparse(argument.func).rpartition(".")[2] in _MEASURES
    return isinstance(argument, ast.Constant) and not isinstance(argument.value, str)


def test_no_other_module_parses_numbers_or_json_of_others() -> None:
    found = {
        expression: path.relative_to(ROOT)
        for path in SOURCES
        if path != PARSERS
        for expression in conversions(path.read_text())
    }
    new = {f"{path}: {expression}" for expression, path in found.items() if expression not in HARMLESS}
    assert not new, "read it with mstunnel_setup.base.parsing, or list it in HARMLESS with what bounds it"
    assert HARMLESS.keys() <= found.keys()


@pytest.mark.parametrize(
    "source",
    [
        "int(text)",
        "int(found[1])",
        "float(x)",
        "json.loads(a)",
        "answer.json()",
        "sum(map(int, words))",
        "int('1')",
    ],
)
def test_the_scan_sees_a_conversion(source: str) -> None:
    assert list(conversions(f"x = {source}"))


@pytest.mark.parametrize(
    "source", ["int(a / b)", "int(time.time())", "int(age.total_seconds())", "int(text, 16)"]
)
def test_the_scan_lets_arithmetic_pass(source: str) -> None:
    assert not list(conversions(f"x = {source}"))


def test_the_words_of_pydantic_reach_nobody() -> None:
    """They are for programmers; `parsing.problem_of` has ours."""
    quoted = re.compile(r"""\[["']msg["']\]""")
    found = [path for path in SOURCES if quoted.search(path.read_text())]
    assert found == [PARSERS]
