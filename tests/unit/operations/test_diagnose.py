"""`mst-cli diagnose`: the content of the archive, and that it has no secrets."""

import io
import os
import re
import tarfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.actions.host import Host
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import NOT_ROOT, CheckError, UsageError
from mstunnel_setup.base.result import Result
from mstunnel_setup.containers import gateway_host as host_module
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.io.process import Completed, Processes
from mstunnel_setup.operations import diagnose
from mstunnel_setup.operations.diagnose import known_secrets
from mstunnel_setup.transaction.journal import Journal
from tests.testbed.canary import LOGGED, SETTINGS, forms, leaks
from tests.unit.clocks import FakeClock
from tests.unit.fakes import PODMAN, FakeEngine, FakeSystemd, Printing, ports_of
from tests.unit.install.scenes import FakePrompter
from tests.unit.operations.conftest import validated
from tests.unit.operators import operator_of
from tests.unit.results import GivenReport, lines_of, rows_of

_COMMANDS = ("readiness", "health", "overview", "check", "version")
_RECORD = "ACCESS_LOG,user,device,tcp,10.20.0.2:4000,10.99.0.3:80,1,2,0"
_JOURNAL = f"""\
Nov 25 10:00:00 gw1 ocserv[7]: worker: mentions ocserv-access without being it
Nov 25 10:00:01 gw1 ocserv-access[8]: access log begins
Nov 25 10:00:02 gw1 ocserv-access[8]: {_RECORD}
Nov 25 10:00:02 gw1 ocserv-access: {_RECORD}
Nov 25 10:00:03 gw1 ocserv[7]: the last one
"""
_CONTAINER = f"2026-11-25T10:00:00Z ready\n2026-11-25T10:00:01Z {_RECORD}\n{_RECORD}"


class Programs(Processes):
    """Processes that print one text for journalctl, and another for the engine's log command."""

    def run(self, arguments: Sequence[str], **_options: Any) -> Completed:
        return Completed(0, *((_JOURNAL, "") if arguments[0] == "journalctl" else ("", _CONTAINER)))


@pytest.fixture
def collected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, str]]:
    """Return a function that collects the files while every command reports nothing."""
    for command in _COMMANDS:
        monkeypatch.setattr(diagnose, command, lambda *_given: Result())

    def collect(**options: Any) -> dict[str, str]:
        ports = ports_of(tmp_path, processes=Programs(), **options)
        return diagnose.collect(operator_of(tmp_path), ports)

    return collect


def test_access_log_is_left_out_of_all_logs(collected: Callable[..., dict[str, str]]) -> None:
    logs = {name: text for name, text in collected().items() if name.startswith("logs/")}
    assert logs.keys() == {f"logs/{paths.SERVER}.log", f"logs/{paths.AGENT}.log", "logs/journal.log"}
    assert logs[f"logs/{paths.SERVER}.log"] == "2026-11-25T10:00:00Z ready\n"
    kept = [line.partition("gw1 ")[2] for line in logs["logs/journal.log"].splitlines()]
    assert kept == 2 * [
        "ocserv[7]: worker: mentions ocserv-access without being it",
        "ocserv[7]: the last one",
    ]


def test_unforeseen_error_shows_location_without_text(
    collected: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_operator: Operator) -> Result:
        raise KeyError("a password")

    monkeypatch.setattr(diagnose, "health", fail)
    found = collected()
    assert re.fullmatch(
        rf"not collected: internal-error: unexpected error: KeyError in {__name__}:\d+\n",
        found["checks/health.json"],
    )
    assert "checks/status.json" in found
    assert "logs/journal.log" in found


def test_missing_files_are_left_out(collected: Callable[..., dict[str, str]]) -> None:
    names = collected(systemd=FakeSystemd(runs=False))
    assert not [name for name in names if name.startswith("files") or name == "logs/journal.log"]


