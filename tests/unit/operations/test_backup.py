"""`mst-cli backup|restore`: backups can be restored, and refusals come before any loss."""

import gzip
import io
import json
import os
import tarfile
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mstunnel_setup.answers.merge import Answers, merge
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CertificateError, CheckError, StepError, UsageError
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.certificates.load import load_identity
from mstunnel_setup.exchange.upgrade_history import render_history
from mstunnel_setup.gateway.ocserv_conf import DEVICE_AUTHORITY, DEVICE_REVOCATIONS
from mstunnel_setup.install.request import InstallRequest
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.run_answers import answers as answers_of
from mstunnel_setup.install.step_list import ROOTLESS
from mstunnel_setup.install.steps import sign_in
from mstunnel_setup.io.accounts import own_name
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.io.process import Completed, Processes
from mstunnel_setup.operations import backup as work
from mstunnel_setup.operations.backup import (
    LARGEST,
    MANIFEST,
    MOST_FILES,
    SCHEMA,
    UPGRADES,
    backup,
    pack,
    unpack,
)
from mstunnel_setup.transaction.receipt import Receipt
from mstunnel_setup.transaction.runner import Runner
from mstunnel_setup.transaction.step import AnyStep
from tests.refusals import refused
from tests.unit.exchange.test_record import history, upgrade
from tests.unit.install.scenes import Scene
from tests.unit.operations.conftest import Server
from tests.unit.operations.rootless import end_step
from tests.unit.operators import operator_of

_OLD, _NEW = (f"{number * 8}-2222-3333-4444-555555555555" for number in ("1", "9"))


@dataclass
class Steps:
    """A runner that only records steps: `done` has their names, and the step `refused` fails.

    `answers` are the answers of the run.
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
    """Replace a part of the restoration that needs a real host."""


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Steps:
    """Record the steps of a restoration, and the removal of the old host as one of them."""
    steps = Steps()

    @contextmanager
    def opened(operator: Operator, request: InstallRequest, *, scope: Scope) -> Iterator[Run]:
        scene, runner = Scene(tmp_path), cast("Runner", steps)
        steps.answers = answers_of(operator, request.settings, Receipt(), request.backup)
        run = scene.opened(mode=steps.answers.mode)
        yield replace(run, runner=runner, host=replace(run.host, scope=scope))

    monkeypatch.setattr(work, "open_run", opened)
    for name in ("refuse_other", "refuse", "apply_actions"):
        monkeypatch.setattr(work, name, nothing)
    monkeypatch.setattr(sign_in, "as_registrar", lambda _run: steps.done.append("removal"))
    return steps


def restore(root: Path, answer_file: str = "", **answers: str) -> None:
    manifest = f'{{"schema": "{SCHEMA}", "answers": {answers}}}'.replace("'", '"')
    file = root / "backup.tar.gz"
    file.write_bytes(pack({MANIFEST: manifest.encode()}))
    given = root / "answers.yaml"
    given.write_text(f"version: 1\n{answer_file}")
    operator = replace(operator_of(root), answers=given if answer_file else None)
    work.restore(operator, {}, file, replace=True)


def test_old_host_is_removed_after_checks_and_before_name_reuse(tmp_path: Path, steps: Steps) -> None:
    restore(tmp_path)
    at = steps.done.index("removal")
    assert {"certificate", "sign-in", "site"} <= set(steps.done[:at])
    assert steps.done[at + 1] == "register"
    assert len(steps.done) == len(set(steps.done))


def test_answer_file_overrides_the_backups_sign_in_method(tmp_path: Path, steps: Steps) -> None:
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


def test_refused_certificate_leaves_the_old_host_unchanged(tmp_path: Path, steps: Steps) -> None:
    steps.refused = "certificate"
    with pytest.raises(CertificateError):
        restore(tmp_path)
    assert "removal" not in steps.done


@pytest.fixture
def host_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Run as the account of a rootless gateway whose host root has begun to prepare; a call ends a step."""
    monkeypatch.setattr(paths, "ROOTLESS", True)
    monkeypatch.setattr(paths, "STATE", "/home/gateway/.local/state/mstunnel")
    return lambda name: end_step(tmp_path, paths.HOST_STATE, name, own_name())


def test_account_restores_on_a_host_that_root_prepared(
    tmp_path: Path, steps: Steps, host_half: Callable[[str], None]
) -> None:
    host_half("boot")
    restore(tmp_path, mode="rootless", account="another")
    assert [name for name in steps.done if name != "removal"] == [
        step.name for step in ROOTLESS[Scope.ACCOUNT]
    ]


