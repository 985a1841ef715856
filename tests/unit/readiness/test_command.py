"""`mst-readiness` as called by users and scripts."""

import io
import json
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.base import documentation, paths
from mstunnel_setup.cli.framework.render import run_app
from mstunnel_setup.cli.readiness import app
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.readiness.checks import CHECKS, of
from mstunnel_setup.readiness.facts.cloud import CloudReader
from mstunnel_setup.readiness.model import Group
from mstunnel_setup.transaction.journal import Journal
from tests.unit.readiness.known import put
from tests.unit.readiness.servers import proxy, serving, silent

WITHOUT_ENGINE = ("--ignore-check=engine-present", "--ignore-check=engine-running")


def prepare(root: Path, forward: str = "1") -> None:
    """Make a host whose kernel has the right settings."""
    put(
        root,
        {
            "/proc/modules": "tun 1 0 - Live\nip_tables 1 0 - Live\n",
            "/proc/sys/net/ipv4/ip_forward": forward,
            "/etc/modules": "tun\nip_tables\n",
            "/etc/sysctl.d/a.conf": "net.ipv4.ip_forward = 1\n",
            "/dev/net/tun": "",
        },
    )


def installed(root: Path) -> None:
    """Make a host with a completed installation, whose settings have changed since."""
    (root / "var/lib").mkdir(parents=True)
    (root / "var/log").mkdir()
    with closing(Journal(Files(root), Clock(), paths.HOST_STATE)) as journal:
        journal.append("step", step="verify")


def reported(out: str) -> dict[str, dict[str, str]]:
    """Return the findings of an envelope, by the id of the check."""
    return {row["id"]: row for row in json.loads(out)["data"]["findings"]}


def test_json_has_every_check_of_the_group(run: Any) -> None:
    code, out, _ = run("utils", "--output", "json")

    envelope = json.loads(out)
    assert code == 3
    assert (envelope["schema"], envelope["command"], envelope["status"]) == (
        "mstunnel/1",
        "mst-readiness",
        "error",
    )
    rows = envelope["data"]["findings"]
    assert [row["id"] for row in rows] == [item.id for item in of(frozenset({Group.UTILS}))]
    assert set(rows[0]) == {"id", "group", "title", "severity", "result", "seen", "hint", "docs", "fixed_by"}
    assert rows[0]["docs"] == "docs/reference/readiness.md#module-tun"
    assert "module-tun" in {item["code"] for item in envelope["errors"]}
    assert sum(envelope["data"]["summary"].values()) == len(rows)


def test_findings_name_the_site_of_the_release(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documentation, "site", lambda: "https://docs.example.com")
    _, out, _ = run("utils", "--output", "json")
    (found, *_others) = json.loads(out)["data"]["findings"]
    assert found["docs"] == "https://docs.example.com/docs/reference/readiness.html#module-tun"


def test_table_fits_the_screen_and_ends_with_the_verdict(run: Any, tmp_path: Path) -> None:
    installed(tmp_path)
    prepare(tmp_path, forward="0")

    code, out, err = run("utils")

    assert code == 3
    assert max(map(len, out.splitlines())) <= 80
    assert "  pass  module-tun                   tun is loaded or built in" in out
    assert "  FAIL  ip-forward                   net.ipv4.ip_forward is 0" in out
    assert out.splitlines()[-1].startswith("Not ready: 16 checks, ")
    assert "error[ip-forward]: IP forwarding: net.ipv4.ip_forward is 0" in " ".join(err.split())
    assert "--fix" in " ".join(err.split())


def test_problem_that_the_installation_fixes_is_a_warning(run: Any, tmp_path: Path) -> None:
    prepare(tmp_path, forward="0")

    code, out, err = run("utils", *WITHOUT_ENGINE)
    row = reported(run("utils", *WITHOUT_ENGINE, "--output", "json")[1])["ip-forward"]

    assert code == 0
    said = "net.ipv4.ip_forward is 0; will be fixed by the installation (step kernel)"
    assert (row["result"], row["seen"], row["fixed_by"]) == ("warning", said, "kernel")
    assert out.splitlines()[-1].startswith("Ready: 16 checks, ")
    assert "warning[ip-forward]" in err


