"""The borders hold: effects go through the ports, imports go downwards, and each check can fail.

Ruff bans modules and functions; what is reached through an object or a builtin (`Path.write_text`,
`open(…, "w")`) it cannot see, so a scan of the syntax trees finds that here.
"""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("mstunnel_setup", "mst_admin")
# The ports themselves. The lab tenant is a separate server.
OUTSIDE = "mstunnel_setup/io/"

# Method names that change the file system. Our own file writer has none of them.
METHODS = re.compile(
    r"chmod|hardlink_to|lchmod|mkdir|rename|rmdir|symlink_to|touch|unlink|write_bytes|write_text"
)
OS_EFFECTS = re.compile(
    r"os\.(chflags|chmod|chown|fchmod|fchown|ftruncate|lchown|link|makedirs|mkdir|mkfifo|mknod|remove|removedirs"
    r"|rename|renames|replace|rmdir|sendfile|setxattr|symlink|truncate|unlink|utime|write"
    r"|popen|posix_spawnp?|spawn\w+|exec\w+|system|fork|forkpty|kill|killpg)"
)
# Until Python 3.14 these raise PermissionError below a directory that this user may not enter.
PROBES = re.compile(r"exists|is_dir|is_fifo|is_file|is_mount|is_socket|is_symlink")
CALLS = {
    OS_EFFECTS: "effect of the operating system",
    re.compile(r"(time\.)(time|time_ns|monotonic|monotonic_ns|sleep)"): "time",
    re.compile(r"(datetime\.)?(datetime\.(now|utcnow|today)|date\.today)"): "time",
    re.compile(r"asyncio\.(sleep|create_subprocess_\w+)"): "time or process",
    re.compile(r"socket\.(socket|create_connection|create_server)|asyncio\.open_connection"): "network",
}
MODULES = re.compile(
    r"(aiohttp|ftplib|http\.client|httpx|pty|requests|shutil|smtplib|subprocess|tempfile"
    r"|urllib\.request|urllib3)(\..*)?"
)
TYPE_CHECKING_ONLY = "TYPE_CHECKING"
OWN_REPLACE = ("dataclasses.replace", "Processes().replace", "operator.processes.replace")


def effects(source: str) -> list[str]:
    """Everything in the source that goes round the ports, as `line: what`."""
    tree = ast.parse(source)
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == TYPE_CHECKING_ONLY
        for inner in ast.walk(node)
    }
    found = [
        (node.lineno, what)
        for node in ast.walk(tree)
        if id(node) not in skipped and isinstance(node, ast.Call | ast.Import | ast.ImportFrom)
        for what in (_call(node) if isinstance(node, ast.Call) else _modules(node))
    ]
    return [f"{line}: {what}" for line, what in sorted(found)]


