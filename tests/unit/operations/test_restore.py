"""`mst-cli backup|restore`: what is written can be restored, and what refuses it comes before any loss."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from mstunnel_setup.actions.codec import CODEC
from mstunnel_setup.actions.host import Scope
from mstunnel_setup.actions.store_answer import StoreAnswer
from mstunnel_setup.answers.merge import Answers, merge
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CertificateError, CheckError, StepError, UsageError
from mstunnel_setup.certificates.load import load_identity
from mstunnel_setup.gateway.ocserv_conf import DEVICE_AUTHORITY, DEVICE_REVOCATIONS
from mstunnel_setup.install.run_answers import answers as answers_of
from mstunnel_setup.install.session import Run
from mstunnel_setup.install.step_list import ROOTLESS
from mstunnel_setup.install.steps import sign_in
from mstunnel_setup.io.accounts import own_name
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.io.process import Completed, Processes
from mstunnel_setup.operations import backup as work
from mstunnel_setup.operations.backup import LARGEST, MANIFEST, SCHEMA, backup, pack, unpack
from mstunnel_setup.transaction.journal import Journal
from mstunnel_setup.transaction.receipt import Receipt
from mstunnel_setup.transaction.runner import Runner
from mstunnel_setup.transaction.step import AnyStep, Step
from tests.places import HOME
from tests.refusals import refused
from tests.unit.install.scenes import Scene
from tests.unit.operations.conftest import Command
from tests.unit.operators import operator_of

_OLD, _NEW = (f"{number * 8}-2222-3333-4444-555555555555" for number in ("1", "9"))


@dataclass
class Steps:
    """Runs no step; `done` are the names of those that were to be run, `refused` the one that fails.

    `answers` are those of the run.
    """

    refused: str = ""
    answers: Answers = field(default_factory=lambda: merge({}, {}))
    done: list[str] = field(default_factory=list)

    def run(self, steps: Sequence[AnyStep], _context: object) -> list[Any]:
        for step in steps:
            if step.name == self.refused:
                raise CertificateError("expired", "it has expired", "")
            self.done.append(step.name)
        return []


def nothing(*_arguments: object) -> None:
    """A part of the restoration that needs a whole host."""


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Steps:
    """The steps of a restoration; the removal of the old host is one of them."""
    steps = Steps()

    @contextmanager
    def opened(
        operator: Operator, settings: dict[str, Any], *, scope: Scope, backup: dict[str, Any]
    ) -> Iterator[Run]:
        scene, runner = Scene(tmp_path), cast("Runner", steps)
        steps.answers = answers_of(operator, settings, Receipt(), backup)
        context = scene.context(mode=steps.answers.mode)
        context = replace(context, host=replace(context.host, scope=scope))
        yield replace(scene.opened(), runner=runner, context=context)

    monkeypatch.setattr(work, "open_run", opened)
    for name in ("require_answers", "refuse_vendor", "refuse_unready", "apply_actions"):
        monkeypatch.setattr(work, name, nothing)
    monkeypatch.setattr(sign_in, "as_registrar", lambda _context: steps.done.append("removal"))
    return steps


def restore(root: Path, answer_file: str = "", **answers: str) -> None:
    manifest = f'{{"schema": "{SCHEMA}", "answers": {answers}}}'.replace("'", '"')
    file = root / "backup.tar.gz"
    file.write_bytes(pack({MANIFEST: manifest.encode()}))
    given = root / "answers.yaml"
    given.write_text(f"version: 1\n{answer_file}")
    operator = replace(operator_of(root), answers=given if answer_file else None)
    work.restore(operator, {}, file, replace=True)


def test_the_old_host_is_removed_once_its_certificate_is_judged_and_before_its_name_is_used(
    tmp_path: Path, steps: Steps
) -> None:
    restore(tmp_path)
    at = steps.done.index("removal")
    assert {"certificate", "sign-in", "site"} <= set(steps.done[:at])
    assert steps.done[at + 1] == "register"
    assert len(steps.done) == len(set(steps.done))


def test_the_answer_file_given_now_changes_the_sign_in_method_of_the_backup(
    tmp_path: Path, steps: Steps
) -> None:
    old = {"sign_in.method": "client-certificate", "sign_in.client_id": _OLD, "sign_in.pfx": "/root/old.pfx"}
    old["tenant.id"] = "old.example"
    now = f"sign_in: {{method: client-secret, client_id: {_NEW}, client_secret: file:/root/secret}}\n"
    restore(tmp_path, now, **old, engine="podman")
    assert (steps.answers.sign_in.method, steps.answers.sign_in.client_id) == ("client-secret", _NEW)
    assert steps.answers.sign_in.pfx is None
    assert (steps.answers.engine, steps.answers.tenant.id) == ("podman", "old.example")
    restore(tmp_path, **old)
    again = steps.answers.sign_in.model_dump()
    assert (again["method"], again["pfx"]) == ("client-certificate", "/root/old.pfx")


def test_a_certificate_that_is_refused_leaves_the_old_host_as_it_is(tmp_path: Path, steps: Steps) -> None:
    steps.refused = "certificate"
    with pytest.raises(CertificateError):
        restore(tmp_path)
    assert "removal" not in steps.done


def end_step(root: Path, state: str, name: str, account: str = "") -> None:
    """Put a step that has ended into the journal below `state`, with the account of a rootless gateway."""
    scene = Scene(root)
    journal = Journal(scene.files, scene.clock, state)
    runner = Runner(scene.context().host, journal, CODEC, scene.clock, lambda _event: None)
    stored = StoreAnswer(name="account", value=account)
    runner.run([Step(name, name, lambda _context: None, lambda _facts: [stored])], None)


@pytest.fixture
def host_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """This process is the account of a rootless gateway, on whose host root has begun; it ends the step."""
    monkeypatch.setattr(paths, "ROOTLESS", True)
    monkeypatch.setattr(paths, "STATE", "/home/gateway/.local/state/mstunnel")
    return lambda name: end_step(tmp_path, paths.HOST_STATE, name, own_name())


def test_the_account_restores_its_part_on_a_host_that_root_has_prepared(
    tmp_path: Path, steps: Steps, host_half: Callable[[str], None]
) -> None:
    host_half("boot")
    restore(tmp_path, mode="rootless", account="another")
    assert [name for name in steps.done if name != "removal"] == [
        step.name for step in ROOTLESS[Scope.ACCOUNT]
    ]


def test_a_host_that_root_has_prepared_in_part_is_refused(
    tmp_path: Path, steps: Steps, host_half: Callable[[str], None]
) -> None:
    host_half("account")
    assert refusal(tmp_path, steps, mode="rootless") == "backup-rootless"


def test_a_gateway_with_root_does_not_become_a_rootless_one(
    tmp_path: Path, steps: Steps, host_half: Callable[[str], None]
) -> None:
    host_half("boot")
    assert refusal(tmp_path, steps) == "backup-rootful"


def test_a_rootless_gateway_does_not_become_one_with_root(tmp_path: Path, steps: Steps) -> None:
    assert refusal(tmp_path, steps, mode="rootless") == "backup-rootless"


def test_whose_gateway_is_here_is_not_told_to_undo_what_it_stands_on(
    tmp_path: Path, steps: Steps, host_half: Callable[[str], None]
) -> None:
    host_half("boot")
    end_step(tmp_path, paths.STATE, "launch")
    assert refusal(tmp_path, steps) == "already-installed"


def test_a_gateway_with_root_is_not_told_to_prepare_the_host(tmp_path: Path, steps: Steps) -> None:
    end_step(tmp_path, paths.STATE, "launch")
    assert refusal(tmp_path, steps, mode="rootless") == "already-installed"


def test_root_hands_over_no_file_that_the_account_cannot_read(
    tmp_path: Path, steps: Steps, host_half: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    host_half("boot")
    monkeypatch.setattr(paths, "ROOTLESS", False)
    monkeypatch.setattr(Processes, "run", lambda *_given, **_options: Completed(1, "", ""))
    with refused(CheckError, "account-cannot-read") as caught:
        restore(tmp_path, mode="rootless")
    assert "/srv/mstunnel/backup.tar.gz" in caught.value.hint
    assert steps.done == []


def refusal(root: Path, steps: Steps, **answers: str) -> str:
    """The code with which a restoration is refused, before any of its steps."""
    with pytest.raises(UsageError) as caught:
        restore(root, **answers)
    assert steps.done == []
    return caught.value.code


@pytest.fixture
def private() -> Iterator[Path]:
    """A directory whose parents no other user can change: elsewhere no backup is written."""
    with tempfile.TemporaryDirectory(dir=HOME) as directory:
        yield Path(directory)


def test_chain_and_key_are_of_one_certificate(
    installed: Command, tmp_path: Path, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    link = root / paths.ACTIVE.lstrip("/")
    earlier = link.readlink()
    (tmp_path / "chain.pem").write_bytes(
        (tmp_path / "next.pem").read_bytes() + (tmp_path / "ca.pem").read_bytes()
    )
    given = ("--cert", str(tmp_path / "chain.pem"), "--key", str(tmp_path / "next.key"))
    assert installed("import_cert", *given)[0] == 0
    read = Files.read

    def read_and_renew(self: Files, path: str) -> bytes | None:
        content = read(self, path)
        if path.endswith("/chain.pem"):
            link.unlink()
            link.symlink_to(earlier)
        return content

    monkeypatch.setattr(Files, "read", read_and_renew)
    backup(operator_of(root), private / "backup.tar.gz")

    _manifest, files = unpack((private / "backup.tar.gz").read_bytes())
    load_identity(files[paths.SITE_CERTIFICATE], files[paths.SITE_KEY])


@pytest.mark.usefixtures("installed")
def test_what_could_not_be_restored_is_not_written(tmp_path: Path, private: Path) -> None:
    authority = tmp_path / "root" / DEVICE_AUTHORITY.lstrip("/")
    authority.write_bytes(os.urandom(LARGEST))
    with refused(StepError, "backup-too-large") as caught:
        backup(operator_of(tmp_path / "root"), private / "backup.tar.gz")
    assert DEVICE_AUTHORITY in caught.value.message
    assert not (private / "backup.tar.gz").exists()


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("content", [os.urandom(LARGEST), b"x" * (LARGEST + 1)], ids=["packed", "alone"])
def test_a_revocation_list_that_is_too_long_is_left_out(
    tmp_path: Path, private: Path, content: bytes
) -> None:
    revocations = tmp_path / "root" / DEVICE_REVOCATIONS.lstrip("/")
    revocations.write_bytes(content)
    result = backup(operator_of(tmp_path / "root"), private / "backup.tar.gz")
    _manifest, files = unpack((private / "backup.tar.gz").read_bytes())
    assert DEVICE_REVOCATIONS not in files
    assert {paths.SITE_CERTIFICATE, paths.SITE_KEY} <= set(files)
    (notice,) = (each for each in result.warnings if each.code == "backup-without-list")
    assert f"{DEVICE_REVOCATIONS}, which has {len(content)} bytes" in notice.message
    revocations.write_bytes(b"short")
    complete = backup(operator_of(tmp_path / "root"), private / "next.tar.gz")
    assert [each.code for each in complete.warnings] == ["backup-holds-key"]
