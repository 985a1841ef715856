"""The set-up of a fresh clone: each target gets the packages that it needs, and the machine no service."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STAMP = "{{ cat {} scripts/setup.sh && /usr/bin/python3 --version && pwd; }} | sha256sum"
# What each environment is made of.
ENVIRONMENTS = {".venv": "requirements/dev.txt pyproject.toml", ".venv-ansible": "requirements/ansible.txt"}
UNITS = {"certbot": ("certbot.timer", "certbot.service"), "netavark": ("netavark-dhcp-proxy.socket",)}
# Says what it was called with; a package brings its units.
PROGRAMS = {
    "apt-get": 'echo "apt-get $*" >>"$CALLS"; echo "Unpacking"; echo "and more" >&2; exit "${APT_CODE:-0}"',
    "systemctl": 'echo "systemctl $*" >>"$CALLS"',
    "npm": 'echo "npm $*" >>"$CALLS"; mkdir -p "$3/node_modules"',
    "id": 'echo "${USER_ID:-0}"',
    "dpkg-query": """
case "$1" in
--show) shift 3; for name; do case " $INSTALLED " in *" $name "*) echo "installed $name" ;; esac; done ;;
--listfiles) shift; for name; do cat "$LISTS/$name" 2>/dev/null; done; true ;;
esac""",
}


@dataclass
class Clone:
    """A fresh clone whose virtual environments are there, on a Debian of stand-ins."""

    path: Path

    def setup(self, *words: str, installed: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": f"{self.path}/bin:/usr/bin:/bin",
            "CALLS": str(self.path / "calls"),
            "LISTS": str(self.path / "lists"),
            "INSTALLED": installed,
            **variables,
        }
        command = [str(self.path / "scripts/setup.sh"), *words]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=120, check=False, umask=0o077
        )

    def calls(self, program: str) -> list[str]:
        """What `program` was called with."""
        file = self.path / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line.removeprefix(f"{program} ") for line in lines if line.startswith(f"{program} ")]

    def installed(self) -> set[str]:
        """The packages that apt was asked to install."""
        return {
            word for call in self.calls("apt-get") for word in call.split() if not word.startswith("-")
        } - {
            "update",
            "install",
        }


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    folders = ("scripts/docs/site", "tests/browser", "tests/helm")
    for directory in ("bin", "lists", *ENVIRONMENTS, "scripts", "requirements", *folders):
        (tmp_path / directory).mkdir(parents=True)
    inputs = [name for names in ENVIRONMENTS.values() for name in names.split()]
    for name in ("scripts/setup.sh", "scripts/packages.txt", *inputs):
        shutil.copy(ROOT / name, tmp_path / name)
    for name in folders:
        shutil.copy(ROOT / name / "package-lock.json", tmp_path / name)
    for name, text in PROGRAMS.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    for package, units in UNITS.items():
        lines = [f"/usr/lib/systemd/system/{unit}\n" for unit in units]
        (tmp_path / "lists" / package).write_text("".join(["/usr/bin/tool\n", *lines]))
    for environment, names in ENVIRONMENTS.items():
        command = ["bash", "-c", STAMP.format(names)]
        stamp = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        (tmp_path / environment / ".stamp").write_text(stamp.stdout)
    return Clone(tmp_path)


def packages() -> dict[str, str]:
    """What needs each package, by its name."""
    lines = (ROOT / "scripts/packages.txt").read_text().splitlines()
    return {line.split()[0]: line.split()[2] for line in lines if not line.startswith("#")}


@pytest.mark.timeout(400)
def test_environment_linked_from_another_clone_is_replaced(clone: Clone) -> None:
    """The new one is for other users too, whatever the umask."""
    other = clone.path / "other"
    (clone.path / ".venv").rename(other)
    (other / ".stamp").write_text("of another clone")
    (clone.path / ".venv").symlink_to(other)
    (clone.path / "requirements/dev.txt").write_text("")
    clone.setup("base")
    assert [path.name for path in other.iterdir()] == [".stamp"]
    assert (clone.path / ".venv/bin/python").exists()
    assert not (clone.path / ".venv").is_symlink()
    assert (clone.path / ".venv/bin").stat().st_mode & 0o777 == 0o755


def test_the_demo_installs_only_what_it_needs(clone: Clone) -> None:
    assert clone.setup("demo").returncode == 0
    assert clone.installed() == {name for name, need in packages().items() if need in ("base", "demo")}
    assert not clone.installed() & {"certbot", "chromium", "chromium-driver", "nodejs", "npm", "strace"}
    assert clone.calls("npm") == []


def test_the_demo_does_without_what_linters_need(clone: Clone) -> None:
    """Its environment is completed when a target needs the rest."""
    (clone.path / ".venv/.stamp").rename(clone.path / ".venv/.smaller")
    assert clone.setup("demo").stderr.count("creating .venv") == 0
    python = clone.path / ".venv/bin/python"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\necho "python $*" >>"$CALLS"\n')
    python.chmod(0o755)
    clone.setup("lint")
    (call,) = clone.calls("python")
    assert call.endswith("--require-hashes --requirement requirements/dev.txt")
    assert (clone.path / ".venv/.stamp").read_text() == (clone.path / ".venv/.smaller").read_text()


@pytest.mark.parametrize(("target", "more"), [("lint", {"shellcheck"}), ("docs", {"nodejs", "npm"})])
def test_lint_and_documentation_install_less_still(clone: Clone, target: str, more: set[str]) -> None:
    assert clone.setup(target).returncode == 0
    assert clone.installed() - more == {name for name, need in packages().items() if need == "base"}


def test_the_tests_get_everything(clone: Clone) -> None:
    assert clone.setup().returncode == 0
    # A command npm is there already; it also comes with other builds of Node.
    assert clone.installed() == set(packages()) - {"npm"}
    folders = ["scripts/docs/site", "tests/browser", "tests/helm"]
    assert [call.split()[:3] for call in clone.calls("npm")] == [["ci", "--prefix", name] for name in folders]


def test_every_package_says_what_needs_it() -> None:
    assert set(packages().values()) == {"base", "demo", "docs", "lint", "test"}


def test_apt_is_quiet_unless_it_fails(clone: Clone) -> None:
    (line,) = clone.setup("demo", installed="podman git").stderr.splitlines()
    assert line.startswith("setup: installing aardvark-dns ")
    assert " podman" not in line
    failed = clone.setup("demo", APT_CODE="100")
    assert failed.returncode == 2
    assert "Unpacking\nand more\n" in failed.stderr
    assert failed.stderr.endswith("setup: apt-get could not install the packages; its output is above\n")


def test_units_that_packages_bring_are_not_left_enabled(clone: Clone) -> None:
    clone.setup(installed="podman")
    (call,) = clone.calls("systemctl")
    assert call.startswith("disable ")
    assert {name for names in UNITS.values() for name in names} <= set(call.split())


def test_units_of_packages_that_were_there_are_left_alone(clone: Clone) -> None:
    """Who installed certbot before may want its timer."""
    clone.setup(installed="certbot")
    assert [call for call in clone.calls("systemctl") if "certbot" in call] == []
    clone.setup(installed=" ".join(packages()))
    assert len(clone.calls("systemctl")) == 1


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("lint", "needs root to install: shellcheck"),
        ("dmeo", "unknown: dmeo; use base, demo, docs, lint or test"),
    ],
)
def test_what_cannot_be_set_up_is_refused(clone: Clone, target: str, said: str) -> None:
    finished = clone.setup(target, installed="git make ca-certificates python3-venv", USER_ID="1000")
    assert (finished.returncode, finished.stderr) == (2, f"setup: {said}\n")
    assert clone.calls("apt-get") == []
