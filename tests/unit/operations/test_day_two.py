"""Commands of mst-cli on a host where the gateway's control program answers as configured."""

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mstunnel_setup import __version__
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import EngineError, UsageError
from mstunnel_setup.containers.engine import ContainerState, LogOptions
from mstunnel_setup.containers.release_images import ReleaseImages
from mstunnel_setup.exchange.releases import CATALOGUE, Digests, ReleaseCatalogue
from mstunnel_setup.gateway.occtl import NOT_FOUND
from mstunnel_setup.io import bundle
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.io.process import Completed, Processes
from mstunnel_setup.operations import backup, component, sessions, status, version
from mstunnel_setup.operations.backup import pack, unpack
from mstunnel_setup.operations.certificate.summary import CertificateSummary
from mstunnel_setup.operations.diagnose import known_secrets
from mstunnel_setup.transaction.receipt import Receipt
from tests.refusals import refused
from tests.unit.fakes import FakeEngine, ports_of
from tests.unit.operators import operator_of
from tests.unit.results import lines_of, list_of
from tests.unit.schemas import validate

_NOBODY = 65534
OPERATOR = operator_of(Path("/nowhere"))


DONE = Completed(0, "", "")


@dataclass
class Control(FakeEngine):
    """An engine whose one container answers `finished` to every command."""

    finished: Completed = DONE
    running: bool = True
    asked: list[Sequence[str]] = field(default_factory=list)

    def inspect(self, name: str) -> ContainerState:
        return ContainerState("running", "healthy", process_id=42 if self.running else None)

    def execute(self, name: str, arguments: Sequence[str], timeout: float) -> Completed:
        self.asked.append((name, *arguments))
        return self.finished


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Control]:
    def prepare(code: int, output: str = "", error: str = "") -> Control:
        control = Control(finished=Completed(code, output, error))

        ports = ports_of(tmp_path, engine=control)
        monkeypatch.setattr(sessions, "open_gateway", lambda _operator: nullcontext(ports))
        return control

    return prepare


def test_a_user_is_disconnected_with_the_command_of_occtl(answers: Callable[..., Control]) -> None:
    control = answers(0, "user 'alice' was disconnected\n")
    result = sessions.disconnect(OPERATOR, "user", "alice")
    assert control.asked == [(paths.SERVER, "occtl", "--no-pager", "disconnect", "user", "alice")]
    assert (result.status, result.data) == ("changed", {"ended": {"user": "alice"}})


def test_an_unknown_user_name_is_no_failure(answers: Callable[..., Control]) -> None:
    answers(1, "could not disconnect ID '7'\n")
    result = sessions.disconnect(OPERATOR, "id", "7")
    assert (result.status, result.data) == ("unchanged", {"ended": None})


def test_an_address_is_given_in_its_shortest_form(answers: Callable[..., Control]) -> None:
    control = answers(0, "IP '2001:db8::1' was unbanned\n")
    assert sessions.unban(OPERATOR, "2001:0db8:0:0::1").status == "changed"
    assert control.asked[0][-3:] == ("unban", "ip", "2001:db8::1")


def test_a_gateway_that_does_not_answer_is_a_failure(answers: Callable[..., Control]) -> None:
    answers(1, "", "could not send message; possibly insufficient permissions or server is offline.\n")
    with refused(EngineError, "occtl-failed") as caught:
        sessions.unban(OPERATOR, "192.0.2.1")
    assert "server is offline" in caught.value.message


def test_a_gateway_that_does_not_run_is_not_asked(answers: Callable[..., Control]) -> None:
    control = answers(0)
    control.running = False
    with pytest.raises(EngineError) as caught:
        sessions.disconnect(OPERATOR, "user", "alice")
    assert (caught.value.code, control.asked) == ("server-not-running", [])


@pytest.mark.parametrize("name", ["alice bob", "alice\nreload", ""])
def test_what_occtl_would_take_apart_is_refused(answers: Callable[..., Control], name: str) -> None:
    control = answers(0)
    with pytest.raises(UsageError):
        sessions.disconnect(OPERATOR, "user", name)
    assert control.asked == []


def state(server: tuple[str, str], agent: tuple[str, str]) -> status.StatusReport:
    containers = [
        status.ContainerReport(state=each[0], health=each[1], image_digest=None, reason=None)
        for each in (server, agent)
    ]
    return status.StatusReport(
        version="1",
        site=None,
        certificate_days_left=None,
        certificate=CertificateSummary(days_left=None, not_after=None, revocation=None, pending=()),
        server=containers[0],
        agent=containers[1],
    )


GOOD = ("running", "healthy")


