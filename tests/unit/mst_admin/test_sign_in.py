"""Sign-in to `mst-admin` with variables, as a user and unattended."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mst_admin import kept_sign_in
from mst_admin.cli import app
from mstunnel_lab import remote
from mstunnel_setup.actions.store_answer import StoreAnswer
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import ExitCode
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.cli.framework.render import run_app
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.transaction.journal import Journal
from tests.unit.mst_admin.labs import Tenant

ADMINISTRATOR = "admin@lab.example"
VIEWING_TOOL = "66666666-6666-4666-8666-666666666666"
COMMAND = [sys.executable, "-c", "import sys; from mst_admin.cli import main; sys.exit(main())"]


@pytest.fixture(autouse=True)
def runtime_directory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Create a runtime directory in memory, as a login session has, for stored tokens."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        monkeypatch.setenv("XDG_RUNTIME_DIR", directory)
        yield Path(directory)


def _environment(tenant: Tenant) -> dict[str, str]:
    return {
        **os.environ,
        "MSTUNNEL_TENANT_CLOUD": "custom",
        "MSTUNNEL_TENANT_AUTHORITY": tenant.facts["authority"],
        "MSTUNNEL_TENANT_GRAPH": tenant.facts["graph"],
        "MSTUNNEL_CA_FILE": tenant.facts["ca_file"],
    }


def _again(tenant: Tenant, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command without signing in; a stored token must suffice."""
    environment = {**_environment(tenant), "MSTUNNEL_SIGN_IN_CLIENT_ID": tenant.facts["client_id"]}
    return subprocess.run(
        [*COMMAND, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=20
    )


def _sign_in(tenant: Tenant, user: str, *arguments: str, **variables: str) -> tuple[int, str, str]:
    """Run a command and approve its device code; return exit code, standard output and error."""
    environment = {**_environment(tenant), "MSTUNNEL_SIGN_IN_CLIENT_ID": tenant.facts["client_id"]}
    environment |= variables
    with subprocess.Popen(
        [*COMMAND, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        code = ""
        while not code:
            line = process.stderr.readline()
            assert line
            found = re.fullmatch(r"\s+([A-Z0-9-]{8,})\s*", line)
            code = found[1] if found else ""
        remote.approve(tenant.directory, code, user)
        out, errors = process.communicate()
    return process.returncode, out, errors


def test_a_person_signs_in_with_a_device_code(tenant: Tenant) -> None:
    code, out, _ = _sign_in(tenant, ADMINISTRATOR, "site", "list")
    assert code == 0
    assert "gw.lab.example" in out


def test_cloud_app_needs_the_documented_role(tenant: Tenant) -> None:
    user = "apps@lab.example"
    assert _sign_in(tenant, user, "conditional-access", "provision")[0] == 0
    refused = _again(tenant, "site", "list")
    assert refused.returncode == ExitCode.SIGN_IN
    assert f"error[role-missing]: Graph denied access to {user}: GET" in refused.stderr


def test_ten_commands_need_one_sign_in(tenant: Tenant, runtime_directory: Path) -> None:
    code, _, errors = _sign_in(tenant, ADMINISTRATOR, "site", "list")
    assert code == 0
    commands = [("site", "list"), ("config", "list"), ("threshold", "list"), ("servers",)] * 2
    for arguments in [*commands, ("site", "update", "Berlin", "--description", "One sign-in")]:
        done = _again(tenant, *arguments)
        assert done.returncode == 0, done.stderr
        assert "enter this code" not in done.stderr
        assert f"Signed in as {ADMINISTRATOR} by an earlier command" in done.stderr
    (kept,) = (runtime_directory / "mst-admin").iterdir()
    assert (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert kept.read_text() not in errors
    assert "refresh" not in kept.read_text()

    assert "Signed out." in _again(tenant, "sign-out").stdout
    assert not list((runtime_directory / "mst-admin").iterdir())
    assert "Nobody was signed in." in _again(tenant, "sign-out").stdout


def test_a_refused_token_is_not_kept(tenant: Tenant, runtime_directory: Path) -> None:
    """A role activated later is only in a new token, so the old one is removed."""
    code, _, _ = _sign_in(tenant, "apps@lab.example", "site", "list")
    assert code == ExitCode.SIGN_IN
    assert not list((runtime_directory / "mst-admin").iterdir())


def test_token_is_stored_only_in_memory_of_the_user(tmp_path: Path) -> None:
    mounts = tmp_path / "proc/self/mountinfo"
    mounts.parent.mkdir(parents=True)
    mounts.write_text("1 0 0:1 / / rw - ext4 x rw\n2 1 0:2 / /run rw - tmpfs x rw\n")
    files = Files(tmp_path)
    for place, mode, expected in (
        ("/run/user/0", 0o700, "/run/user/0/mst-admin"),
        ("/var/run0", 0o700, None),
        ("/run/shared", 0o777, None),
    ):
        directory = tmp_path / place.lstrip("/")
        directory.mkdir(parents=True)
        directory.chmod(mode)
        (tmp_path / "run").chmod(0o777 if expected is None else 0o755)
        os.environ["XDG_RUNTIME_DIR"] = place
        assert kept_sign_in.directory(files) == expected


def test_reading_needs_reading_rights_only(tenant: Tenant) -> None:
    assert _sign_in(tenant, "viewer@lab.example", "site", "list")[0] == 0
    assert _again(tenant, "servers").returncode == 0
    refused = _again(tenant, "site", "update", "Berlin", "--description", "no")
    assert refused.returncode == ExitCode.SIGN_IN
    assert "Update of the permission group Microsoft Tunnel Gateway" in " ".join(refused.stderr.split())


def test_an_application_may_be_granted_reading_only(tenant: Tenant) -> None:
    environment = {"MSTUNNEL_SIGN_IN_CLIENT_ID": VIEWING_TOOL}
    assert _sign_in(tenant, ADMINISTRATOR, "site", "list", **environment)[0] == 0
    code, _, errors = _sign_in(
        tenant, ADMINISTRATOR, "site", "update", "Berlin", "--description", "no", **environment
    )
    assert code == ExitCode.SIGN_IN
    assert "error[permission-missing]" in errors
    assert "DeviceManagementConfiguration.ReadWrite.All" in errors


def test_unattended_all_missing_answers_are_named_at_once(tenant: Tenant) -> None:
    environment = {**_environment(tenant), "MSTUNNEL_SIGN_IN_METHOD": "device-code"}
    done = subprocess.run(
        [*COMMAND, "site", "list", "--unattended"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == ExitCode.USAGE
    assert "MSTUNNEL_SIGN_IN_CLIENT_ID" in done.stderr


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_the_roots_of_the_gateway_are_trusted_here_too(
    tenant: Tenant, tmp_path: Path, capsys: pytest.CaptureFixture[str], encoding: Encoding
) -> None:
    given = json.loads(tenant.answers().read_text())
    root = x509.load_pem_x509_certificate(Path(given["tenant"].pop("ca_file")).read_bytes())
    answers, files = tmp_path / "answers.yaml", Files(tmp_path)
    answers.write_text(json.dumps(given))
    command = ["config", "list", "--answers", str(answers), "--root", str(tmp_path), "--unattended"]
    assert run_app(app, "mst-admin", command) == ExitCode.NETWORK
    files.make_directories(paths.CA_TRUST)
    files.write(f"{paths.CA_TRUST}/lab.crt", root.public_bytes(encoding))
    assert run_app(app, "mst-admin", command) == ExitCode.DONE
    assert "Main" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("site", "update", "Berlin", "--window", "25:00-04:00"), "window-time-invalid"),
        (("site", "update", "Berlin", "--window", "22:00"), "window-unclear"),
        (("site", "update", "Berlin", "--time-zone", "Mars/Base"), "time-zone-unknown"),
        (("site", "update", "Berlin", "--public-address", "bad name"), "public-address-invalid"),
        (("config", "update", "Main", "--network", "10.0.0.0/33"), "network-invalid"),
        (("config", "update", "Main", "--port", "70000"), "port-invalid"),
        (("threshold", "create", "cpuUsage", "--healthy", "50", "--unhealthy", "50"), "thresholds-equal"),
        (("threshold", "update", "cpuUsage", "--healthy", "500"), "threshold-out-of-range"),
    ],
)
def test_a_mistake_costs_no_sign_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...], code: str
) -> None:
    """The tenant does not exist, so the error must come before any request to it."""
    answers = tmp_path / "answers.yaml"
    tenant = {"cloud": "custom", "authority": "https://127.0.0.1:1/x", "graph": "https://127.0.0.1:1"}
    sign_in = {"method": "device-code", "client_id": VIEWING_TOOL}
    answers.write_text(json.dumps({"version": 1, "tenant": tenant, "sign_in": sign_in}))
    common = ("--answers", str(answers), "--root", str(tmp_path), "--output", "json")
    assert run_app(app, "mst-admin", [*command, *common]) == ExitCode.USAGE
    assert [item["code"] for item in json.loads(capsys.readouterr().out)["errors"]] == [code]


def _installed(root: Path, answers: JsonObject) -> None:
    """Record the answers of an installation below `root`."""
    journal = Journal(Files(root), Clock(), paths.STATE)
    journal.begin_installation()
    action: JsonObject = {"kind": StoreAnswer.kind, "name": "answers", "value": answers}
    journal.append("begin", step="eula", key="answer:answers", action=action, before={})
    journal.append("done", key="answer:answers", outputs={"value": answers})
    journal.close()


@pytest.mark.parametrize(
    ("given", "cloud"),
    [({}, "gcc-high"), ({"MSTUNNEL_TENANT_CLOUD": "dod"}, "")],
    ids=["nothing", "another cloud"],
)
def test_cloud_of_the_installation_is_the_default(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, str],
    cloud: str,
) -> None:
    _installed(tmp_path, {"tenant.cloud": "gcc-high"})
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    command = ["site", "list", "--root", str(tmp_path), "--token-file", "/nowhere/token"]
    assert run_app(app, "mst-admin", command) == ExitCode.SIGN_IN
    shown = " ".join(capsys.readouterr().err.split())
    said = f"Tenant of the installation on this host: cloud {cloud} (https://graph.microsoft.us)."
    assert shown.startswith(said) is bool(cloud)


def test_a_damaged_journal_does_not_stop_the_tenants_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = tmp_path / paths.STATE.lstrip("/") / "journal.jsonl"
    journal.parent.mkdir(parents=True)
    journal.write_text("damaged\nmore\n")
    command = ["site", "list", "--root", str(tmp_path), "--token-file", "/nowhere/token"]
    assert run_app(app, "mst-admin", command) == ExitCode.SIGN_IN
    errors = capsys.readouterr().err
    assert errors.startswith("The tenant of the installation on this host is not known")
    assert "error[token-missing]" in errors
