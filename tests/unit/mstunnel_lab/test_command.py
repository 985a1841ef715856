"""mstunnel-lab as a command: exit codes, files, and its state after a stop and a kill."""

import io
import json
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from mstunnel_lab.cli import app
from mstunnel_lab.pki import Authority
from mstunnel_lab.remote import write_token
from mstunnel_lab.serve import ServeSettings, serve
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.cli.framework.render import run_app
from tests.unit.mstunnel_lab.conftest import CONFIGURATIONS, SEED, SITES, agent_form, trusting_session
from tests.unit.schemas import validate

FAULT = {"method": None, "retry_after": None, "delay": 0.0, "body": "json", "aadsts": None, "times": 1}
USER = {"upn": "device@lab.example", "refused_with": 0, "mfa_code": "", "licensed": True}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Return the result of a command that runs in this process; `serve` has to refuse."""
    with redirect_stdout(io.StringIO()) as shown, redirect_stderr(io.StringIO()) as errors:
        code = run_app(app, "mstunnel-lab", arguments)
    return subprocess.CompletedProcess(arguments, code, shown.getvalue(), errors.getvalue())


def where(process: Any) -> tuple[str, ...]:
    return "--dir", str(process.directory), "--output", "json"


def envelope_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return the envelope that a command printed, after validation by its schema."""
    assert (done.returncode, done.stderr) == (0, "")
    envelope: dict[str, Any] = json.loads(done.stdout)
    validate(envelope)
    return envelope


def test_lab_json_is_complete_and_private(process: Any) -> None:
    directory, description = process.directory, process.description
    assert (directory / "lab.json").stat().st_mode & 0o777 == 0o600
    names = {"authority", "graph", "tenant_id", "ca_file", "client_id", "admin_center", "users"}
    assert names | {"internal_url"} <= description.keys()
    assert description["authority"] == f"{description['graph']}/{description['tenant_id']}"
    facts = {"upn", "password", "roles", "custom_roles", "licensed", "mfa_code", "refused_with"}
    assert set(description["users"][0]) == facts
    modes = {path.name: path.stat().st_mode for path in directory.iterdir()}
    public = {name for name, mode in modes.items() if mode & 0o77}
    assert public <= {"ca.pem", "server.pem", "lab.lock"}
    assert {"ca.key", "server.key", "lab.sqlite"} <= modes.keys()
    # Another test may have retired the first key.
    assert any(name.startswith("token-signing") for name in modes)


def test_token_is_written_to_a_private_file(process: Any, tmp_path: Path) -> None:
    out = tmp_path / "token"
    arguments = ("token", "--dir", str(process.directory), "--user", "device@lab.example", "--out", str(out))
    done = run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{out} has a token of device@lab.example.\n"
    assert out.stat().st_mode & 0o777 == 0o600
    assert out.read_text().count(".") == 2


ANSWERS = {
    "fault --path /nowhere --status 404 --times 9 --retry-after 1": {
        "faults": [{**FAULT, "path": "/nowhere", "status": 404, "times": 9, "retry_after": 1}]
    },
    "fault --clear": {"faults": []},
    "user device@lab.example": USER,
    "user device@lab.example --refused-with 53003": {**USER, "refused_with": 53003},
    "user device@lab.example --refused-with 0": USER,
    "token --user device@lab.example --out {out}": {"user": "device@lab.example", "file": "{out}"},
}


def test_commands_print_their_result_in_an_envelope(start_lab: Callable[..., Any], tmp_path: Path) -> None:
    """Check in a separate lab: a retired key invalidates the tokens of other tests."""
    process = start_lab("--seed", SEED)
    out = str(tmp_path / "token")
    for line, wanted in ANSWERS.items():
        words = [word.format(out=out) for word in line.split()]
        envelope = envelope_of(run(*words, *where(process)))
        assert envelope["data"] == json.loads(json.dumps(wanted).replace("{out}", out))
        assert envelope["status"] == ("unchanged" if line == "user device@lab.example" else "changed")
    before = envelope_of(run("rotate-keys", *where(process)))["data"]["keys"]
    after = envelope_of(run("rotate-keys", "--retire", *where(process)))["data"]["keys"]
    assert (len(after), set(before).isdisjoint(after)) == (1, True)


