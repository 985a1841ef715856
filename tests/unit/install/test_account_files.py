"""Files that the account of a rootless gateway cannot read are refused before root changes anything."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.answers.merge import Origin, answered
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CheckError, ExitCode
from mstunnel_setup.install.rootless import refuse_unreadable
from mstunnel_setup.io import accounts
from mstunnel_setup.io.accounts import Account
from mstunnel_setup.io.process import Completed, Processes
from tests.unit.install.scenes import Scene

GATEWAY = Account("gateway", 991, 991, "/home/gateway")


@dataclass
class Tries(Processes):
    """A fake of `test -r` for an account that can read only files below its home."""

    home: Path
    readers: list[Account | None] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)

    def run(self, arguments: Sequence[str], *, account: Account | None = None, **_options: Any) -> Completed:
        assert arguments[:2] == ("test", "-r")
        self.readers.append(account)
        self.tried.append(arguments[2])
        return Completed(int(not Path(arguments[2]).is_relative_to(self.home)), "", "")


@pytest.fixture
def tries(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Tries:
    monkeypatch.setattr(accounts, "find", lambda name: GATEWAY if name == GATEWAY.name else None)
    tries = Tries(scene.root / "home")
    scene.processes = tries
    return tries


def refusal(scene: Scene, answer_file: Path | None = None, **answers: Any) -> CheckError:
    given = {"account": GATEWAY.name, "mode": "rootless", **answers}
    with pytest.raises(CheckError) as caught:
        refuse_unreadable(scene.opened(**given), answer_file)
    assert (caught.value.code, caught.value.exit_code) == ("account-cannot-read", ExitCode.CHECK)
    return caught.value


def accepted(scene: Scene, **answers: Any) -> None:
    refuse_unreadable(scene.opened(account=GATEWAY.name, mode="rootless", **answers), None)


def test_a_key_of_root_is_named_with_the_command_that_copies_it(scene: Scene, tries: Tries) -> None:
    chain = str(scene.write("/home/chain.pem", "chain"))
    key = str(scene.write("/root/key.pem", "key"))
    error = refusal(scene, certificate__chain=chain, certificate__key=key)
    assert error.message == f"account gateway cannot read {key}"
    command = f"  install -D -o gateway -m 600 {key} /srv/mstunnel/key.pem"
    assert error.hint.splitlines()[1:] == [command]
    assert tries.readers == [GATEWAY, GATEWAY]


def test_missing_account_is_created_first(scene: Scene, tries: Tries) -> None:
    """An account that does not exist yet cannot read more than an unknown user."""
    error = refusal(scene, **scene.certificate(), account="mstunnel")
    commands = [line.split()[0:3] for line in error.hint.splitlines()[1:]]
    assert commands == [["mstunnel-setup", "host", "--account"], *[["install", "-D", "-o"]] * 2]
    assert {reader and (reader.uid, reader.gid) for reader in tries.readers} == {(65532, 65532)}


def test_account_checks_its_files_itself(scene: Scene, tries: Tries, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "ROOTLESS", True)
    refusal(scene, **scene.certificate())
    assert set(tries.readers) == {None}


def test_files_readable_by_the_account_are_accepted(scene: Scene, tries: Tries) -> None:
    accepted(scene, **scene.certificate(directory="/home"))
    assert len(tries.tried) == 2


def test_missing_files_and_shell_pipes_are_not_tried_for_reading(scene: Scene, tries: Tries) -> None:
    key = str(scene.write(paths.SITE_KEY, "key"))
    accepted(scene, certificate__pfx="/nowhere/site.pfx")
    for path in ("/dev/fd/0", key):
        accepted(scene, certificate__chain=path, certificate__key=path)
    assert tries.tried == []


@pytest.mark.usefixtures("tries")
def test_answer_file_roots_secrets_and_archives_count_too(scene: Scene) -> None:
    files = [
        str(scene.write(f"/root/{name}", ""))
        for name in ("answers", "secret", "ca.pem", "one.tar", "two.tar")
    ]
    error = refusal(
        scene,
        Path(files[0]),
        sign_in__method="client-secret",
        sign_in__client_id="11111111-2222-3333-4444-555555555555",
        tenant__id="contoso.example",
        sign_in__client_secret=f"file:{files[1]}",
        tenant__ca_file=files[2],
        images__archive=files[3:],
    )
    assert [path for path in files if path not in error.message] == []


def test_root_copies_the_archive_that_the_program_found(scene: Scene, tries: Tries) -> None:
    run = scene.opened(account=GATEWAY.name, mode="rootless")
    found = answered(run.answers, {"images.archive": [str(scene.write("/root/images.tar", ""))]})
    found.origins["images.archive"] = Origin("default", "of this release")
    refuse_unreadable(run.answering(found), None)
    assert tries.tried == []


def test_key_in_the_account_settings_is_given_to_the_account(
    scene: Scene, tries: Tries, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = scene.write(paths.SITE_KEY, "key")
    owner = scene.files.locate(paths.CONFIGURATION).stat().st_uid
    monkeypatch.setattr(accounts, "find", lambda _name: Account("gateway", owner, owner, "/home/gateway"))
    assert refusal(scene).hint.splitlines()[1:] == [f"  chown -h gateway {key}"]
    assert tries.tried == [str(key)]
