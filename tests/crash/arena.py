"""One place to run in: a tenant, a recording engine, and a new root for each run."""

import atexit
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from ruamel.yaml import YAML

from mstunnel_setup.base import paths
from mstunnel_setup.exchange.release_catalogue import CATALOGUE
from mstunnel_setup.transaction.receipt import fold
from tests.crash.engine import Daemon
from tests.crash.tenant import CERTIFICATE_DAYS, CLIENT, PREPARED, Tenant, environment
from tests.serving import free_port
from tests.testbed.certificates import Authority
from tests.testbed.paths import JOURNAL
from tests.testbed.process import Completed

REPOSITORY = Path(__file__).parents[2]
IMAGES = {
    name: f"registry.crash.test/{name}@sha256:{digit * 64}"
    for name, digit in (("gateway", "1"), ("agent", "2"))
}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)")
_VOLATILE = {paths.AGENT_CREDENTIAL, paths.AGENT_SECRET, paths.SETUP_LOG}
_RECEIPT = f"{paths.STATE}/receipt.json"
_JOURNALS = (JOURNAL, f"{paths.STATE}/journal-copy.jsonl")


@dataclass(frozen=True)
class Ended(Completed):
    """How a run ended (a negative exit code: killed by that signal), and the points it passed."""

    points: tuple[str, ...]


@dataclass(frozen=True)
class Kept:
    """What `Arena.keep` keeps."""

    directory: Path
    rows: Sequence[Any]
    engine: Mapping[str, Any]


def command(request: Mapping[str, Any]) -> list[str]:
    """What makes the run of a request in a process of its own."""
    return [sys.executable, "-m", "tests.crash.program", json.dumps(request)]