def test_failed_check_can_be_ignored_by_its_id(run: Any, tmp_path: Path) -> None:
    prepare(tmp_path, forward="0")
    _, out, _ = run("utils", "--output", "json")
    failed = [row["id"] for row in json.loads(out)["data"]["findings"] if row["result"] == "fail"]

    code, out, _ = run("utils", "--output", "json", *(f"--ignore-check={name}" for name in failed))

    envelope = json.loads(out)
    assert (code, envelope["status"], envelope["errors"]) == (0, "warning", [])
    assert "ip-forward" in {item["code"] for item in envelope["warnings"]}
    assert envelope["data"]["ignored"] == sorted(failed)


def test_unknown_check_leaves_the_verdict_open(run: Any, tmp_path: Path) -> None:
    command = ["utils", *WITHOUT_ENGINE]
    installed(tmp_path)
    prepare(tmp_path)
    (tmp_path / "proc/sys/net/ipv4/ip_forward").unlink()

    code, out, err = run(*command)
    envelope = json.loads(run(*command, "--output", "json")[1])

    assert code == 0
    assert "Could not check: ip-forward." in out
    assert out.splitlines()[-1].startswith("Undecided: 16 checks, ")
    assert "warning[ip-forward]: IP forwarding: net.ipv4.ip_forward cannot be read" in " ".join(err.split())
    assert (envelope["status"], envelope["data"]["verdict"]) == ("warning", "undecided")
    assert "ip-forward" in {item["code"] for item in envelope["warnings"]}


def test_ignored_check_does_not_leave_the_verdict_open(run: Any, tmp_path: Path) -> None:
    prepare(tmp_path)
    (tmp_path / "proc/sys/net/ipv4/ip_forward").unlink()

    _, out, _ = run("utils", "--ignore-check=ip-forward", *WITHOUT_ENGINE)

    assert out.splitlines()[-1].startswith("Ready: 16 checks, ")


def test_late_section_leaves_its_checks_unknown(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CloudReader, "network", lambda _self: time.sleep(3))

    code, out, _ = run("network", "--timeout", "1", "--output", "json")

    envelope = json.loads(out)
    assert (code, envelope["data"]["verdict"]) == (0, "undecided")
    warned = {item["code"]: item["message"] for item in envelope["warnings"]}
    assert {"dns", "endpoint-graph", "inspection"} <= set(warned)
    assert warned["dns"] == "Names resolve: no answer within 1 s"


WRONG_USAGE: dict[tuple[str, ...], str] = {
    ("utils", "--ignore-check", "ip-foward"): "there is no check called ip-foward; did you mean ip-forward?",
    ("everything",): "invalid value for 'SCOPE': 'everything' is not one of 'utils',",
    **{("utils", option, f"1{'0' * 300}"): "or less" for option in ("--timeout", "--devices")},
}


@pytest.mark.parametrize(("arguments", "words"), WRONG_USAGE.items())
def test_wrong_usage_is_reported(run: Any, arguments: tuple[str, ...], words: str) -> None:
    code, _, err = run(*arguments)
    assert (code, words in " ".join(err.split())) == (2, True)


def test_missing_root_directory_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(app, "mst-readiness", ["host", "--root", "/nonexistent"]) == 2
    assert "'/nonexistent'" in capsys.readouterr().err


def test_fixes_are_shown_and_applied_when_unattended(run: Any, tmp_path: Path) -> None:
    prepare(tmp_path, forward="0")
    (tmp_path / "etc/modules").unlink()
    (tmp_path / "etc/sysctl.d/a.conf").unlink()

    _, out, err = run("utils", "--fix", "--unattended", "--output", "json")

    data = json.loads(out)["data"]
    assert [item["done"] for item in data["fixes"]] == [True, True, True]
    assert "write /etc/modules-load.d/mstunnel_tun.conf, which loads tun at boot" in " ".join(err.split())
    assert (tmp_path / "etc/modules-load.d/mstunnel_tun.conf").read_text() == "tun\n"
    results = {row["id"]: row["result"] for row in data["findings"]}
    assert results["module-tun-boot"] == results["ip-forward-boot"] == "pass"