def test_the_health_of_a_server_is_shown(process: Any, lab: Any, tmp_path: Path) -> None:
    servers = f"{SITES}/{lab.site_id('Osaka')}/microsoftTunnelServers"
    made = lab.create(servers, {"displayName": "gw 7"}, "app:agent")
    printed = tmp_path / "health.json"
    row = {"id": "memory-usage", "title": "Memory usage", "state": "warning", "text": "80 %", "value": 80.2}
    printed.write_text(json.dumps({"data": {"rows": [row]}}))
    where = ("--dir", str(process.directory))
    try:
        done = run("report", "gw 7", str(printed), *where)
        assert (done.returncode, done.stdout) == (0, "The lab shows gw 7 as warning.\n")
        metrics = {"metricNames": ["memoryUsage"]}
        shown = lab.graph("admin", "POST", f"{servers}/{made['id']}/getHealthMetrics", metrics).json()
        assert shown["value"] == [{"name": "memoryUsage", "value": 80}]
        assert run("report", "gw8", str(printed), *where).returncode == 6
        for wrong in ("{}", "no JSON"):
            printed.write_text(wrong)
            refused = run("report", "gw 7", str(printed), *where)
            assert (refused.returncode, "error[lab-report-invalid]" in refused.stderr) == (2, True)
    finally:
        lab.graph("admin", "DELETE", f"{servers}/{made['id']}")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("approve", "ABC", "--user", "nobody@lab.example"), 2, "no user nobody@lab.example"),
        (("approve", "ABC", "--user", "admin@lab.example"), 5, "That code didn't work"),
        (("token", "--user", "device@lab.example", "--out", "/no/such/directory/token"), 2, "No such file"),
        (("user", "admin@lab.example", "--refused-with", "7"), 6, "7 is not one of"),
    ],
)
def test_command_reports_a_refusal_of_the_lab(
    process: Any, arguments: tuple[str, ...], code: int, says: str
) -> None:
    done = run(*arguments, "--dir", str(process.directory))
    assert done.returncode == code
    assert done.stderr.startswith("error[")
    assert says in " ".join(done.stderr.split())


def test_fault_of_entra_has_its_error_code(process: Any, lab: Any) -> None:
    where = ("--dir", str(process.directory), "--path", "*/oauth2/v2.0/token")
    assert run("fault", *where, "--aadsts", "53003").returncode == 0
    answer = lab.oauth("token", {})
    assert (answer.status_code, answer.json()["error_codes"]) == (400, [53003])
    unknown = run("fault", *where, "--aadsts", "12345")
    assert (unknown.returncode, "AADSTS12345" in unknown.stderr) == (6, True)
    assert "53003" in unknown.stderr


def test_missing_lab_is_reported(tmp_path: Path) -> None:
    done = run("approve", "ABC", "--user", "a@b", "--dir", str(tmp_path))
    assert done.returncode == 8
    assert "mstunnel-lab serve --dir" in done.stderr


def test_serve_refuses_invalid_arguments(process: Any, tmp_path: Path) -> None:
    taken = process.description["graph"].rpartition(":")[2]
    (tmp_path / "bad.yaml").write_text("version: 1\ncolour: red\n")
    for arguments, code, says in [
        ("--port 70000", 2, "70000 is not a port"),
        ("--host=", 2, "--host: '' is neither a host name nor an IP address"),
        ("--host [::1]", 2, "'[::1]' is neither"),
        ("--name lab.test --name=", 2, "--name: '' is neither"),
        ("--name bücher..test", 2, "neither a host name"),
        (f"--port {taken}", 8, "Address already in use"),
        (f"--port 0 --seed {tmp_path}/none.yaml", 2, "none.yaml"),
        (f"--port 0 --seed {tmp_path}/bad.yaml", 2, "bad.yaml:2:1: colour"),
        (f"--dir {process.directory} --port 0", 9, "another lab is running"),
        ("--dir /proc/nothing --port 0", 2, "the lab cannot use /proc/nothing: "),
    ]:
        done = run("serve", "--dir", str(tmp_path / "lab"), *arguments.split())
        assert done.returncode == code, done.stderr
        assert says in " ".join(done.stderr.split())
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "lab" / "lab.json").exists()


@pytest.mark.parametrize("name", ["lab.lock", "lab.json", "lab.sqlite", "ca.pem", "token-signing.key"])
def test_serve_reports_an_unusable_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / "ca.key").touch()
    refuses_a_file(tmp_path, name)


@pytest.mark.parametrize("name", ["lab.sqlite", "ca.pem", "token-signing.key", "server.pem"])
def test_serve_reports_a_damaged_file(tmp_path: Path, name: str) -> None:
    Authority(tmp_path)
    for damaged in (name, "server.key"):
        (tmp_path / damaged).write_text("x" * 200)
    refuses_a_file(tmp_path, name)


