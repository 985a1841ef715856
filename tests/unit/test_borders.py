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
    if METHODS.fullmatch(method):
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
    # Probes from outside are about sockets alone.
    "mstunnel_setup/readiness/facts/inbound.py: socket.socket() is network",
    "mstunnel_setup/readiness/facts/inbound.py: socket.create_connection() is network",
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


@pytest.mark.parametrize("source", FORBIDDEN)
def test_the_scan_sees_every_way_round(source: str) -> None:
    assert len(effects(source)) == 1


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


@pytest.mark.parametrize("source", HARMLESS)
def test_the_scan_lets_reading_and_the_ports_pass(source: str) -> None:
    assert effects(source) == []


def _ruff(source: str, path: str) -> list[str]:
    """Codes that ruff reports for the source, were it a file of the project at `path`."""
    command = [shutil.which("ruff", path=str(Path(sys.executable).parent)) or "ruff", "check", "--quiet"]
    options = ["--no-cache", "--output-format", "concise", "--stdin-filename", path, "-"]
    done = subprocess.run(
        [*command, *options], input=source, capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.stderr == ""
    return re.findall(r"^\S+:\d+:\d+: (\w+)", done.stdout, re.MULTILINE)


BANNED = {
    "subprocess": 'import subprocess\n\nsubprocess.run(["id"], check=True)\n',
    "requests": 'import requests\n\nrequests.get("https://example.com", timeout=1)\n',
    "chmod": 'import os\n\nos.chmod("a", 0o600)\n',
    "sleep": "import time\n\ntime.sleep(1)\n",
    "now": "from datetime import UTC, datetime\n\nNOW = datetime.now(UTC)\n",
    "shutil": 'import shutil\n\nshutil.rmtree("a")\n',
    "tempfile": "import tempfile\n\nNAME = tempfile.mkdtemp()\n",
    "unlink": 'import os\n\nos.unlink("a")\n',
    "makedirs": 'import os\n\nos.makedirs("a")\n',
    "execv": 'import os\n\nos.execv("/bin/id", [])\n',
    "kill": "import os\n\nos.kill(1, 9)\n",
    "monotonic": "import time\n\nNOW = time.monotonic()\n",
    "urllib": 'from urllib.request import urlopen\n\nurlopen("https://example.com")\n',
    "http": 'import http.client\n\nhttp.client.HTTPSConnection("example.com")\n',
    "socket": 'import socket\n\nsocket.create_connection(("example.com", 1))\n',
}


@pytest.mark.parametrize("source", BANNED.values(), ids=BANNED)
def test_ruff_refuses_it_everywhere_but_in_the_ports(source: str) -> None:
    assert "TID251" in _ruff(source, "mstunnel_setup/install/candidate.py")
    assert "TID251" in _ruff(source, "mstunnel_setup/transaction/candidate.py")
    assert "TID251" not in _ruff(source, "mstunnel_setup/io/candidate.py")


def test_ruff_refuses_print() -> None:
    assert "T201" in _ruff('print("x")\n', "mstunnel_setup/cli/candidate.py")


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
    for module in ("mstunnel_lab/app.py", "mst_admin/wire.py"):
        (copies / module).write_text("from mstunnel_setup.tenant import wire, wire_apps\n")
    return copies


UPWARD = {
    "io to transaction": ("mstunnel_setup/io/files.py", "mstunnel_setup.transaction.journal"),
    "transaction to steps": ("mstunnel_setup/transaction/runner.py", "mstunnel_setup.install.step_list"),
    "transaction to http": ("mstunnel_setup/transaction/runner.py", "mstunnel_setup.io.http"),
    "transaction to process": ("mstunnel_setup/transaction/runner.py", "mstunnel_setup.io.process"),
    "tenant to cli": ("mstunnel_setup/tenant/graph.py", "mstunnel_setup.cli.framework.render"),
    "certificates to tenant": ("mstunnel_setup/certificates/judge.py", "mstunnel_setup.tenant.graph"),
    "gateway to containers": ("mstunnel_setup/gateway/oidc.py", "mstunnel_setup.containers.spec"),
    "agent to steps": ("mstunnel_setup/agent/loop.py", "mstunnel_setup.install.context"),
    "monitor to agent": ("mstunnel_setup/operations/monitor/rounds.py", "mstunnel_setup.agent.watch"),
    "command to agent": ("mstunnel_setup/operations/metrics.py", "mstunnel_setup.agent.metrics"),
    "tenant tool to agent": ("mst_admin/apply.py", "mstunnel_setup.agent.upgrade"),
    "base to io": ("mstunnel_setup/base/errors.py", "mstunnel_setup.io.files"),
    "host to tenant tool": ("mstunnel_setup/operations/status.py", "mst_admin.apply"),
    "tenant tool to lab": ("mst_admin/apply.py", "mstunnel_lab.store"),
    "installation to take-over": ("mstunnel_setup/install/uninstall.py", "mstunnel_setup.adopt.switch"),
}


def test_the_skeleton_keeps_the_contracts(skeleton: Path) -> None:
    code, text = _contracts(skeleton)
    assert code == 0, text


def check_it_breaks_them(skeleton: Path, module: str, target: str) -> None:
    """An import of `target` in `module` is refused by name."""
    file = skeleton / module
    kept = file.read_text()
    file.write_text(f"{kept}import {target}\n")
    try:
        code, text = _contracts(skeleton)
    finally:
        file.write_text(kept)
    assert code == 1
    assert "BROKEN" in text
    assert target in text


@pytest.mark.parametrize(("module", "target"), UPWARD.values(), ids=UPWARD)
def test_an_import_that_goes_upwards_breaks_them(skeleton: Path, module: str, target: str) -> None:
    check_it_breaks_them(skeleton, module, target)


def test_the_lab_knows_nothing_of_the_tenant_client_but_the_wire(skeleton: Path) -> None:
    check_it_breaks_them(skeleton, "mstunnel_lab/app.py", "mstunnel_setup.tenant.graph")
