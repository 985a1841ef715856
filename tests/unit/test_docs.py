"""The reference pages that follow from the code are complete, and lead to each other."""

import re
import subprocess
from pathlib import Path

import pytest

from scripts.docs import command_tree, error_codes, reference
from scripts.docs.schemas import schemas
from tests import pages
from tests.cases import every

ROOT = Path(__file__).parents[2]
# What a newcomer reads, and what explains a directory of the tests.
OF_THE_ROOT = [
    ROOT / f"{name}.md" for name in ("ARCHITECTURE", "CODE_OF_CONDUCT", "CONTRIBUTING", "README", "SECURITY")
]
OF_THE_TESTS = sorted((ROOT / "tests").glob("*/README.md"))
DIRECTORIES = sorted(
    path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name[0] != "_"
)
SITE = [path for path in pages.PAGES if path in OF_THE_ROOT or ROOT / "docs" in path.parents]
REFERENCE = ROOT / "docs/reference"


def below(directory: str) -> list[str]:
    """Return the text of the pages in a directory of the reference."""
    return [pages.content(path) for path in pages.PAGES if path.parent == REFERENCE / directory]


def test_a_schema_in_git_is_that_of_the_code() -> None:
    assert [str(path) for path, text in schemas().items() if path.read_text() != text] == []


def test_generated_pages_are_not_in_git() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "docs"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert (
        set(tracked.stdout.splitlines()) & {str(path.relative_to(ROOT)) for path in reference.pages()}
        == set()
    )


def test_every_test_that_a_page_names_is_there() -> None:
    """A page that says where a claim is proved may name `tests/FILE.py` or `tests/FILE.py::TEST`."""
    text = "\n".join(map(pages.content, (*SITE, *OF_THE_TESTS)))
    named = set(re.findall(r"(tests/[\w/]+\.py)(?:::(\w+))?", text))
    assert len(named) > 10
    missing = [(file, test) for file, test in sorted(named) if not _defines(ROOT / file, test)]
    assert missing == []


def test_every_directory_or_file_that_a_page_names_is_there() -> None:
    """A path is written in backticks, from the root of the repository."""
    text = "\n".join(map(pages.content, (*SITE, *OF_THE_TESTS)))
    places = r"changelog\.d|docs|images|requirements|scripts|tests"
    named = {path.rstrip("/") for path in re.findall(rf"`((?:{places})(?:/[\w./-]+)?)`", text)}
    assert len(named) > 10
    assert {path for path in named if not pages.exists(ROOT / path)} == set()


@pytest.mark.parametrize("name", DIRECTORIES)
def test_each_directory_of_tests_is_explained(name: str) -> None:
    assert f"`tests/{name}`" in (ROOT / "ARCHITECTURE.md").read_text()
    if name != "unit":
        assert 5 <= len((ROOT / "tests" / name / "README.md").read_text().splitlines()) <= 26


def test_the_site_leads_to_every_page() -> None:
    """By a pattern, or by name where the order matters; from the index, or from an index below it."""
    found = set()
    for index in SITE:
        trees = "".join(re.findall(r"(?s)```\{toctree\}\n(.*?)```", pages.content(index)))
        for entry in re.findall(r"^(?:[^:<]+<)?([\w/*.-]+)>?$", trees, re.MULTILINE):
            base = ROOT if entry.startswith("/") else index.parent
            path = (base / f"{entry.lstrip('/')}.md").resolve()
            found |= {page for page in SITE if page.match(str(path))}
    assert set(SITE) - found - {ROOT / "docs/index.md"} == set()


@pytest.mark.parametrize("page", ["tutorial/real-server.md", "how-to/release.md"])
def test_a_file_of_a_release_is_made_executable_before_it_runs(page: str) -> None:
    """What was downloaded is not executable."""
    blocks = re.findall(r"(?ms)^```\w*\n(.*?)^```", (ROOT / "docs" / page).read_text())
    first = [block for block in blocks if re.search("ln -s mstunnel-setup|sha256sum --check", block)]
    assert first
    assert [block for block in first if "chmod +x mstunnel-setup\n" not in block] == []


def _defines(file: Path, test: str) -> bool:
    return file.is_file() and (not test or f"def {test}(" in file.read_text())


def test_no_help_is_wider_than_a_terminal() -> None:
    text = "".join(below("commands"))
    printed = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    wide = [line for text in printed for line in text.splitlines() if len(line) > 80]
    assert len(printed) > 100
    assert wide == []


