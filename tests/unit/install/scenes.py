"""A host and its tenant for one test: files below a temporary root, and stand-ins behind the other ports."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography.x509 import Certificate
from typing_extensions import override

from mstunnel_setup.actions.codec import CODEC
from mstunnel_setup.actions.host import Host, no_tenant
from mstunnel_setup.actions.tenant_objects import RegisterServer
from mstunnel_setup.answers.merge import merge
from mstunnel_setup.answers.secret import SecretReference
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.text import sentence
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.certificates.certificate import Identity
from mstunnel_setup.certificates.load import IdentitySource
from mstunnel_setup.containers.choice import EngineChoice
from mstunnel_setup.containers.container_spec import MANAGED_LABEL, Volume
from mstunnel_setup.containers.engine import ContainerState
from mstunnel_setup.install.request import NO_REQUEST
from mstunnel_setup.install.run import Run
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Completed, Processes
from mstunnel_setup.tenant.clouds import CLOUDS, Cloud
from mstunnel_setup.tenant.graph import Graph
from mstunnel_setup.tenant.wire import (
    Application,
    DeploymentMode,
    LicenseDetails,
    ServicePlan,
    TunnelConfiguration,
    TunnelServer,
    TunnelSite,
)
from mstunnel_setup.transaction.action import Action
from mstunnel_setup.transaction.journal import Journal
from mstunnel_setup.transaction.receipt import remembered
from mstunnel_setup.transaction.records import line_of
from mstunnel_setup.transaction.runner import Runner
from mstunnel_setup.transaction.step import Step
from tests.unit.certificates.pki import NOW, Pki, key_bytes
from tests.unit.clocks import FakeClock
from tests.unit.fakes import PODMAN, FakeEngine, FakePorts, FakeSystemd

SERVER_IMAGE = "registry.example.com/server@sha256:" + "a" * 64
AGENT_IMAGE = "registry.example.com/agent@sha256:" + "b" * 64
BERLIN = TunnelSite(
    id="11111111-0000-0000-0000-000000000001", display_name="Berlin", public_address="vpn.example.org"
)
OSAKA = TunnelSite(id="11111111-0000-0000-0000-000000000002", display_name="Osaka")
IMAGES: dict[str, Any] = {"images__server": SERVER_IMAGE, "images__agent": AGENT_IMAGE}
"""The answers that name both images, for `Scene.opened`."""


@dataclass
class FakePrompter:
    """A person who types `typed`, one after the other; unattended when `interactive` is false."""

    typed: list[str] = field(default_factory=list)
    interactive: bool = True
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    paged: list[str] = field(default_factory=list)
    rows: Sequence[tuple[str, ...]] = ()
    meanwhile: list[Callable[[], Any]] = field(default_factory=list)
    """Functions to call, one per prompt, while a run waits for a person."""
    left: list[float] = field(default_factory=list)
    waited: float = 0.0
    at_end: Exception | None = None
    """Exception to raise after the last typed line."""

    def ask(self, question: str, default: str | None = None, *, secret: bool = False) -> str:
        self.asked.append(question)
        if not self.interactive:
            if default is not None:
                return default
            raise UsageError("answer-needed", question)
        if not self.typed and self.at_end:
            raise self.at_end
        return self.typed.pop(0)

    def confirm(self, question: str) -> bool:
        return self.ask(question) == "yes"

    def ask_until(self, question: str, poll: Callable[[], str | None]) -> str | None:
        self.asked.append(question)
        shown = ""
        while (problem := poll()) is not None:
            if problem and problem != shown:
                self.said.append(problem)
            shown = problem
            if not self.meanwhile:
                return self.typed.pop(0)
            self.meanwhile.pop(0)()
        return None

    def choose(self, title: str, rows: Sequence[tuple[str, ...]], columns: Sequence[str] = ()) -> str:
        assert all(len(row) == 1 + len(columns) for row in rows)
        self.rows = rows
        return self.ask(title)

    def page(self, text: str) -> None:
        self.paged.append(text)

    def say(self, template: str, /, **values: object) -> None:
        self.said.append(sentence(template, values))

    def device_code(self, url: str, code: str, expires_in_seconds: float, scan: str = "") -> None:
        self.said.append(f"{url} {code} {expires_in_seconds:.0f}")

    def waiting(self, seconds_left: float) -> None:
        self.left.append(seconds_left)


@dataclass
class FakeGraph(Graph):
    """A tenant that answers from memory."""

    all_sites: list[TunnelSite] = field(default_factory=lambda: [OSAKA, BERLIN])
    configuration: TunnelConfiguration | None = None
    listed: list[TunnelServer] = field(default_factory=list)
    applications: list[Application] = field(default_factory=list)
    signed_in_as: str = ""
    refusal: Exception | None = None
    cloud: Cloud = CLOUDS["public"]
    listings: int = 0
    person: bool = True
    plans: Sequence[str] = ("INTUNE_A",)

    @property
    def for_person(self) -> bool:
        return self.person

    def licences(self) -> list[LicenseDetails]:
        if self.refusal:
            raise self.refusal
        return [
            LicenseDetails(service_plans=tuple(ServicePlan(service_plan_name=name) for name in self.plans))
        ]

    def sites(self) -> list[TunnelSite]:
        if self.refusal:
            raise self.refusal
        self.listings += 1
        return list(self.all_sites)

    def site(self, site_id: str) -> TunnelSite | None:
        if self.refusal:
            raise self.refusal
        return next((site for site in self.all_sites if site.id == site_id.lower()), None)

    def configuration_of(self, site_id: str) -> TunnelConfiguration | None:
        return self.configuration if any(site.id == site_id for site in self.all_sites) else None

    def servers(self, site_id: str) -> list[TunnelServer]:
        return list(self.listed)

    def server(self, site_id: str, server_id: str) -> TunnelServer | None:
        return next((server for server in self.listed if server.id == server_id), None)

    def find_applications(self, display_name: str) -> list[Application]:
        return [item for item in self.applications if item.display_name == display_name]

    def tenant_id(self) -> str:
        return "99999999-0000-0000-0000-000000000000"


@dataclass
class Accepting(FakeEngine):
    """An engine whose gateway accepts every configuration, unless `once` gives the result of the check."""

    once: Completed = field(default=Completed(0, "", ""))

    @override
    def run_once(
        self, image: str, arguments: Sequence[str], volumes: Sequence[Volume], timeout: float
    ) -> Completed:
        return self.once


def container(status: str = "running", health: Any = "healthy", *, ours: bool = True) -> ContainerState:
    return ContainerState(status, health, {MANAGED_LABEL: "1"} if ours else {})


def configuration(port: int = 443, **more: Any) -> TunnelConfiguration:
    return TunnelConfiguration(
        id="22222222-0000-0000-0000-000000000000",
        display_name="Standard",
        network="169.254.0.0/16",
        dns_servers=("10.0.0.53",),
        listen_port=port,
        **more,
    )


def run_on(host: Host, journal: Journal, prompter: FakePrompter | None = None, **more: Any) -> Run:
    """Return a run on this host; it has no answers unless `more` contains them."""
    given = {
        "console": prompter or FakePrompter(),
        "answers": merge({}, {}),
        "request": NO_REQUEST,
        "protect": lambda _secret: None,
        "host_name": "gw1",
    }
    runner = Runner(host, journal, CODEC, host.clock, lambda _event: None)
    return Run(host, journal, runner, **{**given, **more})


@dataclass
class Scene:
    """A host and its tenant, for several consecutive runs."""

    root: Path
    prompter: FakePrompter = field(default_factory=FakePrompter)
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW.replace(tzinfo=UTC)))
    graph: FakeGraph = field(default_factory=FakeGraph)
    engine: FakeEngine = field(default_factory=FakeEngine)
    systemd: FakeSystemd = field(default_factory=FakeSystemd)
    processes: Processes = field(default_factory=Processes)
    chosen: EngineChoice = PODMAN
    trusted: tuple[Certificate, ...] = ()
    secrets: list[str] = field(default_factory=list)

    @property
    def files(self) -> Files:
        return Files(self.root)

    @cached_property
    def _journal(self) -> Journal:
        return Journal(self.files, self.clock, paths.STATE)

    @property
    def journal(self) -> Journal:
        """The journal of all runs, read from the disk."""
        known = self._journal
        content = b"".join(map(line_of, known.records))
        if known.directory != paths.STATE or self.files.read(known.path) != content:
            del self._journal
        return self._journal

    def write(self, path: str, content: str | bytes) -> Path:
        """Write a file below the root, as another program would; return its real path."""
        file = self.files.locate(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.touch()
            file.chmod(0o644)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def opened(self, **answers: Any) -> Run:
        """Return a run with the stored answers and `answers`: `tenant__cloud` sets `tenant.cloud`."""
        given = {name.replace("__", "."): value for name, value in answers.items()}
        known = remembered(self.journal.receipt, "answers")
        earlier = known if isinstance(known, dict) else {}

        def passphrase(reference: str | None) -> bytes | None:
            if reference is None:
                return None if run.passphrase is None else run.passphrase.encode()
            return run.secret(SecretReference.parse(reference)).encode()

        ports = FakePorts(
            self.files,
            self.processes,
            self.clock,
            self.systemd,
            lambda: (self.engine, self.chosen),
            lambda: run.graph or no_tenant(),
            passphrase,
            trusted=self.trusted,
        )
        run = run_on(
            ports,
            self.journal,
            self.prompter,
            answers=merge(given, {}, earlier=earlier),
            protect=self.secrets.append,
            graph=self.graph,
        )
        return run

    def run(self, step: Step[Run, Any], run: Run) -> tuple[Action, ...]:
        """Run one step to its end with its journal; return the applied actions."""
        return run.runner.run([step], run)[0].actions

    def undo(self) -> None:
        """Undo everything, as an uninstallation does."""
        self.opened().runner.undo()

    def remember(self, name: str, value: Any) -> None:
        """Record a stored answer of an earlier run."""
        self.finished({"kind": "remember", "name": name, "value": value}, f"answer:{name}", {"value": value})

    def join(self, site: TunnelSite) -> None:
        """Record that an earlier run joined the site."""
        address = site.public_address or ""
        self.remember("joined-site", {"id": site.id, "name": site.display_name, "public_address": address})

    def registered(self, site: TunnelSite, server_id: str) -> None:
        """Record that an earlier run registered this server in a site."""
        server = RegisterServer(
            site_id=site.id, server_name="gw1", deployment_mode=DeploymentMode.STANDALONE_ROOTFUL
        )
        self.finished(CODEC.dump(server), server.key, {"server_id": server_id})

    def started(self) -> None:
        """Record that an earlier run started the gateway."""
        action = {"kind": "remember", "name": "started", "value": True}
        self.finished(action, "answer:started", {}, step="launch")

    def finished(
        self,
        action: dict[str, Any],
        key: str,
        outputs: dict[str, Any],
        step: str = "earlier",
        before: JsonObject | None = None,
    ) -> None:
        """Record a finished action of an earlier run; `before` is what undo needs."""
        journal = self.journal
        journal.begin_installation()
        journal.append("begin", step=step, key=key, action=action, before=before or {})
        journal.append("done", key=key, outputs=outputs)

    def certificate(self, pki: Pki | None = None, directory: str = "/root") -> dict[str, Any]:
        """Write chain and key below the root; return the answers that name them, for `opened`."""
        pki = pki or Pki()
        chain = self.write(f"{directory}/chain.pem", pki.pem("leaf") + pki.pem("inter"))
        key = self.write(f"{directory}/key.pem", key_bytes(pki.key_name("leaf")))
        return {"certificate__chain": str(chain), "certificate__key": str(key)}

    def identity(self, *names: str) -> Identity:
        """Return a certificate for these names, of a CA that this host trusts, as read by a step."""
        pki = Pki({"leaf": {"names": names}})
        self.trusted = (pki.certificate("root"),)
        given = self.certificate(pki)
        source = IdentitySource(chain=given["certificate__chain"], key=given["certificate__key"])
        return self.opened().host.load(source)


def tree(root: Path) -> dict[str, tuple[int, bytes]]:
    """Return everything below `root` by path: the mode, and the content or the target of a link."""

    def content(path: Path) -> bytes:
        if path.is_symlink():
            return bytes(path.readlink())
        return path.read_bytes() if path.is_file() else b""

    return {str(path.relative_to(root)): (path.lstat().st_mode, content(path)) for path in root.rglob("*")}


def paths_of(actions: Sequence[Action]) -> list[str]:
    """Return the keys of the actions."""
    return [action.key for action in actions]