@pytest.mark.parametrize(("typed", "done"), [("no\n", False), ("\n", False), ("yes\n", True)])
def test_fixes_need_confirmation(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str, done: bool
) -> None:
    prepare(tmp_path)
    (tmp_path / "etc/modules").unlink()
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))

    _, out, err = run("utils", "--fix", "--output", "json")

    assert "Apply these fixes [y/N]" in " ".join(err.split())
    assert {item["done"] for item in json.loads(out)["data"]["fixes"]} == {done}
    assert (tmp_path / "etc/modules-load.d/mstunnel_tun.conf").exists() is done


@pytest.mark.parametrize("closed", [False, True])
def test_fixes_are_not_applied_without_an_answer(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed: bool
) -> None:
    prepare(tmp_path)
    (tmp_path / "etc/modules").unlink()
    monkeypatch.setattr("sys.stdin", None if closed else io.StringIO(""))

    code, out, err = run("utils", "--fix", "--output", "json", *WITHOUT_ENGINE)

    data = json.loads(out)["data"]
    assert code == 0
    assert "module-tun-boot" in {row["id"] for row in data["findings"] if row["result"] == "warning"}
    assert {item["done"] for item in data["fixes"]} == {False}
    assert "Use --unattended to apply fixes without asking." in " ".join(err.split())
    assert not (tmp_path / "etc/modules-load.d").exists()


def test_only_files_are_fixed_below_another_root(run: Any, tmp_path: Path) -> None:
    prepare(tmp_path, forward="0")
    (tmp_path / "proc/modules").unlink()
    (tmp_path / "etc/modules").unlink()
    (tmp_path / "etc/modules-load.d").write_text("in the way")
    (tmp_path / "etc/sysctl.d/a.conf").unlink()

    _, out, _ = run("utils", "--fix", "--unattended", "--output", "json")

    envelope = json.loads(out)
    done = {item["says"].split(",")[0].split(" (")[0]: item["done"] for item in envelope["data"]["fixes"]}
    assert done == {
        "write /etc/modules-load.d/mstunnel_tun.conf": False,
        "write /etc/modules-load.d/mstunnel_iptables.conf": False,
        "write /etc/sysctl.d/90-mstunnel.conf": True,
    }
    failed = [item["message"] for item in envelope["warnings"] if item["code"] == "fix-failed"]
    assert len(failed) == 2
    assert failed[0].startswith("could not write /etc/modules-load.d/mstunnel_tun.conf, which loads tun at")


def test_nothing_to_fix(run: Any, tmp_path: Path) -> None:
    prepare(tmp_path)

    _, out, err = run("utils", "--fix", "--output", "json")

    assert json.loads(out)["data"]["fixes"] == []
    assert "No fix is available" in " ".join(err.split())


def test_command_ends_within_the_deadline(run: Any, tmp_path: Path) -> None:
    with silent(2) as (sign_in, graph):
        answers, token = tmp_path / "answers.yaml", tmp_path / "token"
        token.write_text("opaque")
        answers.write_text(
            "version: 1\ntenant:\n  cloud: custom\n"
            f"  authority: https://127.0.0.1:{sign_in}\n  graph: https://127.0.0.1:{graph}\n"
            f"sign_in:\n  method: token-file\n  token_file: {token}\n"
        )
        began = time.monotonic()
        run("all", "--timeout", "1", "--output", "json", "--answers", str(answers))
        between = time.monotonic()
        code, out, _ = run("all", "--timeout", "4", "--output", "json", "--answers", str(answers))
        ended = time.monotonic()

    # Three more seconds of timeout add three seconds, however busy the machine is.
    assert (ended - between) - (between - began) < 6
    assert code == 3
    rows = reported(out)
    assert set(rows) == {item.id for item in CHECKS}
    assert rows["endpoint-graph"]["seen"] == f"127.0.0.1:{graph}: no answer in time"
    assert rows["account-sign-in"]["seen"] == f"127.0.0.1:{graph} did not answer in time"


