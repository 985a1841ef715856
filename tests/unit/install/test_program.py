"""The steps that install the programs: `program`, `monitor`, `audit` and `logs`.

The one file goes into /usr/sbin, a newer one over an older, and out again.
"""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from mstunnel_setup import __version__
from mstunnel_setup.actions.units import WriteMessageCatalogue
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CheckError
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.base.text import text
from mstunnel_setup.containers.release_images import ReleaseImages
from mstunnel_setup.install.installed import LINKS
from mstunnel_setup.install.request import InstallRequest
from mstunnel_setup.install.steps import program
from mstunnel_setup.io import bundle
from mstunnel_setup.io.errors import PERMISSION_DENIED
from mstunnel_setup.io.files import Files
from mstunnel_setup.transaction.step import Step
from tests.refusals import refused
from tests.unit.actions.host import Host
from tests.unit.install.machines import Machine
from tests.unit.install.scenes import Scene, paths_of

FILE = f"{paths.PROGRAMS}/mstunnel-setup"
PLACED = ["answer:program", f"file:{FILE}", *(f"link:{paths.PROGRAMS}/{name}" for name in LINKS)]


@pytest.fixture
def copied(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the one-file program outside the root from which an administrator started the run."""
    scene.files.make_directories(paths.PROGRAMS)
    file = tmp_path / "copied-file"
    file.write_bytes(b"the program")
    monkeypatch.setenv("MSTUNNEL_ONE_FILE", str(file))
    return file


def test_a_package_places_nothing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MSTUNNEL_ONE_FILE", raising=False)
    assert scene.run(program.PROGRAM, scene.opened()) == ()


def test_file_and_links_are_placed_once(scene: Scene, copied: Path) -> None:
    assert paths_of(scene.run(program.PROGRAM, scene.opened())) == PLACED
    assert scene.files.read(FILE) == copied.read_bytes()
    state = scene.files.state(FILE)
    assert state is not None
    assert state.mode == 0o755
    for name in LINKS:
        assert scene.files.read(f"{paths.PROGRAMS}/{name}") == copied.read_bytes()
    assert scene.run(program.PROGRAM, scene.opened()) == ()


def test_installed_program_is_read_only_if_it_looks_wrong(
    scene: Scene, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file has 30 MB, and most runs are started from it."""
    scene.run(program.PROGRAM, scene.opened())
    monkeypatch.setenv("MSTUNNEL_ONE_FILE", str(scene.files.locate(FILE)))
    read: list[str] = []

    def digest(_files: Files, path: str) -> str:
        read.append(path)
        return hashlib.sha256(copied.read_bytes()).hexdigest()

    monkeypatch.setattr(Files, "digest_given", digest)
    assert scene.run(program.PROGRAM, scene.opened()) == ()
    assert read == []
    scene.files.locate(FILE).chmod(0o644)
    assert paths_of(scene.run(program.PROGRAM, scene.opened())) == [f"file:{FILE}"]
    assert read == [str(scene.files.locate(FILE))]


def test_rootless_account_finds_archive_from_beside_the_program(
    scene: Scene, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = ReleaseImages("sha256:" + "a" * 64, "sha256:" + "b" * 64, "images.tar", "")
    monkeypatch.setattr(program, "release_images", lambda: own)
    copied.with_name("images.tar").write_bytes(b"both images")
    kept = f"{paths.IMAGE_ARCHIVES}/images.tar"
    scene.run(program.PROGRAM, scene.opened())
    assert scene.files.state(kept) is None

    run = scene.opened()
    run = replace(run, host=replace(run.host, scope=Scope.HOST))
    assert paths_of(scene.run(program.PROGRAM, run))[-1] == f"file:{kept}"
    assert scene.files.read(kept) == b"both images"
    assert scene.run(program.PROGRAM, run) == ()


@pytest.mark.parametrize(
    ("left", "given"),
    [
        *((left, b"the program") for left in (b"", b"the pro", bytes(11))),
        (b"the program", b"the next program"),
    ],
)
def test_partial_and_older_programs_are_replaced_and_uninstalled(
    scene: Scene, copied: Path, left: bytes, given: bytes
) -> None:
    scene.run(program.PROGRAM, scene.opened())
    scene.files.locate(FILE).write_bytes(left)
    copied.write_bytes(given)
    assert paths_of(scene.run(program.PROGRAM, scene.opened())) == [f"file:{FILE}"]
    assert scene.files.read(FILE) == given
    scene.undo()
    assert scene.files.names(paths.PROGRAMS) == []


def test_an_installation_of_0_1_is_refused_with_the_way(scene: Scene) -> None:
    scene.remember("program", {"version": "0.1.0"})
    with refused(CheckError, "program-too-old") as caught:
        program.refuse_too_old(scene.opened().receipt)
    assert "version 0.2.0 first" in caught.value.hint
    scene.remember("program", {"version": "0.2.0"})
    program.refuse_too_old(scene.opened().receipt)


def test_an_older_file_is_refused_unless_asked_for(scene: Scene, copied: Path) -> None:
    scene.remember("program", {"version": "999.0"})
    with pytest.raises(CheckError) as caught:
        scene.run(program.PROGRAM, scene.opened())
    assert (caught.value.code, caught.value.message) == (
        "program-older",
        f"this program is version {__version__}, but version 999.0 is installed",
    )
    assert scene.files.state(FILE) is None
    run = replace(scene.opened(), request=InstallRequest(ignored_checks=("program-older",)))
    assert f"file:{FILE}" in paths_of(scene.run(program.PROGRAM, run))


def test_where_sbin_and_bin_are_one_the_real_directory_is_taken(scene: Scene, copied: Path) -> None:
    scene.files.remove_directory(paths.PROGRAMS)
    scene.files.make_directories("/usr/bin")
    scene.files.link(paths.PROGRAMS, "bin")
    scene.run(program.PROGRAM, scene.opened())
    assert scene.files.read("/usr/bin/mst-cli") == copied.read_bytes()


def test_undo_restores_a_file_that_was_there_before(scene: Scene, copied: Path) -> None:
    scene.files.write(FILE, b"of somebody else", 0o700)
    scene.run(program.PROGRAM, scene.opened())
    scene.undo()
    assert scene.files.read(FILE) == b"of somebody else"


MANUAL = "/usr/share/man/man8/mst-cli.8"


@pytest.fixture
def support(scene: Scene, copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory of unpacked completions and manual pages, on a host without zsh and fish."""
    for directory in ("/usr/share/bash-completion/completions", "/usr/share/man/man8"):
        scene.files.make_directories(directory)
    unpacked = tmp_path / "unpacked"
    for name in ("bash/mst-cli", "zsh/_mst-cli", "fish/mst-cli.fish", "man8/mst-cli.8"):
        (unpacked / "support" / name).parent.mkdir(parents=True)
        (unpacked / "support" / name).write_text(name)
    monkeypatch.setattr(bundle, "directory", lambda: unpacked)
    return unpacked / "support"


def test_completions_and_man_pages_go_where_directories_exist(scene: Scene, support: Path) -> None:
    placed = [f"file:{path}" for path in ("/usr/share/bash-completion/completions/mst-cli", MANUAL)]
    assert paths_of(scene.run(program.PROGRAM, scene.opened())) == [*PLACED, *placed]
    assert scene.files.read(MANUAL) == b"man8/mst-cli.8"
    assert scene.run(program.PROGRAM, scene.opened()) == ()
    scene.undo()
    assert scene.files.names("/usr/share/bash-completion/completions") == []
    assert scene.files.names("/usr/share/man/man8") == []


@pytest.mark.parametrize(
    "there",
    [
        ["/usr/share/zsh/vendor-completions", "/usr/share/zsh/site-functions"],
        ["/usr/share/zsh/site-functions"],
    ],
)
def test_zsh_of_debian_looks_elsewhere(there: list[str], scene: Scene, support: Path) -> None:
    for directory in there:
        scene.files.make_directories(directory)
    assert f"file:{there[0]}/_mst-cli" in paths_of(scene.run(program.PROGRAM, scene.opened()))


def test_pages_of_a_newer_version_replace_the_older_ones(scene: Scene, support: Path) -> None:
    scene.run(program.PROGRAM, scene.opened())
    (support / "man8/mst-cli.8").write_text("newer")
    assert paths_of(scene.run(program.PROGRAM, scene.opened())) == [f"file:{MANUAL}"]
    assert scene.files.read(MANUAL) == b"newer"


def test_without_systemd_a_note_says_to_run_the_monitor(scene: Scene) -> None:
    scene.systemd.runs = False
    assert not program.MONITORING.gather(scene.opened()).systemd
    (said,) = scene.prompter.said
    assert "have the init system run `mstunnel_monitor`, and restart it" in said


class LoggingHost(Host):
    """A host with auditd and a journal catalogue; the audit rules are locked if `enabled` is 2."""

    enabled = 1

    def find(self, program: str) -> str | None:
        return f"/usr/sbin/{program}"

    def _auditctl(self, words: list[str]) -> tuple[int, str]:
        return 0, f"enabled {self.enabled}\nfailure 1\n"

    def _augenrules(self, words: list[str]) -> tuple[int, str]:
        return 0, ""

    def _journalctl(self, words: list[str]) -> tuple[int, str]:
        return 0, ""


@pytest.fixture
def logging(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(paths, "ROOTLESS", False)
    machine.host = LoggingHost(machine.scene.root)
    machine.scene.processes, machine.scene.systemd = machine.host, machine.host.systemd
    machine.host.systemd.running_units.add("auditd.service")
    for directory in (program.RULES.rpartition("/")[0], "/etc/logrotate.d"):
        machine.scene.files.make_directories(directory)
    return machine


def test_auditd_watches_gateway_files_until_the_uninstall(logging: Machine) -> None:
    assert logging.run(program.AUDIT) == [f"write the audit rules {program.RULES} and load them"]
    assert "\n-w /etc/mstunnel -p wa -k mst\n" in logging.text(program.RULES)
    assert logging.run(program.AUDIT) == []
    logging.uninstall()
    assert logging.text(program.RULES) == ""
    assert logging.host.asked.count("augenrules --load") == 2


def test_account_need_not_read_the_audit_rules(logging: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only root can read the rules' directory: the account's plan omits the rules, and root writes them."""
    read = Files.read

    def refuse(files: Files, path: str) -> bytes | None:
        if path == program.RULES:
            raise PERMISSION_DENIED(verb="read", path=path, reason="Permission denied", account="gateway")
        return read(files, path)

    with monkeypatch.context() as as_account:
        as_account.setattr(paths, "ROOTLESS", True)
        as_account.setattr(Files, "read", refuse)
        (planned,) = logging.scene.opened().runner.plan([program.AUDIT], logging.opened())
        assert planned.actions == ()
    assert len(logging.run(program.AUDIT)) == 1


@pytest.mark.parametrize("why", ["auditd does not run", "no systemd", "rules of others"])
def test_audit_rules_are_left_out_without_auditd_or_if_foreign(logging: Machine, why: str) -> None:
    if why == "auditd does not run":
        logging.host.systemd.running_units.clear()
    elif why == "no systemd":
        logging.host.systemd.runs = False
    else:
        logging.scene.write(program.RULES, "-w /etc/mstunnel -p wa -k vendor\n")
    assert logging.run(program.AUDIT) == []


def test_locked_audit_rules_apply_from_the_next_boot(logging: Machine) -> None:
    logging.host.enabled = 2
    logging.run(program.AUDIT)
    assert any("take effect at the next boot" in text for text in logging.scene.prompter.said)


def test_the_log_is_rotated_until_the_uninstall(logging: Machine) -> None:
    assert len(logging.run(program.LOGS)) == 1
    assert '"/var/log/mstunnel/setup.log" {' in logging.text(program.ROTATION)
    assert logging.run(program.LOGS) == []
    logging.uninstall()
    assert logging.text(program.ROTATION) == ""


def test_the_journals_catalogue_of_release_0_2_is_removed(logging: Machine) -> None:
    place = "/usr/lib/systemd/catalog/mstunnel.catalog"
    logging.scene.files.make_directories("/usr/lib/systemd/catalog")
    digest = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    action = WriteMessageCatalogue(path=place, source=__file__, digest=digest)
    logging.run(Step("logs", text("Logs"), lambda _run: (), lambda _facts: [action]))
    assert logging.text(place) != ""
    logging.run(program.LOGS)
    assert logging.text(place) == ""
    assert logging.host.asked == ["journalctl --update-catalog"] * 2


def test_without_logrotate_nothing_is_done(machine: Machine) -> None:
    assert machine.run(program.LOGS) == []


def test_log_rotated_by_a_package_is_not_listed_twice(logging: Machine) -> None:
    """logrotate fails if two entries name the same file."""
    logging.scene.files.write(program.OF_PACKAGE, b"/var/log/mstunnel/*.log {}\n")
    logging.run(program.LOGS)
    assert logging.text(program.ROTATION) == ""
