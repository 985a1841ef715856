"""The one file that `make dist` makes: the same bytes every time, quick to start, self-contained."""

import json
import marshal
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import requests

from mstunnel_setup import __version__
from scripts.bundle import debian, dist, pack, packages, tree, wheels
from tests.e2e.one_file import (
    ENVIRONMENT,
    OneFile,
    at_a_terminal,
    chrooted,
    in_root,
    run,
    second_checkout,
    shell,
    unpack_root,
)
from tests.testbed import cache
from tests.testbed.certificates import Authority
from tests.testbed.process import progress
from tests.testbed.waiting import eventually
from tests.unit.exchange.publisher import Publisher, release, served

# Some build the program twice, or a root directory of an old release.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

# CPU seconds: of the first start, which unpacks, and of the best of five later ones.
FIRST_SECONDS = 1.5
# The help loads its command line: 0.29 to 0.30 s of CPU time were measured on two busy cores.
WARM_SECONDS = {"--version": 0.2, "--help": 0.45}
SUITES = ("bullseye", "bookworm", "trixie", "sid")
LAB_PACKAGES = ("mstunnel_lab", "starlette", "uvicorn")
ANSWER = f"mstunnel-setup {__version__}\n"


@pytest.fixture(scope="module")
def built() -> bytes:
    """The file that the testbed's server has."""
    with cache.writing():
        return dist.one_file().read_bytes()


@pytest.fixture(scope="module")
def one_file(built: bytes, tmp_path_factory: pytest.TempPathFactory) -> OneFile:
    """A copy that unpacks itself into separate directories, kept between the tests."""
    file = OneFile(built, tmp_path_factory.mktemp("copied"))
    file.run("--version")
    return file


@pytest.mark.long
@pytest.mark.parametrize(("umask", "days"), [(0o027, 0), (0o077, 40)])
def test_build_is_reproducible_for_any_umask_folder_and_day(
    umask: int, days: int, built: bytes, tmp_path: Path
) -> None:
    """Program and wheel from a second checkout; only what comes from elsewhere is shared with the first."""
    checkout = second_checkout(tmp_path / f"checkout {umask:o}", umask)
    (faketime,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    later = {"LD_PRELOAD": str(faketime), "FAKETIME": f"+{days}d"} if days else {}
    shell(f"exec '{sys.executable}' -m scripts.bundle.dist", checkout, umask, later)
    (wheel,) = (checkout / "dist").glob("*.whl")
    (ours,) = wheels.program().glob("*.whl")
    assert wheel.read_bytes() == ours.read_bytes()
    assert (checkout / "dist/mstunnel-setup").read_bytes() == built


@pytest.mark.parametrize("name", ["mst-cli", "mst-readiness", "mst-admin"])
def test_it_is_every_program_by_its_name(name: str, one_file: OneFile) -> None:
    link = one_file.path.with_name(name)
    link.symlink_to(one_file.path.name)
    assert f"Usage: {name} " in run([str(link), "--help"]).stdout


def test_a_server_gets_neither_the_lab_tenant_nor_its_web_server(one_file: OneFile) -> None:
    assert {"mst_admin.cli", "mstunnel_setup.cli.setup"} <= modules(one_file)
    assert not {name for name in modules(one_file) if name.partition(".")[0] in {*LAB_PACKAGES, "sqlite3"}}
    assert not [
        path for path in one_file.tree.rglob("*") if "mstunnel_lab" in path.parts or "lab" in path.parts
    ]
    names = {line.split()[0] for line in (one_file.tree / "packages").read_text().splitlines()}
    assert "pydantic" in names
    assert not names & {*LAB_PACKAGES, "click", "h11", "anyio"}
    link = one_file.path.with_name("mstunnel-lab")
    link.symlink_to(one_file.path.name)
    refused = run([str(link), "serve"])
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "run the file mstunnel-lab of the release" in refused.stderr


def test_the_lab_is_a_file_of_its_own_that_serves_a_tenant(tmp_path: Path) -> None:
    with cache.writing():
        built = dist.one_file(dist.LAB).read_bytes()
    lab = OneFile(built, tmp_path, dist.LAB)
    assert set(LAB_PACKAGES) <= {name.partition(".")[0] for name in modules(lab, ["--help"])}
    renamed = lab.path.rename(tmp_path / "lab")
    assert run([str(renamed), "--help"]).stdout.startswith("Usage: mstunnel-lab ")
    command = [str(renamed), "serve", "--dir", str(tmp_path / "tenant"), "--port", "0"]
    ready = tmp_path / "tenant/lab.json"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=ENVIRONMENT) as serving:
        try:
            assert eventually(ready.exists, 60)
            found = json.loads(ready.read_text())
            page = requests.get(found["admin_center"], verify=found["ca_file"], timeout=15)
        finally:
            serving.terminate()
    assert "<h1>Admin center</h1>" in page.text
    assert serving.returncode == 0