def test_proxy_of_the_answer_file_is_used(run: Any, tmp_path: Path) -> None:
    asked: list[str] = []
    answers = tmp_path / "answers.yaml"
    with serving(proxy(asked, 9)) as port:
        answers.write_text(
            "version: 1\ntenant:\n  cloud: custom\n"
            "  authority: https://login.gw.example\n  graph: https://graph.gw.example\n"
            f"environment:\n  HTTPS_PROXY: http://127.0.0.1:{port}\n"
        )
        _, out, _ = run("network", "--timeout", "5", "--output", "json", "--answers", str(answers))

    rows = reported(out)
    assert rows["proxy-connects"]["result"] != "skipped"
    assert f"127.0.0.1:{port}" in rows["proxy-connects"]["seen"]
    assert rows["proxy-same"]["seen"] == "the same in the answer file"
    assert {"login.gw.example:443", "graph.gw.example:443"} <= set(asked)


def test_the_vendors_variable_chooses_the_government_cloud(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("intune_env", "FXP")

    _, out, _ = run("network", "--timeout", "1", "--output", "json")

    seen = reported(out)["allowed-names"]["seen"]
    assert "*.manage.microsoft.us" in seen
    assert "*.manage.microsoft.com" not in seen


def test_group_rootless_has_results(run: Any) -> None:
    _, out, _ = run("rootless", "--output", "json")

    assert {row["result"] for row in reported(out).values()} & {"fail", "pass"}


def test_interactive_sign_in_is_refused_unattended(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("CLOUD", "custom"), ("AUTHORITY", "https://a.test/x"), ("GRAPH", "https://g.test")):
        monkeypatch.setenv(f"MSTUNNEL_TENANT_{name}", value)
    code, _, err = run("account", "--unattended")

    assert code == 2
    assert "Client id, or" in " ".join(err.split())


def test_a_device_code_needs_no_client_id(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")

    code, out, _ = run("account", "--unattended", "--timeout", "2", "--output", "json")

    rows = reported(out)
    assert code == 3
    seen = rows["account-sign-in"]["seen"]
    assert seen.startswith("the proxy http://127.0.0.1:1 cannot be used: no connection to it, on the way to ")
    assert "login.microsoftonline.com: " in seen
    assert seen.endswith("Connection refused")


@pytest.mark.parametrize("content", ["", "no certificate"])
def test_file_without_root_certificates_is_reported(run: Any, tmp_path: Path, content: str) -> None:
    (tmp_path / "ca.pem").write_text(content)

    code, _, err = run("account", "--unattended", "--ca-file", str(tmp_path / "ca.pem"))

    assert code == 8
    assert "cannot read root certificates from" in " ".join(err.split())


def test_unread_section_has_the_hint_of_its_error(run: Any, tmp_path: Path) -> None:
    (tmp_path / "etc/mstunnel/certs/site.crt").mkdir(parents=True)

    code, out, _ = run("certificate", "--output", "json")

    rows = reported(out)
    assert (code, rows["certificate-readable"]["result"]) == (0, "unknown")
    assert rows["certificate-readable"]["hint"].startswith("Check it with `ls -l ")


@pytest.mark.parametrize(
    ("arguments", "check", "expected"),
    [
        ("all --timeout 1", "account-sign-in", "skipped: Run `mst-readiness account`."),
        ("account --token-file {}/token", "account-sign-in", "fail: there is no token file"),
        ("account --token-file {}/token", "account-role", "skipped: not signed in"),
        ("certificate --cert {0} --key {0}", "certificate-readable", "fail: cannot read {}: it is a dir"),
    ],
)
def test_command_reports_the_finding(
    run: Any, tmp_path: Path, arguments: str, check: str, expected: str
) -> None:
    code, out, _ = run(*arguments.format(tmp_path).split(), "--output", "json")

    row = reported(out)[check]
    result, _, words = expected.partition(": ")
    assert (code, row["result"]) == (3, result)
    assert words.format(tmp_path) in f"{row['seen']} {row['hint']}"


def test_table_precedes_the_errors_in_a_pipe(tmp_path: Path) -> None:
    """Check a pipe such as `mst-readiness utils 2>&1 | less`."""
    installed(tmp_path)
    prepare(tmp_path, forward="0")
    program = "import sys; from mstunnel_setup.cli.readiness import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "utils", "--root", str(tmp_path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    lines = done.stdout.splitlines()
    assert lines[0] == "utils"
    summary = next(number for number, line in enumerate(lines) if line.startswith("Not ready: "))
    errors = [number for number, line in enumerate(lines) if line.startswith(("error[", "warning["))]
    assert summary < errors[0]
