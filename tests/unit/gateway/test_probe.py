"""The gateway's probe of the internal address: its report, and what other processes see."""

import http.server
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving import serving

SCRIPT = Path(__file__).parents[3] / "images/gateway/probe"
CURL = """#!/bin/sh
printf '%s\\n' "$@" >>"{arguments}"
exec {curl} "$@"
"""


@pytest.fixture
def inside() -> Iterator[str]:
    """Serve a page on this host and yield its address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    with serving(server):
        yield f"http://127.0.0.1:{server.server_port}"


def run(directory: Path, *arguments: str, given: str) -> tuple[str, str]:
    """Run the script with a curl that records its arguments; return the report and the arguments."""
    seen, programs = directory / "arguments", directory / "bin"
    programs.mkdir()
    (programs / "curl").write_text(CURL.format(arguments=seen, curl=shutil.which("curl")))
    (programs / "curl").chmod(0o755)
    script = directory / "probe"
    script.write_text(SCRIPT.read_text().replace("/var/lib/mstunnel-server", str(directory / "state")))
    (directory / "state").mkdir()
    environment = {"PATH": f"{programs}:/usr/bin:/bin"}
    subprocess.run(
        ["/bin/sh", str(script), *arguments], input=given, text=True, check=True, env=environment, timeout=60
    )
    report = directory / "state/probe"
    return report.read_text() if report.exists() else "", seen.read_text() if seen.exists() else ""


def test_the_address_is_in_no_command_line(tmp_path: Path, inside: str) -> None:
    report, arguments = run(tmp_path, given=f"{inside}/health?token=hush\n")
    _, url, account = report.split(" ", 2)
    assert (url, json.loads(account)["http_code"]) == (f"{inside}/health?token=hush", 501)
    assert "hush" not in arguments


@pytest.mark.parametrize("address", ["http://reader:hush@{}/", "http://hush@{}", "http://reader:hush@{}?a#b"])
def test_an_address_with_a_password_is_not_asked(tmp_path: Path, inside: str, address: str) -> None:
    report, arguments = run(tmp_path, given=address.format(inside.removeprefix("http://")) + "\n")
    assert (report, arguments) == ("", "")


def test_an_at_sign_in_the_path_is_no_password(tmp_path: Path, inside: str) -> None:
    report, _ = run(tmp_path, given=f"{inside}/people/@me\n")
    assert json.loads(report.split(" ", 2)[2])["http_code"] == 501


@pytest.mark.parametrize("tail", ['/"', "/\\", '/"\\noutput = "/tmp/x', "/a\\nb", "/$(id)`id`"])
def test_no_address_becomes_an_option_of_curl(tmp_path: Path, inside: str, tail: str) -> None:
    report, arguments = run(tmp_path, given=f"{inside}{tail}\n")
    assert report.split(" ", 1)[1].startswith(f"{inside}{tail} ")
    assert json.loads(report.rpartition(" {")[2].join(("{", "")))["urlnum"] == 0
    assert arguments.count("--config") == 1