@pytest.mark.parametrize(
    ("of_host", "own", "mode", "code"),
    [
        # A host that root has prepared only in part, or not at all, is refused.
        ("account", "", "rootless", "backup-rootless"),
        ("", "", "rootless", "backup-rootless"),
        ("boot", "", "rootful", "backup-rootful"),
        # For an account with a gateway the error is the existing gateway, not the host's mode.
        ("boot", "launch", "rootful", "already-installed"),
        ("", "launch", "rootless", "already-installed"),
    ],
)
def test_backup_of_the_other_mode_is_refused(
    tmp_path: Path,
    steps: Steps,
    request: pytest.FixtureRequest,
    *,
    of_host: str,
    own: str,
    mode: str,
    code: str,
) -> None:
    if of_host:
        request.getfixturevalue("host_half")(of_host)
    if own:
        end_step(tmp_path, paths.STATE, own)
    with refused(UsageError, code):
        restore(tmp_path, mode=mode)
    assert steps.done == []


def test_file_that_the_account_cannot_read_is_refused(
    tmp_path: Path, steps: Steps, host_half: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    host_half("boot")
    monkeypatch.setattr(paths, "ROOTLESS", False)
    monkeypatch.setattr(Processes, "run", lambda *_given, **_options: Completed(1, "", ""))
    with refused(CheckError, "account-cannot-read") as caught:
        restore(tmp_path, mode="rootless")
    assert "/srv/mstunnel/backup.tar.gz" in caught.value.hint
    assert steps.done == []


def test_chain_and_key_come_from_one_generation(
    installed: Server, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = installed.file(paths.ACTIVE)
    earlier = link.readlink()
    assert installed("import_cert", *installed.given("next"))[0] == 0
    read = Files.read

    def read_and_renew(self: Files, path: str) -> bytes | None:
        content = read(self, path)
        if path.endswith("/chain.pem"):
            link.unlink()
            link.symlink_to(earlier)
        return content

    monkeypatch.setattr(Files, "read", read_and_renew)
    backup(operator_of(installed.root), private / "backup.tar.gz")

    _manifest, files = unpack((private / "backup.tar.gz").read_bytes())
    load_identity(files[paths.SITE_CERTIFICATE], files[paths.SITE_KEY])


def test_backup_too_large_to_restore_is_not_written(installed: Server, private: Path) -> None:
    installed.file(DEVICE_AUTHORITY).write_bytes(os.urandom(LARGEST))
    with refused(StepError, "backup-too-large", DEVICE_AUTHORITY):
        backup(operator_of(installed.root), private / "backup.tar.gz")
    assert not (private / "backup.tar.gz").exists()


@pytest.mark.parametrize("content", [os.urandom(LARGEST), b"x" * (LARGEST + 1)], ids=["packed", "alone"])
def test_too_large_revocation_list_is_left_out(installed: Server, private: Path, content: bytes) -> None:
    revocations = installed.file(DEVICE_REVOCATIONS)
    revocations.write_bytes(content)
    result = backup(operator_of(installed.root), private / "backup.tar.gz")
    _manifest, files = unpack((private / "backup.tar.gz").read_bytes())
    assert DEVICE_REVOCATIONS not in files
    assert {paths.SITE_CERTIFICATE, paths.SITE_KEY} <= set(files)
    (notice,) = (each for each in result.warnings if each.code == "backup-without-list")
    assert f"{DEVICE_REVOCATIONS}, which has {len(content)} bytes" in notice.message
    revocations.write_bytes(b"short")
    complete = backup(operator_of(installed.root), private / "next.tar.gz")
    assert [each.code for each in complete.warnings] == ["backup-holds-key"]


_GOOD = {"schema": SCHEMA, "server_name": "gw1"}


def _packed(manifest: bytes | None = None, files: Mapping[str, bytes] | None = None, **values: Any) -> bytes:
    """Return an archive of files with a manifest, by default a valid one changed by these values."""
    good = json.dumps({**_GOOD, **values}).encode()
    return pack({MANIFEST: good if manifest is None else manifest, **(files or {})})


def _tar(*members: tarfile.TarInfo) -> bytes:
    """Return an archive with these members and a valid manifest."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        content = json.dumps(_GOOD).encode()
        head = tarfile.TarInfo(MANIFEST)
        head.size = len(content)
        archive.addfile(head, io.BytesIO(content))
        for member in members:
            archive.addfile(member, io.BytesIO(b"x" * member.size))
    return gzip.compress(packed.getvalue())


def _member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.size, member.linkname = kind, size, "/etc/shadow"
    return member


_LONG_NAME = _member("x", tarfile.GNUTYPE_LONGNAME, 1).tobuf() + b"a".ljust(512, b"\0")
HOSTILE = {
    "nothing": b"",
    "no archive": b"no archive",
    "no manifest": pack({"other": b""}),
    "a manifest that is no JSON": _packed(b"not JSON"),
    "a later kind of backup": _packed(b'{"schema": "mstunnel-backup/2"}'),
    "a bomb": gzip.compress(b"\0" * 200_000_000, 9),
    "zeros": _packed(files={"etc/mstunnel/env.sh": b"\0" * 15_000_000}),
    "a file larger than any": _tar(_member("etc/mstunnel/env.sh", size=LARGEST + 1)),
    "many files": _tar(*(_member(f"etc/mstunnel/ca-trust/{number}.crt") for number in range(MOST_FILES + 1))),
    "a long path": _tar(_member("etc/mstunnel/ca-trust/" + "a" * 300)),
    "the same file twice": _tar(_member("etc/mstunnel/env.sh"), _member("etc/mstunnel/env.sh")),
    "a link": _tar(_member("etc/mstunnel/env.sh", tarfile.SYMTYPE)),
    "a hard link": _tar(_member("etc/mstunnel/env.sh", tarfile.LNKTYPE)),
    "a device": _tar(_member("etc/mstunnel/env.sh", tarfile.CHRTYPE)),
    "a pipe": _tar(_member("etc/mstunnel/env.sh", tarfile.FIFOTYPE)),
    "long names without end": gzip.compress(5000 * _LONG_NAME),
    "a deep manifest": _packed(b"[" * 100_000),
    "a deep manifest of objects": _packed(b'{"a":' * 100_000),
    "no number": _packed(answers={"a": float("nan")}),
    "half a character": _packed(b'{"schema": "mstunnel-backup/1", "server_name": "\\ud800"}'),
    "answers that are none": _packed(answers=[1]),
    "a site without id": _packed(site={"name": "x"}),
    "a server name of the wrong type": _packed(server_name={"a": 1}),
    "an upgrade to go on with": _packed(files={UPGRADES: render_history(history(upgrade("a", "b", None)))}),
    "something after it": _packed() + b"more",
    "half of it": _packed()[:-20],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archive_is_refused_within_little_memory(name: str) -> None:
    tracemalloc.start()
    with pytest.raises(UsageError) as caught:
        unpack(HOSTILE[name])
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.code == "backup-invalid"
    assert used < 5 * work.LARGEST_UNPACKED


@given(st.binary(max_size=300), st.integers(0, 400))
def test_damaged_archive_is_refused_or_harmless(noise: bytes, at: int) -> None:
    good = _packed(files={"etc/mstunnel/env.sh": b"A=1\n"})
    for damaged in (good[:at] + noise + good[at + len(noise) :], gzip.compress(noise)):
        try:
            _manifest, files = unpack(damaged)
        except UsageError as error:
            assert error.code == "backup-invalid"  # noqa: PT017 (either is right)
        else:
            assert set(files) <= {paths.ENVIRONMENT}


def test_file_larger_than_any_backup_is_not_read(tmp_path: Path) -> None:
    place = tmp_path / "backup.tar.gz"
    with place.open("wb") as file:
        file.truncate(10**12)
    with refused(UsageError, "backup-invalid"):
        work.restore(operator_of(tmp_path), {}, place, replace=False)


@pytest.mark.parametrize(
    ("archive", "part"),
    [
        (_packed(version="9.0", answers={"later.key": 1}), "later.key"),
        (_packed(version="9.0", files={UPGRADES: b'{"version": 2, "upgrades": []}'}), "history of upgrades"),
    ],
    ids=["answers", "upgrades"],
)
def test_settings_of_a_newer_version_are_named_with_it(archive: bytes, part: str) -> None:
    with refused(UsageError, "backup-not-understood") as caught:
        unpack(archive)
    assert "version 9.0 wrote" in caught.value.message
    assert part in caught.value.message


def test_ended_upgrades_are_accepted() -> None:
    content = render_history(history(upgrade("a", "b")))
    assert unpack(_packed(files={UPGRADES: content}))[1] == {UPGRADES: content}


def test_backup_is_unpacked_unchanged() -> None:
    files = {paths.SITE_KEY: b"key", f"{paths.CA_TRUST}/one.crt": b"root"}
    packed = _packed(files=files)
    assert unpack(packed) == (_GOOD, files)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        assert {member.mode for member in archive} == {0o600}
    assert pack({"a": b"1"}) == pack({"a": b"1"})


@pytest.mark.parametrize("name", ["etc/passwd", "../etc/passwd", "etc/mstunnel/ca-trust/../../passwd"])
def test_unknown_paths_in_a_backup_are_ignored(name: str) -> None:
    assert unpack(_packed(files={name: b"root::0:0"})) == (_GOOD, {})
