"""`make check` runs what a change touches: which tests that are, and which tools see which files."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts import ROOT
from scripts.develop import check

TESTS = {
    "tests/unit/io/test_files.py": "from mstunnel_setup.io.files import Files\n",
    "tests/unit/io/test_clock.py": "from mstunnel_setup.io import clock\n",
    "tests/unit/install/scenes.py": "from mstunnel_setup.io import files\n",
    "tests/unit/install/test_launch.py": "from tests.unit.install.scenes import Scene\n",
    "tests/unit/install/test_order.py": "from mstunnel_setup.install.step_list import ORDER\n",
    "tests/unit/certificates/test_order.py": "import mstunnel_setup.certificates.order\n",
    "tests/unit/test_docs.py": "PAGE = 'docs/reference/steps.md'\n",
    "tests/unit/cli/test_screens.py": "SCREENS = 'screens'\n",
    "tests/unit/cli/test_packages.py": "LIST = 'scripts/packages.txt'\n",
    "tests/crash/test_kill.py": "from mstunnel_setup.io.files import Files\n",
}
# What programs print and schemas follow from any module.
ALWAYS = ["cli/test_screens.py", "test_docs.py"]


@pytest.mark.parametrize(
    ("files", "tests"),
    [
        # The unit tests of the package, and whatever imports the module, if only through a helper.
        (
            ["mstunnel_setup/io/files.py"],
            [*ALWAYS[:1], "install/test_launch.py", "io/test_clock.py", "io/test_files.py", *ALWAYS[1:]],
        ),
        (["mstunnel_setup/io/clock.py"], [*ALWAYS[:1], "io/test_clock.py", "io/test_files.py", *ALWAYS[1:]]),
        (["mstunnel_setup/certificates/order.py"], ["certificates/test_order.py", *ALWAYS]),
        (["tests/unit/install/test_order.py"], ["install/test_order.py"]),
        (["tests/unit/install/scenes.py"], ["install/test_launch.py"]),
        (["tests/unit/install/conftest.py"], ["install/test_launch.py", "install/test_order.py"]),
        (["docs/how-to/proxy.md"], ["test_docs.py"]),
        (["scripts/packages.txt"], ["cli/test_packages.py", "test_docs.py"]),
        (
            ["mstunnel_setup/certificates/order.py", "README.md"],
            ["certificates/test_order.py", *ALWAYS],
        ),
    ],
)
def test_the_tests_that_a_change_touches(files: Sequence[str], tests: Sequence[str]) -> None:
    assert check.tests_for(files, TESTS) == [f"tests/unit/{name}" for name in tests]


def test_widely_imported_module_runs_the_tests_of_its_package() -> None:
    many = {f"tests/unit/cli/test_{n}.py": "import mstunnel_setup.io.files\n" for n in range(check.MOST)}
    found = check.tests_for(["mstunnel_setup/io/files.py"], {**TESTS, **many})
    assert found == [
        "tests/unit/cli/test_screens.py",
        "tests/unit/io/test_clock.py",
        "tests/unit/io/test_files.py",
        "tests/unit/test_docs.py",
    ]


def test_of_a_module_only_the_tests_of_its_package_are_quick() -> None:
    assert check.tests_for(["mstunnel_setup/install/step_list.py"], TESTS, most=0) == [
        "tests/unit/cli/test_screens.py",
        "tests/unit/install/test_launch.py",
        "tests/unit/install/test_order.py",
        "tests/unit/test_docs.py",
    ]
    helper = ["tests/unit/install/scenes.py"]
    assert check.tests_for(helper, TESTS, most=0) == check.tests_for(helper, TESTS)


def test_slow_tests_are_run_only_when_they_themselves_change() -> None:
    assert "tests/crash/test_kill.py" not in check.tests_for(["mstunnel_setup/io/files.py"], TESTS)
    assert check.tests_for(["tests/crash/test_kill.py"], TESTS) == ["tests/crash/test_kill.py"]


def test_every_package_has_unit_tests_of_the_same_name() -> None:
    """Else a change of a module would run too few."""
    packages = {path.parent.name for path in (ROOT / check.PACKAGES[0]).glob("*/__init__.py")}
    without = {name for name in packages if not any((ROOT / "tests/unit" / name).glob("**/test_*.py"))}
    # That of `adopt` needs a whole host: tests/crash/test_adopt.py.
    assert without == {"adopt"}


def tools(files: Sequence[str], tests: Sequence[str] = ()) -> dict[str, list[str]]:
    return {name: rest for name, *rest in check.commands(files, tests)}


def test_each_tool_sees_the_files_that_are_its_own() -> None:
    files = ["README.md", "scripts/develop/check.py", "scripts/setup.sh", "tests/conftest.py"]
    found = tools(files, ["tests/unit/test_docs.py"])
    assert list(found) == ["ruff", "shellcheck", "mypy", "basedpyright", "pytest"]
    assert found["ruff"] == ["check", "--quiet", "scripts/develop/check.py", "tests/conftest.py"]
    assert found["shellcheck"] == ["--external-sources", "scripts/setup.sh"]
    assert found["mypy"][-2:] == found["basedpyright"] == ["scripts/develop/check.py", "tests/conftest.py"]
    assert found["pytest"][-1] == "tests/unit/test_docs.py"
    assert "lint-imports" in tools(["mstunnel_setup/base/paths.py"])
    assert tools(["README.md"]) == {}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit."""
    monkeypatch.setattr(check, "ROOT", tmp_path)
    for name in ("kept", "edited", "removed"):
        (tmp_path / name).write_text("one\n")
    identity = ("-c", "user.name=T", "-c", "user.email=t@example.test")
    for words in (("init", "--quiet"), ("add", "."), (*identity, "commit", "--quiet", "--message=First")):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    return tmp_path


def test_changes_since_the_last_commit_are_checked_by_default(repository: Path) -> None:
    assert check.changed() == []
    assert check.main([]) == 0
    (repository / "edited").write_text("two\n")
    (repository / "new file").write_text("one\n")
    (repository / "removed").unlink()
    assert check.changed() == ["edited", "new file"]


def test_commits_of_the_branch_are_checked_with_since(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def git(*words: str) -> None:
        identity = ("-c", "user.name=T", "-c", "user.email=t@example.test")
        subprocess.run(["git", *identity, *words], cwd=repository, check=True)

    git("branch", "trunk")
    (repository / "edited").write_text("two\n")
    git("commit", "--quiet", "--all", "--message=Second")
    assert (check.changed(), check.changed("trunk")) == ([], ["edited"])
    # What others committed since then is no change of this branch.
    git("switch", "--quiet", "trunk")
    (repository / "kept").write_text("two\n")
    git("commit", "--quiet", "--all", "--message=Other")
    git("switch", "--quiet", "-")
    assert check.changed("trunk") == ["edited"]
    with pytest.raises(SystemExit, match="nowhere"):
        check.main(["--since", "nowhere"])


def test_tests_that_run_every_time_are_there() -> None:
    assert [name for name in check.EVERY_TIME if not (ROOT / name).is_file()] == []


def test_the_first_tool_that_fails_is_named_and_no_other_runs(
    repository: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (repository / "wrong.py").write_text("import  os\n")
    assert check.main(["wrong.py"]) == 1
    shown = capfd.readouterr()
    assert re.search(r"^check: `ruff format` failed after \d+ s$", shown.out, re.MULTILINE)
    assert "F401" not in shown.out + shown.err


def test_a_file_that_is_not_there_is_named(repository: Path) -> None:
    with pytest.raises(SystemExit, match=r"check: missing\.py is not a file"):
        check.main(["missing.py"])