@pytest.mark.parametrize(
    ("line", "secrets"),
    [
        ("https_proxy=http://user:word%2Fone@proxy:3128", {b"user:word%2Fone", b"word%2Fone", b"word/one"}),
        ("X='http://u:a/b c@d@proxy/'", {b"u:a/b c@d", b"a/b c@d"}),
        ("https_proxy=http://proxy:3128", set()),
        ("http_proxy='http://user:wonder@proxy:3128'", {b"user:wonder", b"wonder"}),
        ("HTTPS_PROXY='user:wonder@proxy:3128'", {b"user:wonder", b"wonder"}),
        ("export RADIUS_KEY='a, b;c'", {b"a, b;c"}),
        ("RADIUS_KEY=/etc/radius/key.pem", set()),
    ],
)
def test_proxy_credentials_are_registered_as_secrets(line: str, secrets: set[bytes], tmp_path: Path) -> None:
    (tmp_path / "etc/mstunnel/private").mkdir(parents=True)
    (tmp_path / paths.ENVIRONMENT.lstrip("/")).write_text(f"{line}\n")
    assert set(known_secrets(ports_of(tmp_path))) == secrets


SECRETS = {name: secret.encode() for name, (secret, _) in {**LOGGED, **SETTINGS}.items()}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    """Put text with secrets into a log file, the log of a container, and the systemd journal."""
    files = Files(tmp_path)
    for directory in (paths.CONFIGURATION, paths.LOG):
        files.make_directories(directory)
    lines = [line.format(secret) for secret, line in LOGGED.values()]
    # Every encoding of a setting's secret is redacted, in any file.
    for secret, _line in SETTINGS.values():
        lines += [f"said {form.decode('latin-1')} once" for form in forms(secret.encode()).values()]
    # A truncated key causes the rest of a text to be redacted as well, so each line is a separate text.
    logged = "\n-----END PRIVATE KEY-----\n".join(lines)
    settings = "".join(f"{line.format(secret)}\n" for secret, line in SETTINGS.values())
    files.write(paths.ENVIRONMENT, settings.encode())
    files.write(paths.SETUP_LOG, logged.encode())
    ports = ports_of(tmp_path, processes=Printing(logged))
    for command in _COMMANDS:
        monkeypatch.setattr(
            diagnose, command, lambda *_given: Result(report=GivenReport.model_validate({"said": logged}))
        )
    monkeypatch.setattr(diagnose, "open_host", lambda _operator: nullcontext(ports))
    monkeypatch.setattr(Files, "given", property(lambda _files: Files(tmp_path)))
    return files


def operator() -> Operator:
    return operator_of(Path("/"), FakePrompter(interactive=False))


def bundle(host: Files) -> dict[str, bytes]:
    """Return the files of the written archive by name."""
    with tarfile.open(fileobj=io.BytesIO(host.read("/bundle.tar.gz") or b"")) as archive:
        streams = {member.name: archive.extractfile(member) for member in archive}
        return {name: stream.read() for name, stream in streams.items() if stream is not None}