@pytest.mark.parametrize("program", command_tree.PROGRAMS)
def test_every_option_of_a_command_is_described(program: str) -> None:
    text = "\n".join(below("commands"))
    sections = dict(re.findall(r"(?ms)^##? `?([^`\n]+?)`?\n(.*?)(?=^##? |\Z)", text))
    for command in command_tree.program(program).walk():
        text = sections[command.path]
        sets = re.findall(r"#([\w-]+)-options", text)
        described = "".join([text, *(sections[f"{name.capitalize()} options"] for name in ("common", *sets))])
        names = {parameter.names[0] for parameter in command.parameters if parameter.names} - {"--help"}
        assert names - set(re.findall(r"--[\w-]+", described)) == set(), command.path


def test_errors_of_all_kinds_are_listed() -> None:
    found = {area: pages.content(REFERENCE / f"errors/{area}.md") for area in error_codes.AREAS}
    for area, code in (
        ("usage", "eula-declined"),  # raised where it happens
        ("run", "environment-line-invalid"),  # of a class of its own
        ("usage", "answers-invalid"),  # of a class that collects problems
        ("run", "disk-full"),  # from the table of the operating system's errors
        ("tenant", "throttled"),  # from the table of Graph's refusals
        ("sign-in", "device-code-expired"),  # from the table of Entra's refusals
        ("run", "value-unquotable"),  # declared in a module of another name
        ("admin", "export-exists"),  # of another package
    ):
        assert f'<a id="{code}"></a>`{code}` |' in found[area]
    # Findings about certificates, also those of the chain, are described on a page of theirs.
    for code in ("self-signed", "chain-key-too-small"):
        assert f"[`{code}`](../certificates.md#{code}) |" in found["certificate"]


def test_every_error_says_what_is_wrong() -> None:
    rows = [row for page in below("errors") for row in re.findall(r"(?m)^\| <a.*", page)]
    assert len(rows) > 400
    assert [row for row in rows if not re.match(r"\| [^|]+ \| [^|]* \|\s*[^| ]", row)] == []


@pytest.mark.parametrize("name", ["errors", "commands"])
def test_the_index_leads_to_each_anchor_of_the_pages_below_it(name: str) -> None:
    """An address from before there were pages below it still leads to its code or command."""
    index = pages.content(REFERENCE / f"{name}.md")
    links = re.findall(r'<a id="([^"]+)"></a>\[[^\]]+\]\(([\w/-]+\.md)#([^)]+)\)', index)
    assert len(links) > 100
    assert [row for row in links if row[0] != row[2] or not pages.exists(REFERENCE / row[1])] == []
    assert len({row[0] for row in links}) == len(links)


def test_every_promise_of_the_page_of_attacks_names_its_test() -> None:
    promises = pages.content(ROOT / "docs/evidence/attacks.md").partition("<!-- attacks: begin -->")[0]
    blocks = [block for block in promises.split("\n\n") if "| Proved by |" in block]
    rows = [row for block in blocks for row in block.splitlines()[2:]]
    assert len(rows) > 25
    assert [row for row in rows if "`tests/" not in row] == []


@every(
    "page, code, reason",
    [
        ("network", "crl-unusable", "the list is not signed by the authority"),
        ("network", "endpoint-unreachable", "no answer in time"),
        ("certificate", "key-unreadable", "… is not a valid private key"),
        ("certificate", "certificate-unreadable", "the PFX file opens, but"),
        ("usage", "usage-invalid", "missing option …"),
        ("usage", "answers-invalid", "(../answers.md)"),
        ("host", "image-archive-unusable", "… does not exist"),
    ],
)
def test_a_message_that_is_one_value_is_listed_with_its_reasons(page: str, code: str, reason: str) -> None:
    found = error_codes.error_pages()
    row = next(line for line in found[f"errors/{page}.md"].splitlines() if f'id="{code}"' in line)
    assert reason in row


def test_every_message_in_the_reference_says_something() -> None:
    pages = [*error_codes.error_pages().values(), *error_codes.tables().values()]
    rows = [line for page in pages for line in page.splitlines() if line.startswith("| <a id=")]
    # Between the code and the hint.
    cells = [(row, cell) for row in rows for cell in row.split(" | ")[1:-1]]
    assert len(rows) > 500
    assert [row for row, cell in cells if "…" in cell and not cell.strip(" ….()")] == []