@pytest.mark.parametrize(
    ("server", "agent", "fixed_by"),
    [
        (GOOD, GOOD, []),
        (("exited", "unhealthy"), GOOD, ["mst-cli server start"]),
        (GOOD, ("running", "unhealthy"), ["mst-cli agent restart"]),
        (("absent", "unhealthy"), ("exited", "unhealthy"), ["mst-cli server start", "mst-cli agent start"]),
    ],
)
def test_status_names_the_command_that_fixes_it(
    server: tuple[str, str], agent: tuple[str, str], fixed_by: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "complete", lambda _receipt: True)
    notices = list(status.troubles(Receipt(), state(server, agent)))
    assert len(notices) == len(fixed_by)
    assert all(command in notice.hint for notice, command in zip(notices, fixed_by, strict=True))


def test_an_unfinished_installation_is_reported() -> None:
    assert [notice.code for notice in status.troubles(Receipt(), state(GOOD, GOOD))] == [
        "installation-unfinished"
    ]


MANIFEST = {"schema": backup.SCHEMA, "server_name": "gw1"}
FILES = {paths.SITE_KEY: b"key", f"{paths.CA_TRUST}/one.crt": b"root"}


def test_a_backup_is_read_back() -> None:
    packed = pack({backup.MANIFEST: json.dumps(MANIFEST).encode(), **FILES})
    assert unpack(packed) == (MANIFEST, FILES)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        assert {member.mode for member in archive} == {0o600}
    assert pack({"a": b"1"}) == pack({"a": b"1"})


@pytest.mark.parametrize("name", ["etc/passwd", "../etc/passwd", "etc/mstunnel/ca-trust/../../passwd"])
def test_a_backup_places_nothing_but_what_belongs_to_a_gateway(name: str) -> None:
    packed = pack({backup.MANIFEST: json.dumps(MANIFEST).encode(), name: b"root::0:0"})
    assert unpack(packed) == (MANIFEST, {})


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"no archive",
        pack({"other": b""}),
        pack({backup.MANIFEST: b"not JSON"}),
        pack({backup.MANIFEST: b'{"schema": "mstunnel-backup/2"}'}),
    ],
)
def test_what_is_no_backup_is_refused(packed: bytes) -> None:
    with refused(UsageError, "backup-invalid"):
        unpack(packed)


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


def test_an_unknown_user_is_an_empty_list(
    answers: Callable[..., Control], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = ports_of(tmp_path, engine=answers(NOT_FOUND))
    monkeypatch.setattr(sessions, "open_gateway", lambda _operator: nullcontext(ports))
    operator = operator_of(Path("/nowhere"), json=True)
    result = sessions.show(operator, ["user", "nobody"])
    assert (result.status, result.data) == ("ok", {"rows": []})


def test_a_version_that_is_not_there_is_none_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(version, "open_host", lambda _operator: nullcontext(ports_of(tmp_path)))
    shown = version.version(OPERATOR)
    assert shown.data["images"] == {"server": None, "agent": None}
    assert lines_of(shown)[2:] == ["Release  none", "server   none", "agent    none"]


@pytest.mark.parametrize(
    ("listed", "label"),
    [
        ('label = "20261101.1"\npublished = 2026-11-01\n', "20261101.1"),
        ("published = 2025-07-01\n", "2025-07-01"),
        (None, None),
        ("no list", None),
    ],
)
def test_a_version_names_the_release_of_the_images(
    listed: str | None, label: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = ports_of(tmp_path)
    for directory in (paths.CONFIGURATION, str(Path(CATALOGUE).parent)):
        ports.files.make_directories(directory)
    server, agent = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
    configured = {"serverImageDigest": server, "agentImageDigest": agent}
    ports.files.write(paths.IMAGES_CONFIGURED, json.dumps(configured).encode())
    if listed is not None:
        ports.files.write(
            CATALOGUE, f'[[release]]\n{listed}server = "{server}"\nagent = "{agent}"\n'.encode()
        )
    monkeypatch.setattr(version, "open_host", lambda _operator: nullcontext(ports))
    shown = version.version(OPERATOR)
    assert shown.data["release"] == label
    assert lines_of(shown)[2] == f"Release  {label or 'not known'}"


def test_the_images_that_the_program_brings_are_named_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = ReleaseImages(f"sha256:{'a' * 64}", f"sha256:{'b' * 64}", "images.tar", "")
    monkeypatch.setattr(version, "release_images", lambda: own)
    assert version.release_names(ReleaseCatalogue(()), Digests(own.gateway, own.agent)) == [__version__]
    assert version.release_names(ReleaseCatalogue(()), Digests(own.agent, own.gateway)) == []


def test_a_version_names_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version, "open_host", lambda _operator: nullcontext(ports_of(Path("/"))))
    shown = version.version(OPERATOR)
    assert shown.data["engine_name"] == "podman"
    assert lines_of(shown)[1] == f"Engine   Podman {shown.data['engine']}"


def test_the_engine_of_this_machine_is_not_that_of_another_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(version, "open_host", lambda _operator: nullcontext(ports_of(tmp_path)))
    assert lines_of(version.version(OPERATOR))[1] == "Engine   none"


@pytest.mark.parametrize("output", ["text", "json"])
def test_a_version_without_root_is_that_of_the_program(output: str) -> None:
    """A user who has no gateway, which is who reports a problem with one."""
    start = "import sys; from mstunnel_setup.cli.mst_cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", start, "version", "--output", output],
        env={"PATH": os.defpath, "HOME": "/nonexistent"},
        user=None if os.getuid() else _NOBODY,
        group=None if os.getuid() else _NOBODY,
        extra_groups=None if os.getuid() else [],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    if output == "text":
        assert done.stdout == f"mst-cli  {__version__}\n"
        assert "Run `sudo mst-cli version`." in done.stderr
    else:
        answer = json.loads(done.stdout)
        validate(answer)
        assert (answer["data"]["version"], answer["data"]["engine"]) == (__version__, None)
        assert [warning["code"] for warning in answer["warnings"]] == ["version-of-program-only"]