def _modules(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    else:
        names = [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
    yield from (f"import {name}" for name in names[:1] if MODULES.fullmatch(name))
    yield from (f"import {name}" for name in names[1:] if _forbidden_name(name))


def _forbidden_name(name: str) -> bool:
    return any(pattern.fullmatch(name) for pattern in CALLS) or name in ("http.client", "urllib.request")


def _call(node: ast.Call) -> Iterator[str]:
    name = ast.unparse(node.func)
    yield from (f"{name}() is {what}" for pattern, what in CALLS.items() if pattern.fullmatch(name))
    if name == "print":
        yield "print()"
    if name in ("open", "io.open", "os.fdopen"):
        yield from _writing(node, position=1)
    elif name == "os.open" and re.search(r"O_(WRONLY|RDWR|CREAT|TRUNC)", ast.unparse(node)):
        yield from () if ast.unparse(node.args[0]) == "os.devnull" else ("os.open() for writing",)
    elif isinstance(node.func, ast.Attribute) and not name.startswith("os."):
        yield from _method(node, node.func.attr)


def _method(node: ast.Call, method: str) -> Iterator[str]:
    if METHODS.fullmatch(method) or PROBES.fullmatch(method):
        yield f"{method}()"
    # `str.replace` takes two texts, `datetime.replace` names; one place to go to is a file's.
    alone = len(node.args) == 1 and not node.keywords
    if method == "replace" and alone and ast.unparse(node.func) not in OWN_REPLACE:
        yield "replace()"
    if method == "open":
        position = 1 if ast.unparse(node.func).startswith(("tarfile.", "gzip.", "zipfile.", "codecs.")) else 0
        yield from _writing(node, position)


def _writing(node: ast.Call, position: int) -> Iterator[str]:
    given = [keyword.value for keyword in node.keywords if keyword.arg == "mode"] or node.args[position:][:1]
    for mode in given:
        if not isinstance(mode, ast.Constant):
            yield "open() with a mode that only shows when it runs"
        elif isinstance(mode.value, str) and set(mode.value) & set("wax+"):
            yield f"open() with mode {mode.value}"


def _sources() -> dict[str, str]:
    return {
        str(path.relative_to(ROOT)): path.read_text()
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if not str(path.relative_to(ROOT)).startswith(OUTSIDE)
    }


def test_nothing_goes_round_the_ports() -> None:
    sources = _sources()
    assert len(sources) > 100
    found = [f"{name}:{line}" for name, source in sources.items() for line in effects(source)]
    assert [line for line in found if re.sub(r":\d+:", ":", line) not in ALLOWED] == []


ALLOWED = (
    # The descriptors are open already: one handed over by the caller (`--progress-fd`), and standard output.
    "mstunnel_setup/cli/framework/progress.py: os.write() is effect of the operating system",
    "mstunnel_setup/cli/dispatch.py: os.write() is effect of the operating system",
    # An archive into a file that the port has opened.
    "mstunnel_setup/actions/vendor_gateway.py: open() with mode w|",
)


FORBIDDEN = [
    "import subprocess",
    "from subprocess import run",
    "import requests",
    "from requests import get",
    "import requests.adapters",
    "import urllib.request",
    "from urllib.request import urlopen",
    "from urllib import request",
    "from http import client",
    "import shutil",
    "import tempfile",
    "from os import unlink",
    "from time import sleep",
    "open('a', 'w')",
    "open('a', mode='a')",
    "open('a', 'r+b')",
    "open('a', 'x')",
    "open('a', chosen)",
    "Path('a').open('w')",
    "path.open(mode='wb')",
    "tarfile.open('a', 'w:gz')",
    "Path('a').write_text('b')",
    "path.write_bytes(b'')",
    "path.mkdir()",
    "path.unlink(missing_ok=True)",
    "path.symlink_to('b')",
    "path.hardlink_to('b')",
    "path.chmod(0o600)",
    "path.rename('b')",
    "path.replace('b')",
    "path.touch()",
    "path.rmdir()",
    "path.exists()",
    "Path('a').is_file()",
    "(directory / name).write_text('b')",
    "os.chmod('a', 0)",
    "os.unlink('a')",
    "os.open('a', os.O_WRONLY | os.O_CREAT)",
    "os.system('id')",
    "os.execvp('id', [])",
    "os.kill(1, 9)",
    "time.sleep(1)",
    "time.time()",
    "time.monotonic()",
    "datetime.now(UTC)",
    "datetime.datetime.utcnow()",
    "date.today()",
    "asyncio.create_subprocess_exec('id')",
    "socket.create_connection(('a', 1))",
    "from socket import create_connection",
    "socket.socket()",
    "print('x')",
    "def f():\n    import subprocess",
]


# What connects to a service, as docs/explanation/what-leaves-the-server.md lists it.
CONNECTS = {
    "mst_admin/session.py",  # the tenant
    "mstunnel_setup/agent/tenant.py",
    "mstunnel_setup/install/steps/sign_in.py",
    "mstunnel_setup/install/lab_tenant.py",  # a lab tenant
    "mstunnel_setup/readiness/examine.py",  # the names that `mst-readiness network` tests
    "mstunnel_setup/agent/health_watch.py",  # the registry, OCSP and CRL
    "mstunnel_setup/operations/upgrade/fetch_releases.py",  # the release feed
    "mstunnel_setup/operations/self_update.py",
}


def test_nothing_else_connects_to_a_service() -> None:
    """There is no telemetry: a module that opens a session of HTTP belongs to the list, and to the page."""
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    found = {str(path.relative_to(ROOT)) for path in files if re.search(r"\bHttpSession\(", path.read_text())}
    assert found - {"mstunnel_setup/io/http.py"} == CONNECTS


def test_the_scan_sees_every_way_round() -> None:
    assert [source for source in FORBIDDEN if len(effects(source)) != 1] == []


HARMLESS = [
    "open('a')",
    "open('a', 'rb')",
    "Path('a').open()",
    "path.open('r', encoding='utf-8')",
    "tarfile.open('a')",
    "os.open('a', os.O_RDONLY)",
    "os.open(os.devnull, os.O_RDWR)",
    "text.replace('a', 'b')",
    "replace(record, name='b')",
    "dataclasses.replace(record)",
    "moment.replace(tzinfo=UTC)",
    "clock.now()",
    "clock.sleep(1)",
    "files.write('a', b'')",
    "files.remove('a')",
    "datetime.fromisoformat('2026-01-01')",
    "if TYPE_CHECKING:\n    import requests",
    "from urllib.parse import urlsplit",
    "from http import HTTPStatus",
    "socket.getaddrinfo('a', 1)",
    "from concurrent.futures import Future",
    "# open('a', 'w')",
    "'import subprocess'",
]


def test_the_scan_lets_reading_and_the_ports_pass() -> None:
    assert [source for source in HARMLESS if effects(source)] == []


def _ruff(source: str, path: str) -> dict[int, str]:
    """The lines with a banned call or a `print`, were the source a file of the project at `path`."""
    command = [shutil.which("ruff", path=str(Path(sys.executable).parent)) or "ruff", "check", "--quiet"]
    options = ["--no-cache", "--output-format", "concise", "--stdin-filename", path, "-"]
    done = subprocess.run(
        [*command, *options], input=source, capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.stderr == ""
    found = re.findall(r"^\S+:(\d+):\d+: (TID251|T201) ", done.stdout, re.MULTILINE)
    return {int(line): code for line, code in found}


BANNED = (
    *("import http.client", "import requests", "import shutil", "import subprocess", "import tempfile"),
    *("from urllib.request import urlopen", "datetime.now(UTC)", "time.sleep(1)", "time.monotonic()"),
    *('os.chmod("a", 0o600)', 'os.unlink("a")', 'os.makedirs("a")', 'os.execv("/bin/id", [])'),
    *("os.kill(1, 9)", 'socket.create_connection(("example.com", 1))'),
)


def test_ruff_refuses_them_everywhere_but_in_the_ports() -> None:
    lines = ["import os, socket, time", "from datetime import UTC, datetime", *BANNED, 'print("x")']
    calls = {number: "TID251" for number, line in enumerate(lines, 1) if line in BANNED}
    calls |= {len(lines): "T201"}
    for package in ("install", "transaction", "cli"):
        assert calls.items() <= _ruff("\n".join(lines), f"mstunnel_setup/{package}/candidate.py").items()
    assert {*_ruff("\n".join(lines), "mstunnel_setup/io/candidate.py").values()} == {"T201"}


def _contracts(copies: Path) -> tuple[int, str]:
    """Judge copies of the packages by the project's own contracts."""
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [command, "--no-cache", ROOT / ".importlinter"],
        capture_output=True,
        text=True,
        cwd=copies,
        check=False,
        # The copies must be found before the packages that are installed.
        env={"PYTHONPATH": str(copies), "PATH": "/usr/bin:/bin"},
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def skeleton(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages of the project with empty modules: enough for the contracts."""
    copies = tmp_path_factory.mktemp("copy")
    for package in (*PACKAGES, "mstunnel_lab"):
        for path in (ROOT / package).rglob("*.py"):
            copy = copies / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text("")
    for module in ("mstunnel_lab/app.py", "mst_admin/wire.py", "mstunnel_setup/exchange/wire.py"):
        (copies / module).write_text("from mstunnel_setup.tenant import wire, wire_intune\n")
    return copies


UPWARD = (
    ("mstunnel_setup/io/files.py", "mstunnel_setup.transaction.journal"),
    ("mstunnel_setup/transaction/runner.py", "mstunnel_setup.install.step_list"),
    ("mstunnel_setup/transaction/runner.py", "mstunnel_setup.io.http"),
    ("mstunnel_setup/transaction/runner.py", "mstunnel_setup.io.process"),
    ("mstunnel_setup/tenant/graph.py", "mstunnel_setup.cli.framework.render"),
    ("mstunnel_setup/certificates/chain_findings.py", "mstunnel_setup.tenant.graph"),
    ("mstunnel_setup/gateway/oidc.py", "mstunnel_setup.containers.container_spec"),
    ("mstunnel_setup/agent/loop.py", "mstunnel_setup.install.run"),
    ("mstunnel_setup/operations/monitor/loop.py", "mstunnel_setup.agent.health_watch"),
    ("mstunnel_setup/operations/metrics.py", "mstunnel_setup.agent.metrics"),
    ("mst_admin/apply.py", "mstunnel_setup.agent.upgrade"),
    ("mstunnel_setup/base/errors.py", "mstunnel_setup.io.files"),
    ("mstunnel_setup/operations/status.py", "mst_admin.apply"),
    ("mst_admin/apply.py", "mstunnel_lab.store"),
    ("mstunnel_setup/install/uninstall.py", "mstunnel_setup.adopt.switch"),
    # All that it may know of the client is the wire.
    ("mstunnel_lab/app.py", "mstunnel_setup.tenant.graph"),
)


def test_the_skeleton_keeps_the_contracts(skeleton: Path) -> None:
    code, text = _contracts(skeleton)
    assert code == 0, text


def test_an_import_that_goes_upwards_breaks_them(skeleton: Path) -> None:
    for module, target in UPWARD:
        with (skeleton / module).open("a") as file:
            file.write(f"import {target}\n")
    code, text = _contracts(skeleton)
    assert code == 1
    broken = text.partition("Broken contracts")[2]
    wanted = {f"{module[:-3].replace('/', '.')} -> {target}" for module, target in UPWARD}
    assert {line for line in wanted if line not in broken} == set()