@cache
def programs() -> "subprocess.Popen[str]":
    """The fork server of all arenas; it ends with this process."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.crash.program"],
        cwd=REPOSITORY,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(server.communicate)
    return server


class Arena:
    """Where installations are made, killed and removed; every run of a program gets `request`."""

    images: ClassVar[Mapping[str, str]] = {"server": IMAGES["gateway"], "agent": IMAGES["agent"]}

    def __init__(self, directory: Path, **request: Any) -> None:
        self.directory = directory
        self.root = directory / "root"
        self._request = request
        port = free_port()
        self.daemon = Daemon(directory / "engine.sock", port)
        self.tenant = Tenant(directory, port)
        self._inputs()
        self.reset()

    def close(self) -> None:
        """End what was started for this place alone."""
        self.tenant.close()
        self.daemon.close()

    def reset(self) -> None:
        """A fresh root, an empty tenant, an empty engine."""
        shutil.rmtree(self.root, ignore_errors=True)
        for name in ("etc", "run", "var/lib", "var/log"):
            (self.root / name).mkdir(parents=True)
        (self.root / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
        self.daemon.reset()
        self.tenant.reset()

    def place(self, path: str) -> Path:
        """Where a path of the host really is."""
        return self.root / path.lstrip("/")

    def keep(self) -> Kept:
        """Everything as it is now: root, tenant, engine."""
        directory = Path(tempfile.mkdtemp(prefix="kept-", dir=self.directory)) / "root"
        shutil.copytree(self.root, directory, symlinks=True)
        return Kept(directory, self.tenant.rows(), self.daemon.keep())

    def bring_back(self, kept: Kept) -> None:
        """Everything as it was then."""
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(kept.directory, self.root, symlinks=True)
        self.daemon.bring_back(kept.engine)
        self.tenant.fill(kept.rows)

    def install(self, *arguments: str, **options: Any) -> Ended:
        """Run `mstunnel-setup` unattended with the answer file."""
        return self.answered("mstunnel-setup", *arguments, **options)

    def uninstall(self, *arguments: str, **options: Any) -> Ended:
        """Run `mst-cli uninstall` unattended."""
        return self.answered("mst-cli", "uninstall", *arguments, **options)

    def roll_back(self, **options: Any) -> Ended:
        """Run `mstunnel-setup rollback` unattended."""
        return self.answered("mstunnel-setup", "rollback", **options)

    def renew(self, **options: Any) -> Ended:
        """Run `mst-cli import_cert` with the second certificate."""
        given = ("--cert", f"{self.directory}/renewed.pem", "--key", f"{self.directory}/renewed-key.pem")
        return self.run("mst-cli", "import_cert", *given, "--yes", **options)

    def monitor(self, **options: Any) -> Ended:
        """Have the monitor look once."""
        return self.run("mstunnel_monitor", "--once", **options)

    def answered(self, program: str, *arguments: str, **options: Any) -> Ended:
        """Run a program with the answer file."""
        return self.run(program, *arguments, "--answers", str(self.answers), **options)

    def run(self, program: str, *arguments: str, **options: Any) -> Ended:
        """Run a program to its end, or until `kill_at`."""
        request = self.request(program, *arguments, **options)
        started = time.monotonic()
        server = programs()
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            server.stdin.write(json.dumps(request) + "\n")
            server.stdin.flush()
            code, seconds = int(server.stdout.readline()), time.monotonic() - started
        except BaseException:
            # Its answer would be taken for that of the next run: a test out of time failed all that followed.
            server.kill()
            programs.cache_clear()
            raise
        stdout, stderr, points = (
            (self.directory / f"run.{name}").read_text() for name in ("stdout", "stderr", "points")
        )
        return Ended((program, *arguments), code, stdout, stderr, seconds, tuple(points.splitlines()))

    def request(self, program: str, *arguments: str, **options: Any) -> dict[str, Any]:
        """The request to the fork server for this run."""
        common = ("--unattended", "--output", "json", "--root", str(self.root))
        return {
            "program": program,
            "arguments": [*arguments, *common],
            "engine": str(self.daemon.path),
            "root": str(self.root),
            "out": str(self.directory / "run"),
            **self._request,
            **options,
        }

    def tree(self) -> dict[str, str]:
        """Every path below the root: kind, mode, owner, and content where it is the same every time."""
        names = self._names()
        return {
            f"/{path.relative_to(self.root)}": self._entry(path, names)
            for path in sorted(self.root.rglob("*"))
        }

    def _entry(self, path: Path, names: Mapping[str, str]) -> str:
        found = path.lstat()
        head = f"{found.st_mode:o} {found.st_uid}:{found.st_gid}"
        if path.is_symlink():
            return f"{head} -> {path.readlink()}"
        if not path.is_file():
            return head
        place = f"/{path.relative_to(self.root)}"
        if place in _JOURNALS:
            return f"{head} journal"
        if place in _VOLATILE and path.read_bytes() != b"theirs":
            return f"{head} something"
        text = self._neutral(path.read_text(errors="replace"), names)
        return f"{head} {_sorted(text) if place == _RECEIPT else text}"

    def _neutral(self, text: str, names: Mapping[str, str]) -> str:
        for value, name in names.items():
            text = text.replace(value, name)
        return _TIME.sub("TIME", text)

    def _names(self) -> dict[str, str]:
        """Ids that differ from run to run, each with a name that does not."""
        made = self.tenant.made()
        named = {document["id"]: f"<{kind} {document.get('displayName')}>" for kind, document in made}
        app_ids = {document["appId"]: "<app id>" for kind, document in made if kind == "ApplicationRecord"}
        installation = {
            str(item["installation"]): "<installation>" for item in self.records() if "installation" in item
        }
        return {**named, **app_ids, **installation}

    def records(self) -> list[dict[str, Any]]:
        """The records of the journal; a last one that a kill cut off is none."""
        path = self.place(JOURNAL)
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def receipt(self) -> dict[str, Any]:
        """The journal folded, ids and times made neutral."""
        receipt = fold(self.records())
        entries = {
            entry.key: [entry.step, entry.before, entry.versions, _stable(entry.outputs), entry.finished]
            for entry in receipt.entries.values()
        }
        steps = sorted(set(receipt.steps))
        text = self._neutral(json.dumps([entries, steps], sort_keys=True), self._names())
        return {"entries": json.loads(text)[0], "steps": steps, "failure": str(receipt.failure)}

    def _told_in_order(self) -> bool:
        """Whether the receipt for people names every object, in the order of the journal."""
        path = self.place(_RECEIPT)
        told = json.loads(path.read_text())["objects"] if path.exists() else []
        return [item["key"] for item in told] == list(fold(self.records()).entries)

    def state(self) -> dict[str, Any]:
        """Everything a run leaves behind."""
        return {
            "tree": self.tree(),
            "receipt": self.receipt(),
            "told_in_order": self._told_in_order(),
            "engine": self.daemon.state(),
            "tenant": self.tenant.ours(),
        }

    def offer(
        self, label: str, server: str, agent: str, *, published: str = "2026-11-01", drain_minutes: int = 0
    ) -> None:
        """One release is all that the administrator's catalogue has."""
        path = self.place(CATALOGUE)
        path.parent.mkdir(parents=True, exist_ok=True)
        release = f'label = "{label}"\npublished = {published}\nserver = "{server}"\nagent = "{agent}"\n'
        path.write_text(f"drain_minutes = {drain_minutes}\n[[release]]\n{release}")

    def _inputs(self) -> None:
        """Certificate, secret and answer file: what an administrator brings."""
        authority = Authority()
        chain, key = authority.issue("vpn.crash.test", days=CERTIFICATE_DAYS)
        renewed, renewed_key = authority.issue("vpn.crash.test", days=CERTIFICATE_DAYS + 5)
        for name, content in (
            ("chain.pem", chain),
            ("key.pem", key),
            ("renewed.pem", renewed),
            ("renewed-key.pem", renewed_key),
            ("root.pem", Authority().pem),
            ("secret", b"a-secret-of-the-installer"),
        ):
            (self.directory / name).write_bytes(content)
            (self.directory / name).chmod(0o600)
        self.answers = self.directory / "answers.yaml"
        self.write_answers({})

    def prepared_identity(self) -> dict[str, str]:
        """The answers for an application that was created in advance; the tenant knows its certificate."""
        return {"client_id": PREPARED, "pfx": f"{self.directory}/prepared.pfx"}

    def secret_identity(self) -> dict[str, str]:
        """The answers for an application that was created in advance and has a secret."""
        return {"client_id": CLIENT, "client_secret": f"file:{self.directory}/secret"}

    def write_answers(self, changes: Mapping[str, Any]) -> None:
        """Write the answer file, with some sections replaced (None leaves one out)."""
        place = self.directory
        answers = {
            "version": 1,
            "eula": "accept",
            "server_name": "gw1",
            "tenant": {
                "cloud": "custom",
                "id": self.tenant.lab["tenant_id"],
                "authority": self.tenant.lab["authority"],
                "graph": self.tenant.lab["graph"],
                "ca_file": self.tenant.lab["ca_file"],
            },
            "sign_in": {
                "method": "client-secret",
                "client_id": CLIENT,
                "client_secret": f"file:{place}/secret",
            },
            "site": "Crash",
            "certificate": {"chain": f"{place}/chain.pem", "key": f"{place}/key.pem"},
            "images": self.images,
            **changes,
        }
        with self.answers.open("w") as stream:
            YAML().dump({name: value for name, value in answers.items() if value is not None}, stream)


def _stable(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Results without the digest of a certificate and the id of a secret, other ones every time."""
    fleeting = ("certificate_sha256", "pfx_sha256", "key_id")
    return {name: value for name, value in outputs.items() if name not in fleeting}


def _sorted(receipt: str) -> str:
    """What the receipt tells, by key: its order is that of the journal, in which a late object comes last."""
    told = json.loads(receipt)
    return json.dumps({**told, "objects": sorted(told["objects"], key=lambda item: str(item["key"]))})


def differences(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> Sequence[str]:
    """What differs between two states, one line each."""
    lines: list[str] = []
    for part in wanted:
        if isinstance(wanted[part], dict):
            keys = list({**wanted[part], **found[part]})
            pairs = [(f"{part} {key}", wanted[part].get(key), found[part].get(key)) for key in keys]
        else:
            pairs = [(part, wanted[part], found[part])]
        lines += [f"{name}: wanted {one!r}, found {two!r}" for name, one, two in pairs if one != two]
    return lines