def modules(file: OneFile, arguments: Sequence[str] = ("--version",)) -> set[str]:
    """Names of the modules in the folder that a file unpacks."""
    file.run(*arguments)
    packed = (file.tree / f"lib/{tree.PYTHON}/{pack.NAME}").read_bytes()
    size = int.from_bytes(packed[:8], "big")
    return set(marshal.loads(packed[8 : 8 + size]))


def test_root_does_not_run_modules_that_another_user_can_change(one_file: OneFile) -> None:
    modules = one_file.tree / f"lib/{tree.PYTHON}/{pack.NAME}"
    modules.chmod(0o666)
    refused = one_file.run("--version", "--output", "json")
    modules.chmod(0o644)
    (error,) = json.loads(refused.stdout)["errors"]
    assert error["code"] == "program-unsafe"
    assert str(modules) in error["message"]


def test_it_unpacks_few_files(one_file: OneFile) -> None:
    """Each is written out once and looked at by every start; as many as its modules would be 2,600."""
    assert sum(path.is_file() for path in one_file.tree.rglob("*")) < 400


def seconds(one_file: OneFile, option: str) -> float:
    """CPU time of one start with all its children; the time by the clock, which others delay, is printed."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    assert one_file.run(option).returncode == 0
    after, took = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - begin
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    progress(f"start with {option}: {took:.2f} s, {used:.2f} s of them CPU time")
    return used


def test_starts_are_quick(built: bytes, tmp_path: Path) -> None:
    one_file = OneFile(built, tmp_path)
    assert seconds(one_file, "--version") < FIRST_SECONDS
    for option, most in WARM_SECONDS.items():
        assert min(seconds(one_file, option) for _ in range(5)) < most


def test_its_children_see_neither_its_loader_nor_its_libraries(one_file: OneFile, tmp_path: Path) -> None:
    """Podman, asked for its version, is a script that shows what it was given."""
    podman = tmp_path / "podman"
    podman.write_text(f'#!/bin/sh\ntr "\\0" "\\n" </proc/$$/environ >>{tmp_path}/environment\nexit 1\n')
    podman.chmod(0o755)
    link = one_file.path.with_name("mst-readiness")
    if not link.exists():
        link.symlink_to(one_file.path.name)
    run([str(link), "utils"], {**ENVIRONMENT, "PATH": f"{tmp_path}:{os.defpath}"})
    given = (tmp_path / "environment").read_text()
    assert "PATH=" in given
    for ours in ("LD_", "PYTHON", "MSTUNNEL", str(one_file.places[0])):
        assert ours not in given


def test_its_own_environment_is_as_it_was(one_file: OneFile) -> None:
    script = "import os; print(open('/proc/self/environ').read())"
    shown = run([str(one_file.tree / "bin/python"), "-c", script], {"PATH": os.defpath}).stdout
    names = {variable.partition("=")[0] for variable in shown.strip("\0\n").split("\0")}
    # The last three are of the host's shell, whichever it is.
    assert names - {"PWD", "SHLVL", "_"} == {"PATH"}


def test_every_library_that_something_needs_is_inside(one_file: OneFile) -> None:
    library = one_file.tree / "lib"
    binaries = [one_file.tree / "bin" / tree.PYTHON, *library.rglob("*.so"), *library.rglob("*.so.[0-9]*")]
    wanted = set[str]().union(*map(tree.needed, binaries))
    assert {name for name in wanted if not (library / name).exists()} == set()


def test_no_module_of_the_host_is_loaded_for_names(one_file: OneFile, tmp_path: Path) -> None:
    """Even when the host's configuration names some for accounts, groups and hosts."""
    configuration = tmp_path / "nsswitch.conf"
    lines = (f"{name}: nis systemd files resolve myhostname dns\n" for name in ("passwd", "group", "hosts"))
    configuration.write_text("".join(lines))
    script = (
        'mount --bind "$1" /etc/nsswitch.conf && strace -f -e trace=openat -o "$2" "$3" "$4"/start.py '
        '"$5" status --root "$6"'
    )
    log, host = tmp_path / "log", tmp_path / "host"
    (host / "etc").mkdir(parents=True)
    given = (configuration, log, one_file.tree / "bin/python", one_file.tree, one_file.path, host)
    run(["unshare", "--mount", "sh", "-c", script, "sh", *map(str, given)])
    opened = log.read_text()
    assert str(one_file.tree) in opened
    assert "libnss" not in opened


def answers(root: Path, built: bytes) -> None:
    """The file gives its answers there, the second time from what it unpacked."""
    file = root / "mstunnel-setup"
    file.write_bytes(built)
    file.chmod(0o755)
    for _ in range(2):
        finished = chrooted(root, "/mstunnel-setup", "--version")
        assert (finished.returncode, finished.stdout, finished.stderr) == (0, ANSWER, "")
    finished = chrooted(root, "/mstunnel-setup", "plan", "--unattended", "--output", "json")
    assert (finished.returncode, finished.stderr) == (2, "")
    assert '"answers-missing"' in finished.stdout


