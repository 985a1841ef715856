"""What belongs to the repository besides the program: its root, its workflows, its change fragments."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from scripts.bundle.debian import ARCHITECTURES

ROOT = Path(__file__).parents[2]
# What has no place here yet but one in the layout of ARCHITECTURE.md may come.
AT_THE_ROOT = {
    *(".ci", ".github", ".gitignore", ".importlinter"),
    *("ARCHITECTURE.md", "CHANGELOG.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "LICENSE", "SECURITY.md"),
    *("Makefile", "README.ja.md", "README.md", "pyproject.toml"),
    *(
        "ansible",
        "changelog.d",
        "contrib",
        "docs",
        "images",
        "mst_admin",
        "mstunnel_lab",
        "mstunnel_setup",
        "packaging",
    ),
    *("requirements", "scripts", "templates", "tests"),
}


def entries(*options: str) -> set[str]:
    """The top-level names that `git ls-files` lists."""
    command = ["git", "ls-files", "-z", *options]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {path.partition("/")[0] for path in listed.split("\0") if path}


def test_the_root_holds_only_what_belongs_there() -> None:
    """What is not committed yet counts too: the next `git add` would take a stray file along."""
    assert entries("--cached", "--others", "--exclude-standard") - AT_THE_ROOT == set()


def test_no_result_of_a_build_is_committed() -> None:
    command = ["git", "ls-files", "*build/*", "*dist/*"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert [path for path in listed if {"build", "dist"} & {*Path(path).parts}] == []


SOURCES = [
    path
    for name in ("ansible", "mst_admin", "mstunnel_lab", "mstunnel_setup", "scripts", "tests")
    for path in (ROOT / name).rglob("*.py")
]
LONGEST_FILE, LONGEST_FUNCTION = 600, 60


def too_long(source: str) -> list[str]:
    """What of a module is longer than a reader can take in: the file, or a function."""
    functions = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef))
    lengths = {node.name: (node.end_lineno or 0) - node.lineno + 1 for node in functions}
    found = [name for name, length in lengths.items() if length > LONGEST_FUNCTION]
    return [*found, *(["the file"] if source.count("\n") > LONGEST_FILE else [])]


def test_no_file_and_no_function_is_too_long() -> None:
    assert {str(path): found for path in SOURCES if (found := too_long(path.read_text()))} == {}


@pytest.mark.parametrize(
    ("source", "found"),
    [("x = 1\n" * 601, "the file"), ("def work() -> None:\n" + "    pass\n" * 60, "work")],
    ids=["file", "function"],
)
def test_a_long_file_or_function_is_seen(source: str, found: str) -> None:
    assert too_long(source) == [found]


HEADINGS = ["Added", "Changed", "Fixed", "Security", "Documentation"]


def test_change_notes_have_the_usual_headings() -> None:
    types = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]["type"]
    assert [kind["name"] for kind in types] == HEADINGS
    assert [kind["directory"] for kind in types] == [name.lower() for name in HEADINGS]


def test_every_change_fragment_has_a_known_type() -> None:
    """`towncrier build` leaves out a fragment whose type it does not know, without an error."""
    fragments = [path for path in (ROOT / "changelog.d").iterdir() if path.name != ".gitignore"]
    types = "|".join(name.lower() for name in HEADINGS)
    assert [path.name for path in fragments if not re.fullmatch(rf"[+\w-]+\.({types})\.md", path.name)] == []
    assert [path.name for path in fragments if not path.read_text().strip()] == []


WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def jobs(workflow: Path) -> list[dict[str, Any]]:
    """The jobs of a workflow; YAML 1.2, so `on` is a word, and a key that is given twice is an error."""
    loaded: dict[str, Any] = YAML(typ="safe").load(workflow.read_text())
    assert {"name", "on", "permissions", "jobs"} <= set(loaded)
    assert loaded["permissions"] == {"contents": "read"}
    return list(loaded["jobs"].values())


def made(job: dict[str, Any]) -> set[str]:
    """The targets of make that a job asks for."""
    lines = [line for step in job["steps"] for line in step.get("run", "").splitlines()]
    calls = [line.split()[1:] for line in lines if line.split()[:1] == ["make"]]
    return {word for words in calls for word in words if "=" not in word}


def test_there_are_workflows_for_build_test_and_release() -> None:
    assert [path.stem for path in WORKFLOWS] == ["build", "feed", "publish", "release", "test"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_call_targets_that_make_knows(workflow: Path) -> None:
    called = set().union(*(made(job) for job in jobs(workflow)))
    assert called
    assert called - TARGETS == set()


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_end_in_time(workflow: Path) -> None:
    assert all(0 < job["timeout-minutes"] <= 150 for job in jobs(workflow))


def test_the_linter_of_workflows_finds_nothing() -> None:
    program = Path(sys.executable).with_name("zizmor")
    command = [str(program), "--offline", "--no-progress", "--color=never", *map(str, WORKFLOWS)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert checked.returncode == 0, checked.stdout


def test_the_feed_key_is_the_only_stored_secret() -> None:
    """The key of the checksums is with a maintainer, that of the feed's root offline."""
    used = {path.stem: re.findall(r"secrets\.\w+", path.read_text()) for path in WORKFLOWS}
    assert {name: secrets for name, secrets in used.items() if secrets} == {"feed": ["secrets.FEED_KEY"]}
    assert [job.get("environment") for job in jobs(ROOT / ".github/workflows/feed.yml")] == ["feed"]