def refuses_a_file(directory: Path, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        serve(ServeSettings(directory, port=0), lambda _lab: None)
    assert caught.value.code == "lab-directory"
    assert caught.value.message.startswith(f"the lab cannot use {directory / name}: ")


@pytest.mark.parametrize("out", ["", "/", "."])
def test_directory_is_refused_as_a_token_file(process: Any, out: str) -> None:
    with pytest.raises(UsageError) as caught:
        write_token(process.directory, "device@lab.example", Path(out))
    assert (caught.value.code, caught.value.message) == (
        "lab-token-file",
        f"cannot write {Path(out)}: it is a directory",
    )


@pytest.mark.parametrize(
    ("number", "code", "status"), [(signal.SIGTERM, 0, "ok"), (signal.SIGINT, 130, "error")]
)
def test_signal_stops_the_lab_cleanly(
    start_lab: Callable[..., Any], number: int, code: int, status: str
) -> None:
    running = start_lab("--seed", SEED, "--output", "json")
    assert running.stop(number) == code
    envelope = json.loads(running.printed)
    validate(envelope)
    assert (envelope["status"], running.errors) == (status, "")
    assert not (running.directory / "lab.json").exists()


def test_serve_prints_the_command_that_installs_a_gateway(start_lab: Callable[..., Any]) -> None:
    running = start_lab("--name", "lab.test")
    description = running.description
    running.stop(signal.SIGTERM)
    printed = [line.strip() for line in running.printed.splitlines()]
    assert description["setup"] in printed
    assert description["setup"].startswith("sudo mstunnel-setup --lab https://lab.test:")
    root = x509.load_pem_x509_certificate((running.directory / "ca.pem").read_bytes())
    assert description["fingerprint"] == f"sha256:{root.fingerprint(SHA256()).hex()}"
    assert description["setup"].endswith(f"#{description['fingerprint']}")


def test_killed_lab_continues_with_all_its_data(start_lab: Callable[..., Any]) -> None:
    first = start_lab("--seed", SEED, "--name", "lab.test", "--name", "localhost")
    before = first.description
    assert before["authority"].startswith("https://lab.test:")
    port = before["graph"].rpartition(":")[2]
    local = f"https://localhost:{port}"
    path = f"{local}/beta{CONFIGURATIONS}"
    with trusting_session(before["ca_file"]) as session:
        answer = session.post(f"{local}/common/oauth2/v2.0/token", data=agent_form(), timeout=20)
        headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        body = {"displayName": "kept", "network": "169.254.0.0/16"}
        created = session.post(path, json=body, headers=headers, timeout=20).json()
    assert first.stop(signal.SIGKILL) == -signal.SIGKILL
    again = start_lab("--port", port, "--name", "lab.test")
    after = again.description
    new = {"pid": 0, "control": {}}
    assert after | new == before | new
    with trusting_session(after["ca_file"]) as session:
        answer = session.get(f"{path}/{created['id']}", headers=headers, timeout=20)
    assert (answer.status_code, answer.json()["displayName"]) == (200, "kept")
    assert again.stop(signal.SIGTERM) == 0
    other = run("serve", "--dir", str(again.directory), "--port", "0", "--seed", __file__)
    assert (other.returncode, "different seed file" in " ".join(other.stderr.split())) == (2, True)


def test_certificate_is_renewed_for_other_names(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    chain, _ = authority.server_certificate(tmp_path, ["127.0.0.1", "localhost"])
    first = chain.read_bytes()
    authority.server_certificate(tmp_path, ["localhost"])
    assert chain.read_bytes() == first
    authority.server_certificate(tmp_path, ["lab.test", "192.0.2.1"])
    assert chain.read_bytes() != first


def test_new_authority_issues_a_new_server_certificate(tmp_path: Path) -> None:
    Authority(tmp_path).server_certificate(tmp_path, ["localhost"])
    (tmp_path / "ca.key").unlink()
    chain, _ = Authority(tmp_path).server_certificate(tmp_path, ["localhost"])
    leaf, root = x509.load_pem_x509_certificates(chain.read_bytes())
    leaf.verify_directly_issued_by(root)
    assert root == x509.load_pem_x509_certificate((tmp_path / "ca.pem").read_bytes())


def test_tls_version_is_at_least_1_2(process: Any) -> None:
    port = int(process.description["graph"].rpartition(":")[2])
    context = ssl.create_default_context(cafile=process.description["ca_file"])
    raw = socket.create_connection(("127.0.0.1", port), timeout=10)
    with raw, context.wrap_socket(raw, server_hostname="127.0.0.1") as connection:
        assert connection.version() in {"TLSv1.2", "TLSv1.3"}
    assert json.loads((process.directory / "lab.json").read_text())["pid"] == process.popen.pid


def test_idle_client_does_not_delay_the_stop(start_lab: Callable[..., Any]) -> None:
    """Check that the lab does not wait three seconds for it; a busy machine may be slow once."""

    def stop_seconds(*, idle_client: bool) -> float:
        running = start_lab("--seed", SEED)
        with trusting_session(running.description["ca_file"]) as session:
            assert not idle_client or session.get(running.description["admin_center"], timeout=20).ok
            before = time.monotonic()
            assert running.stop(signal.SIGTERM) == 0
        assert running.errors == ""
        return time.monotonic() - before

    usual = stop_seconds(idle_client=False)
    assert any(stop_seconds(idle_client=True) < usual + 2.5 for _ in range(3))