def test_what_the_program_brings_is_listed_on_demand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python package brings nothing, and says so with an empty list."""
    monkeypatch.setattr(version, "open_host", lambda _operator: nullcontext(ports_of(tmp_path)))
    monkeypatch.setattr(bundle, "directory", lambda: tmp_path)
    assert version.version(OPERATOR, verbose=True).data["packages"] == []
    (tmp_path / "packages").write_text("libc6 2.41-12 amd64\ntyper 0.29.2 wheel\n")
    shown = version.version(OPERATOR, verbose=True)
    assert lines_of(shown)[-2:] == ["libc6    2.41-12 (amd64)", "typer    0.29.2 (wheel)"]
    assert "packages" not in version.version(OPERATOR).data


@dataclass
class Logged(FakeEngine):
    """A gateway whose engine's log command prints three lines."""

    log: tuple[str, ...] = ("printf", r"one\ntwo \033[31m\nthree")

    def inspect(self, name: str) -> ContainerState:
        return ContainerState("running", "healthy", process_id=42)

    def logs_command(self, name: str, options: LogOptions) -> tuple[str, ...]:
        return self.log

    def execute_command(self, name: str, arguments: Sequence[str]) -> tuple[str, ...]:
        return ("printf", r"connected alice\n")


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Operator:
    """An operator that wants JSON, with a gateway that logs."""
    ports = ports_of(tmp_path, engine=Logged())
    for module in (component, sessions):
        monkeypatch.setattr(module, "open_gateway", lambda _operator: nullcontext(ports))
    monkeypatch.setattr(Processes, "hold_input", lambda _self: None)  # the tests' own input stays
    return operator_of(tmp_path, json=True)


def test_a_log_as_json_is_in_the_envelope(logged: Operator, capsys: pytest.CaptureFixture[str]) -> None:
    result = component.logs(logged, paths.SERVER, LogOptions())
    assert list_of(result, "lines")[::2] == ["one", "three"]
    assert capsys.readouterr().out == ""


def test_what_is_followed_comes_line_by_line(logged: Operator, capsys: pytest.CaptureFixture[str]) -> None:
    result = component.logs(logged, paths.SERVER, LogOptions(follow=True))
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["line"] for row in printed][::2] == ["one", "three"]
    assert (result.status, result.data) == ("ok", {})
    sessions.show(logged, ["events"])
    assert json.loads(capsys.readouterr().out) == {"line": "connected alice"}


def test_a_name_in_events_does_not_reach_the_terminal_as_it_is(
    logged: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A RADIUS server chooses the names; the control program prints them as they are."""
    named = ("printf", r"connected \033]0;owned\007\033[2Jalice\n")
    monkeypatch.setattr(Logged, "execute_command", lambda *_arguments: named)
    sessions.show(operator_of(tmp_path), ["events"])
    assert capsys.readouterr().out == "connected ]0;owned[2Jalice\n"


def test_a_log_is_on_standard_output_whichever_stream_it_was_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    both = ("sh", "-c", r"echo to the one; printf 'to the \033[31mother\n' >&2")
    ports = ports_of(tmp_path, engine=Logged(log=both))
    monkeypatch.setattr(component, "open_gateway", lambda _operator: nullcontext(ports))
    component.logs(operator_of(tmp_path), paths.SERVER, LogOptions())
    assert capsys.readouterr() == ("to the one\nto the [31mother\n", "")
