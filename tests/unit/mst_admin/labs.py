"""Lab tenants in separate processes, and `mst-admin` run against them from the command line."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from mst_admin.cli import app
from mstunnel_setup.cli.framework.render import run_app
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.http import HttpSession
from mstunnel_setup.tenant.client_credential import ClientSecret
from mstunnel_setup.tenant.clouds import cloud
from mstunnel_setup.tenant.graph_admin import AdminGraph
from mstunnel_setup.tenant.sign_in import SignIn
from tests.unit.running_lab import running_lab
from tests.unit.schemas import validate

PRUNE_ALL = tuple(
    word
    for kind in ("configurations", "sites", "profiles", "app-configurations", "mam")
    for word in ("--prune", kind)
)
"""Options that prune every kind that can be pruned."""

GROUP = "11111111-2222-3333-4444-555555555555"
HERE = Path(__file__).parent
OTHER = "99999999-2222-3333-4444-555555555555"
TOOL = "44444444-4444-4444-8444-444444444444"
READER = "55555555-5555-4555-8555-555555555555"
SECRETS = {TOOL: "a-secret-of-the-tool", READER: "a-secret-of-the-reader"}


@dataclass(frozen=True)
class Answer:
    """The result of a command: exit code, JSON envelope and standard error."""

    code: int
    envelope: dict[str, Any]
    errors: str

    @property
    def status(self) -> str:
        return str(self.envelope["status"])

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = self.envelope["data"]
        return found

    def codes(self, kind: str = "warnings") -> list[str]:
        return [notice["code"] for notice in self.envelope[kind]]

    @property
    def changes(self) -> list[tuple[str, str, str]]:
        """The planned or executed changes: action, kind and name."""
        return [(item["verb"], item["kind"], item["name"]) for item in self.data["changes"]]

    @property
    def names(self) -> list[str]:
        """The names of the objects of planned or executed changes."""
        return [name for _, _, name in self.changes]

    @property
    def written(self) -> list[tuple[str, set[str]]]:
        """The written properties of each change."""
        return [(item["name"], set(item["after"])) for item in self.data["changes"]]

    @property
    def message(self) -> str:
        return "\n".join(notice["message"] for notice in self.envelope["errors"])


@dataclass(frozen=True)
class Tenant:
    """A running lab."""

    directory: Path
    facts: dict[str, Any]

    def answers(self, client_id: str = TOOL) -> Path:
        """Write an answer file that signs in as an application."""
        file, secret = self.directory / f"{client_id}.yaml", self.directory / f"{client_id}.secret"
        secret.write_text(SECRETS[client_id])
        secret.chmod(0o600)
        tenant = {
            "cloud": "custom",
            "authority": self.facts["authority"],
            "graph": self.facts["graph"],
            "ca_file": self.facts["ca_file"],
            "id": self.facts["tenant_id"],
        }
        sign_in = {"method": "client-secret", "client_id": client_id, "client_secret": f"file:{secret}"}
        file.write_text(json.dumps({"version": 1, "tenant": tenant, "sign_in": sign_in}))
        return file

    def graph(self) -> AdminGraph:
        """Return a Graph client that signs in as the tool."""
        clock, where = Clock(), cloud("custom", self.facts["authority"], self.facts["graph"])
        http = HttpSession(clock, self.facts["ca_file"])
        source = SignIn(http, clock, where, self.facts["tenant_id"], TOOL).application(
            ClientSecret(SECRETS[TOOL])
        )
        return AdminGraph(http, where, source, clock)


@dataclass(frozen=True)
class MstAdmin:
    """`mst-admin … --output json` against one tenant."""

    tenant: Tenant
    capture: pytest.CaptureFixture[str]
    root: Path

    def run(self, *arguments: str, client: str = TOOL) -> tuple[int, str, str]:
        """Run the command; return exit code, standard output and error."""
        common = ["--answers", str(self.tenant.answers(client)), "--root", str(self.root), "--unattended"]
        self.capture.readouterr()
        code = run_app(app, "mst-admin", [*arguments, *common])
        shown = self.capture.readouterr()
        return code, shown.out, shown.err

    def __call__(self, *arguments: str, client: str = TOOL) -> Answer:
        code, shown, errors = self.run(*arguments, "--output", "json", client=client)
        envelope = json.loads(shown)
        validate(envelope)
        return Answer(code, envelope, errors)

    def done(self, *arguments: str) -> Answer:
        """Run a command that must succeed; return its result."""
        answer = self(*arguments)
        assert answer.code == 0, answer.message
        return answer

    def text(self, *arguments: str) -> str:
        code, shown, _ = self.run(*arguments)
        assert code == 0
        return shown


@contextmanager
def running(directory: Path, seed: Path) -> Iterator[Tenant]:
    """Run a lab until the end of the block."""
    with running_lab(directory, "--seed", str(seed)) as facts:
        yield Tenant(directory, facts)


def object_file(tmp_path: Path, text: str) -> str:
    """Write a file that declares one object; return its path."""
    path = tmp_path / "object.yaml"
    path.write_text(text)
    return str(path)


def declare(tmp_path: Path, text: str) -> str:
    """Write a folder of declarations with one file; ROOT in it is replaced by the path of `root_file`."""
    directory = tmp_path / "declared"
    directory.mkdir(exist_ok=True)
    (directory / "tenant.yaml").write_text(text.replace("ROOT", str(tmp_path / "root.pem")), encoding="utf-8")
    return str(directory)


def root_file(tmp_path: Path, *, authority: bool = True) -> Path:
    """Write the certificate of a private authority, or one that is not an authority."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name.from_rfc4514_string("CN=Private root")
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + timedelta(days=30))
    builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    path = tmp_path / "root.pem"
    path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    return path
