"""Mutation tests: `python -m scripts.develop.mutants [PART…]` changes code; a test has to notice.

Each PART (all without one) is code that decides about certificates, recovery or who gets in, with its own
unit tests. Its section in docs/evidence/mutants.md is written anew: how many changes were made, and in which
functions some survived. A part takes between a quarter of an hour and hours.
"""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from scripts import ROOT
from scripts.develop.locked_environment import locked_environment

PAGE: Final = ROOT / "docs/evidence/mutants.md"
_WORK: Final = ROOT / "build/mutants"
PARTS: Final[dict[str, tuple[Sequence[str], Sequence[str]]]] = {
    "transaction": (["mstunnel_setup/transaction/*"], ["tests/unit/transaction"]),
    "tokens": (
        ["mstunnel_setup/gateway/oidc.py", "mstunnel_setup/operations/token_rules.py"],
        ["tests/unit/gateway/test_oidc.py", "tests/unit/operations/explain"],
    ),
    "agent": (["mstunnel_setup/agent/*"], ["tests/unit/agent"]),
    "certificates": (["mstunnel_setup/certificates/*"], ["tests/unit/certificates"]),
}
_LEFT_OUT: Final = (
    # A process of its own, in which mutmut does not know the change.
    "tests/unit/agent/test_command.py",
    # Half a minute and more for each change.
    "tests/unit/agent/test_a_week.py",
    "tests/unit/agent/test_two_servers.py",
    "tests/unit/certificates/test_oracles.py",
    "tests/unit/certificates/test_readers_never_crash.py",
    "tests/unit/certificates/test_vectors.py",
)
# A change in code that no test of the part runs has survived as well.
_NOTICED: Final = frozenset({"killed", "timeout", "segfault"})
# `package.module.xǁClassǁmethod__mutmut_7: survived`, or `package.module.x_function__mutmut_7: …`.
_RESULT: Final = re.compile(r"^ *(\S+)\.x[_ǁ](\S+)__mutmut_\d+: (.+)$", re.MULTILINE)
_HEAD: Final = """\
# Mutation tests

Written by `python -m scripts.develop.mutants`; do not edit. [mutmut](https://mutmut.readthedocs.io) changes
one thing at a time, such as a comparison, a constant or an argument, and runs the unit tests of the part. A
change that no test notices has *survived*. Left out, because they take too long for each change, are
certificates of other test suites, the comparison with other programs, and the simulated weeks of the agent.
"""


def section(part: str, results: str, day: str) -> str:
    """The section of a part, from mutmut's list of all results. Ends the program where some are missing."""
    found = _RESULT.findall(results)
    if not found or any(state == "not checked" for _, _, state in found):
        sys.exit(f"mutants: the run of {part} did not end: nothing is written")
    survived = Counter(
        f"{module.removeprefix('mstunnel_setup.')}.{function.replace('ǁ', '.')}"
        for module, function, state in found
        if state not in _NOTICED
    )
    total, lost = len(found), survived.total()
    rows = "".join(f"| `{name}` | {count} |\n" for name, count in sorted(survived.items()))
    summary = f"{total} changes: {total - lost} noticed ({1 - lost / total:.1%}), {lost} survived ({day})."
    return f"## {part}\n\n{summary}\n\n| Function | Survived |\n| --- | --- |\n{rows}"


def replaced(page: str, part: str, text: str) -> str:
    """The page with another section for a part; the others stay, in the order of PARTS."""
    sections = {found.split("\n", 1)[0]: f"## {found}".rstrip("\n") for found in page.split("\n## ")[1:]}
    sections[part] = text.rstrip("\n")
    return "\n".join([_HEAD, *(f"{sections[name]}\n" for name in PARTS if name in sections)])


def run(part: str) -> str:
    """Run a part in a copy of the checkout; mutmut's list of all results."""
    sources, tests = PARTS[part]
    if missing := [path for path in (*sources, *tests) if not any(ROOT.glob(path))]:
        sys.exit(f"mutants: {part} names what does not exist: {', '.join(missing)}")
    shutil.rmtree(_WORK, ignore_errors=True)
    _WORK.mkdir(parents=True)
    copy = f"git ls-files -z | tar --create --null --files-from=- | tar --extract --directory '{_WORK}'"
    subprocess.run(["sh", "-c", copy], cwd=ROOT, check=True, timeout=120)
    settings = {
        "source_paths": ["mstunnel_setup"],
        "only_mutate": sources,
        "pytest_add_cli_args_test_selection": tests,
        "pytest_add_cli_args": [
            *("-p", "no:xdist", "--quiet"),
            *(f"--ignore={test}" for test in _LEFT_OUT),
        ],
        "also_copy": sorted(path.name for path in _WORK.iterdir()),
    }
    with (_WORK / "pyproject.toml").open("a") as file:
        file.write("\n[tool.mutmut]\n" + "".join(f"{key} = {value!r}\n" for key, value in settings.items()))
    library = locked_environment("mutants").parents[1] / "lib"
    (packages,) = library.glob("python3*/site-packages")
    environment = {**os.environ, "PYTHONPATH": str(packages)}
    mutmut = [sys.executable, "-m", "mutmut"]
    subprocess.run([*mutmut, "run", "--max-children=2"], cwd=_WORK, env=environment, check=False)
    listed = [*mutmut, "results", "--all", "true"]
    return subprocess.run(
        listed, cwd=_WORK, env=environment, capture_output=True, text=True, check=True
    ).stdout


def main(parts: Sequence[str]) -> None:
    """Run the parts, and write their sections."""
    for part in parts or PARTS:
        text = section(part, run(part), f"{datetime.now(UTC):%Y-%m-%d}")
        PAGE.write_text(replaced(PAGE.read_text() if PAGE.exists() else "", part, text))


if __name__ == "__main__":
    main(sys.argv[1:])