def test_all_kinds_of_secrets_are_redacted(host: Files) -> None:
    result = validated("mst-cli diagnose", diagnose.diagnose(operator(), Path("/bundle.tar.gz")))
    files = bundle(host)
    assert leaks(SECRETS, files) == []
    assert b"client: shared_key" in files["logs/journal.log"]
    assert {row["name"]: row["bytes"] for row in rows_of(result, "contents")} == {
        name: len(text) for name, text in files.items()
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a directory to the agent")
@pytest.mark.parametrize("path", [paths.AGENT_CREDENTIAL, paths.AGENT_SECRET])
def test_symlink_planted_by_the_agent_does_not_stop_diagnose(host: Files, path: str) -> None:
    host.make_directories(paths.AGENT_DIRECTORY)
    host.locate(path).symlink_to("/etc/shadow")
    os.chown(host.locate(paths.AGENT_DIRECTORY), paths.AGENT_USER, paths.AGENT_USER)
    diagnose.diagnose(operator(), Path("/bundle.tar.gz"))
    assert "manifest.json" in bundle(host)


@pytest.mark.parametrize("path", [paths.SITE_KEY, paths.ENVIRONMENT])
def test_unreadable_secret_file_stops_diagnose(host: Files, path: str) -> None:
    host.remove(path)
    host.make_directories(path)
    with pytest.raises(FileError):
        diagnose.diagnose(operator(), Path("/bundle.tar.gz"))
    assert host.read("/bundle.tar.gz") is None


def _journal_without_a_line(root: Path) -> bytes:
    """Return a journal from which a person removed one line; the others are intact."""
    (root / "another").mkdir()
    files = Files(root / "another")
    with closing(Journal(files, FakeClock(), paths.STATE)) as journal:
        journal.begin_installation()
        journal.append("begin", key="file:/x", step="x", action={}, before={})
        journal.append("done", key="file:/x", outputs={})
    lines = (files.read(journal.path) or b"").splitlines(keepends=True)
    return lines[0] + lines[2]


@pytest.mark.parametrize("edited", [False, True])
def test_damaged_journal_does_not_stop_diagnose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edited: bool
) -> None:
    content = _journal_without_a_line(tmp_path) if edited else b"damaged\ndamaged\n"
    files = Files(tmp_path)
    for directory in (paths.CONFIGURATION, paths.STATE, "/run"):
        files.make_directories(directory)
    files.write(paths.ENVIRONMENT, b"DEBUG_LEVEL=2\n")
    files.write(f"{paths.STATE}/journal.jsonl", content)
    monkeypatch.setattr(diagnose, "readiness", lambda *_given: Result())
    monkeypatch.setattr(host_module, "open_engine", lambda *_arguments: (FakeEngine(), PODMAN))
    monkeypatch.setattr(Files, "given", property(lambda _files: Files(tmp_path)))
    damaged = operator_of(tmp_path, FakePrompter(interactive=False), processes=Printing("said"))
    diagnose.diagnose(damaged, Path("/bundle.tar.gz"))
    found = bundle(files)
    assert found[f"files{paths.ENVIRONMENT}"] == b"DEBUG_LEVEL=2\n"
    assert found[f"files{paths.STATE}/journal.jsonl"] == content
    assert found[f"logs/{paths.SERVER}.log"] == b"said"
    for name in ("health", "status", "certificate", "version"):
        assert b"journal-damaged" in found["checks/status.json"]
        assert not found[f"checks/{name}.json"].startswith(b"not collected: journal-damaged")


def test_account_without_a_gateway_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_operator: Operator) -> AbstractContextManager[Host]:
        raise NOT_ROOT(what="this command")

    monkeypatch.setattr(diagnose, "open_host", refused)
    with pytest.raises(CheckError):
        diagnose.diagnose(operator(), None)


@pytest.mark.usefixtures("host")
def test_preview_lists_all_files_with_redaction_counts() -> None:
    result = diagnose.diagnose(operator(), None)
    lines = lines_of(result)
    rows = {line.split()[2]: line.split()[:2] for line in lines[1:-1]}
    assert lines[0].split() == ["Bytes", "Redacted", "File"]
    assert {"manifest.json", "redactions.json", f"files{paths.ENVIRONMENT}"} <= rows.keys()
    assert int(rows[f"files{paths.ENVIRONMENT}"][1]) >= len(SETTINGS)
    assert rows["manifest.json"][1] == "0"


def test_declined_confirmation_writes_no_file(host: Files) -> None:
    prompter = FakePrompter(["no"])
    with pytest.raises(UsageError):
        diagnose.diagnose(operator_of(Path("/"), prompter), Path("/bundle.tar.gz"))
    assert "manifest.json" in prompter.said[0]
    assert host.read("/bundle.tar.gz") is None
