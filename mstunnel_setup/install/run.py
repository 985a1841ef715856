"""One run: the host, the answers, the journal and the console of a command, and what it has found out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from mstunnel_setup.actions.codec import CODEC
from mstunnel_setup.actions.host import Host
from mstunnel_setup.answers.merge import Answers, answered
from mstunnel_setup.answers.secret import SecretReference, reveal
from mstunnel_setup.base.errors import SetupError, UsageError
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.base.text import sentence
from mstunnel_setup.base.values import JsonValue, as_object, json_bytes
from mstunnel_setup.certificates.certificate import Identity
from mstunnel_setup.containers import uplink_address
from mstunnel_setup.containers.choice import engine_of
from mstunnel_setup.install.joined_site import JoinedSite
from mstunnel_setup.install.request import InstallRequest
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.operator import Prompter
from mstunnel_setup.readiness.facts.host import HostReader, ipv6_obstacle
from mstunnel_setup.readiness.facts.section import EngineName, Settings
from mstunnel_setup.readiness.model import ReadinessFacts
from mstunnel_setup.tenant.graph import Graph
from mstunnel_setup.tenant.wire import TunnelSite
from mstunnel_setup.transaction.journal import Journal
from mstunnel_setup.transaction.receipt import Receipt, remembered
from mstunnel_setup.transaction.runner import Runner


@dataclass
class Run:
    """Everything one command works with, from lock to result; every step gets it.

    `protect` gets every secret that is read, so that no output shows it. The fields from `person_answered` on
    are what this run has found out or was answered, each set by one step: later steps need it before it is on
    the disk, so that a plan is the same as the run, and no question is asked twice.
    """

    host: Host
    journal: Journal
    runner: Runner
    console: Prompter
    answers: Answers
    request: InstallRequest
    protect: Callable[[str], None]
    host_name: str
    person_answered: bool = False
    environment: bytes | None = None
    passphrase: str | None = None
    identity: Identity | None = None
    graph: Graph | None = None
    administrator: bool = False
    """True if `graph` is signed in as an administrator, and not as this server."""
    site: TunnelSite | None = None
    examined: tuple[str, ...] = ()
    """Names of the steps for which the host is checked; empty if it is not checked."""
    facts: ReadinessFacts | None = None
    """Facts about the host, as read by the checks before the first change."""
    noted: set[str] = field(default_factory=set)
    removable: set[str] = field(default_factory=set)
    """The ids of objects in the tenant that a person agreed to remove."""

    @property
    def files(self) -> Files:
        """The files of the host."""
        return self.host.files

    @property
    def scope(self) -> Scope:
        """The part that this run does."""
        return self.host.scope

    @property
    def receipt(self) -> Receipt:
        """The objects that this installation has on the host now."""
        return self.journal.receipt

    @property
    def port(self) -> int:
        """The gateway's port as known before the tenant's configuration is read."""
        return self.request.port or next(iter(uplink_address.prepared(self.files)), 443)

    @property
    def server_name(self) -> str:
        """Name of this server in the tenant."""
        return self.answers.server_name or self.host_name

    @property
    def engine_name(self) -> EngineName:
        """The installed engine, else the requested one, else Podman, or Docker if only that is present.

        The engine is not started for this: a running engine would not notice the changes that follow.
        """
        installed, wanted = engine_of(self.receipt), self.answers.engine
        if installed is not None:
            return installed
        if wanted != "auto":
            return wanted
        find = self.host.processes.find
        return "docker" if find("podman") is None and find("docker") is not None else "podman"

    @property
    def gateway_gets_ipv6(self) -> bool:
        """True if the host has IPv6 and its container engine can pass it to the gateway."""
        return not ipv6_obstacle(self.host_reader.addresses(), self.answers.mode, self.engine_name)

    @property
    def host_reader(self) -> HostReader:
        """A reader of the facts of this host that depend on no setting."""
        return HostReader(self.files, self.host.clock, Settings(), {})

    def readiness_settings(self, port: int = 443) -> Settings:
        """Return the settings of the readiness checks for the gateway that the answers describe."""
        return Settings(
            mode=self.answers.mode,
            account=self.answers.account,
            engine=self.answers.engine,
            cloud=self.answers.tenant.cloud,
            port=port,
            bridge=self.answers.bridge or "",
        )

    @property
    def joined_site(self) -> JoinedSite | None:
        """The site that an earlier step joined."""
        return JoinedSite.of(self.receipt)

    def take(self, values: Mapping[str, object]) -> None:
        """Use the answers that a person just gave, by setting path. Raises UsageError."""
        self.answers = answered(self.answers, values)
        self.person_answered = True

    def answer(self, path: str, question: str) -> str:
        """Return the setting with this path; prompt a person for a missing one until it is valid."""
        while self.answers.value(path) is None:
            typed = self.console.ask(question)
            try:
                self.take({path: typed})
            except UsageError as error:
                self.console.say(error.message.removeprefix("option: "))
        return str(self.answers.value(path))

    def is_new(self, *settings: str) -> bool:
        """Return whether one of the settings, by path, differs from the value stored by earlier runs."""
        before, values = as_object(remembered(self.receipt, "answers")), self.answers.record()
        return any(values.get(path) != before.get(path) for path in settings)

    def answering(self, answers: Answers) -> "Run":
        """Return a copy of the run with other answers."""
        return replace(self, answers=answers)

    def note(self, template: str, /, **values: object) -> None:
        """Show a message that several steps may issue, once in a run."""
        said = sentence(template, values)
        if said not in self.noted:
            self.noted.add(said)
            self.console.say(said)

    def ignores(self, check: str) -> bool:
        """Return whether the administrator chose to ignore this check."""
        return check in self.request.ignored_checks

    def fail(self, error: SetupError) -> None:
        """Raise the error of a failed check, unless the administrator ignores its code."""
        if not self.ignores(error.code):
            raise error
        self.note("Ignored (--ignore-check): {problem}", problem=error.message)

    def secret(self, reference: SecretReference | None, *, may_be_empty: bool = False) -> str:
        """Read the secret that `reference` names; empty without a reference. Raises UsageError."""
        return reveal(reference, self.files, self.protect, may_be_empty=may_be_empty)

    def write_receipt(self) -> None:
        """Write the readable receipt, and the copy beside the journal, if they changed."""
        entries = self.receipt.entries.values()
        objects: list[JsonValue] = []
        for entry in entries:
            what = CODEC.load(entry.versions[-1]).describe()
            objects.append({"key": entry.key, "step": entry.step, "what": what, "finished": entry.finished})
        content = json_bytes({"version": 1, "installation": self.journal.installation_id, "objects": objects})
        path = self.journal.receipt_path
        self.journal.save_copy()
        if entries and content != self.files.read(path):
            self.files.write(path, content, 0o600)