def test_only_the_jobs_that_publish_may_write() -> None:
    writers = [
        (path.stem, job["permissions"]) for path in WORKFLOWS for job in jobs(path) if "permissions" in job
    ]
    assert writers == [
        ("feed", dict.fromkeys(("contents", "pages"), "write")),
        ("publish", dict.fromkeys(("contents", "actions"), "write")),
        ("release", dict.fromkeys(("contents", "packages", "id-token"), "write")),
    ]


def test_nothing_is_built_of_a_tag_before_its_tests_have_passed() -> None:
    test, images, build, draft = jobs(ROOT / ".github/workflows/release.yml")
    assert made(test) == {"lint", "test", "e2e-short"}
    assert "needs" not in test
    assert [each["needs"] for each in (images, build, draft)] == ["test", "images", "build"]


def test_a_release_is_published_once_all_of_it_is_signed() -> None:
    """Nothing can be added to an immutable release."""
    release, publish = (
        [step.get("run", "") for step in jobs(ROOT / f".github/workflows/{name}.yml")[-1]["steps"]]
        for name in ("release", "publish")
    )
    uploads = [
        run for run in (*release, *publish) if "gh release create" in run or "gh release upload" in run
    ]
    assert ["--draft" in run for run in uploads] == [True]
    order = (
        "publisher dist/SHA256SUMS",
        "cosign verify-blob",
        "sha256sum --check",
        "--draft=false",
        "feed.yml",
    )
    script = "\n".join(publish)
    assert sorted(order, key=script.index) == [*order]


def test_feed_offers_the_programs_of_its_release() -> None:
    fetched = (ROOT / ".github/workflows/feed.yml").read_text()
    wanted = {f"mstunnel-setup{each.suffix}" for each in ARCHITECTURES.values()}
    assert wanted < set(re.findall(r"--pattern (\S+)", fetched))
    assert "cosign verify-blob" in fetched


def test_every_container_is_the_same_by_its_digest() -> None:
    """Whoever can change a tag of a registry changes no build."""
    named = [
        given if isinstance(given, str) else given["image"]
        for path in WORKFLOWS
        for job in jobs(path)
        if (given := job.get("container"))
    ]
    (container,) = set(named)
    assert re.fullmatch(r"debian:trixie@sha256:[0-9a-f]{64}", container)


def test_a_tag_without_an_author_is_no_release() -> None:
    test = jobs(ROOT / ".github/workflows/release.yml")[0]
    (check,) = (step["run"] for step in test["steps"] if step.get("name") == "Refuse a tag that names nobody")
    assert ".object.type" in check
    assert "= tag" in check


def test_dependabot_updates_actions_and_locked_packages() -> None:
    text = (ROOT / ".github/dependabot.yml").read_text()
    updates = YAML(typ="safe").load(text)["updates"]
    places = {each["package-ecosystem"]: each["directory"] for each in updates}
    assert places == {"github-actions": "/", "pip": "/requirements"}
    locked = {path.name for path in (ROOT / "requirements").glob("*.txt")}
    assert {"dev.txt", "runtime.txt"} <= locked
    named = re.findall(r"[\w./-]+\.md", text)
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_every_release_begins_with_highlights_by_theme() -> None:
    sections = re.split(r"^## (?=\d)", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)[1:]
    # The first one is a list of themes already.
    for section in sections[:-1]:
        highlights = section.partition("\n### Highlights\n")[2].partition("\n### ")[0]
        assert re.findall(r"^\*\*[^*]+\*\*\n\n- ", highlights, re.MULTILINE), section.partition("\n")[0]


def test_an_action_is_used_in_one_version() -> None:
    lines = [line for path in WORKFLOWS for line in path.read_text().splitlines() if " uses: " in line]
    used = {line.partition("uses: ")[2] for line in lines}
    assert all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", each) for each in used), used
    assert len({each.partition("@")[0] for each in used}) == len(used)