@pytest.fixture
def busybox(tmp_path: Path) -> Path:
    """A root with static BusyBox and nothing else: without glibc, it stands for a musl host as well."""
    for name in ("bin", "etc", "dev", "usr/lib", "var/lib", "run", "root", "tmp"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "bin/busybox").write_bytes(Path("/usr/bin/busybox").read_bytes())
    (tmp_path / "bin/busybox").chmod(0o755)
    (tmp_path / "dev/null").touch()
    for name in ("sh", "tar", "gzip", "mkdir", "rm", "id"):
        (tmp_path / "bin" / name).symlink_to("busybox")
    (tmp_path / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    return tmp_path


def test_it_needs_a_shell_tar_gzip_and_little_else(busybox: Path, built: bytes) -> None:
    answers(busybox, built)


def test_busybox_counts_what_it_unpacks(busybox: Path, built: bytes) -> None:
    file = busybox / "mstunnel-setup"
    file.write_bytes(built)
    file.chmod(0o755)
    shown = at_a_terminal(in_root(busybox, "/mstunnel-setup", "--version"))
    assert " 100 %" in shown
    assert shown.replace("\r\n", "\n").endswith(f"\r{ANSWER}")


@pytest.mark.parametrize(
    "suite",
    [suite if suite == "bookworm" else pytest.param(suite, marks=pytest.mark.long) for suite in SUITES],
)
def test_it_runs_on_every_release_of_debian(suite: str, built: bytes, tmp_path: Path) -> None:
    unpack_root(suite, tmp_path)
    answers(tmp_path, built)


@pytest.mark.long
def test_program_built_with_a_feed_fetches_its_releases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher = Publisher(tmp_path / "publisher")
    publisher.publish(release(1))
    host = tmp_path / "host"
    (host / "run").mkdir(parents=True)
    with served(publisher) as url:
        monkeypatch.setenv("FEED", url)
        monkeypatch.setenv("FEED_ROOT", str(publisher.directory / "metadata/1.root.json"))
        dist.build(tmp_path / "mst-cli", more=dist.release_feed())
        one_file = OneFile((tmp_path / "mst-cli").read_bytes(), tmp_path)
        program = one_file.path.rename(tmp_path / "mst-cli")
        refreshed = run([str(program), "upgrade", "refresh", f"--root={host}"])
    assert (refreshed.returncode, refreshed.stderr) == (0, "")
    assert "Newest release: 2026-01-01." in refreshed.stdout


@pytest.mark.long
def test_the_other_architecture_does_the_same_under_emulation(one_file: OneFile, tmp_path: Path) -> None:
    """Built as by `make dist` with ARCH; run from what it unpacks, as this kernel starts no such program."""
    here = debian.architecture().debian
    other = debian.ARCHITECTURES["arm64" if here == "amd64" else "amd64"]
    dist.build(tmp_path / "mstunnel-setup", other)
    directory = tmp_path / "place/tree"
    packages.unpack(tmp_path / "mstunnel-setup", directory)
    (directory / "complete").touch()
    loader = [
        f"/usr/bin/qemu-{other.machine}",
        directory / "lib" / other.loader,
        "--library-path",
        directory / "lib",
    ]
    python = directory / "bin" / tree.PYTHON
    emulated = [*loader, "--argv0", python, python, "-I", "-S", "-B", directory / "start.py"]
    link = one_file.path.with_name("mst-readiness")
    if not link.exists():
        link.symlink_to(one_file.path.name)
    for program, arguments in (
        (one_file.path, ["--version"]),
        (one_file.path, planned(tmp_path)),
        (link, ["utils", "--output", "json"]),
    ):
        given = {**ENVIRONMENT, "PATH": str(tmp_path)}
        native = run(
            [str(one_file.tree / "bin/python"), str(one_file.tree / "start.py"), str(program), *arguments],
            given,
        )
        assert native.stdout
        assert run([*map(str, emulated), str(program), *arguments], given).stdout == native.stdout


def planned(directory: Path) -> list[str]:
    """The arguments of a plan for an empty root, without the steps that need a tenant or an engine."""
    chain, key = Authority().issue("vpn.example.org")
    (directory / "site.crt").write_bytes(chain)
    (directory / "site.key").write_bytes(key)
    (directory / "root/etc").mkdir(parents=True)
    away = ("images", "sign-in", "site", "register", "configure", "launch", "monitor", "verify")
    certificate = [f"--cert={directory / 'site.crt'}", f"--key={directory / 'site.key'}"]
    fixed = ["--accept-eula", "--site=Office", "--unattended", *(f"--skip={step}" for step in away)]
    return ["plan", f"--root={directory / 'root'}", *certificate, *fixed]
