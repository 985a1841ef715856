"""What every step gets to see."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from mstunnel_setup.actions.host import Host
from mstunnel_setup.actions.store_answer import remembered
from mstunnel_setup.answers.merge import Answers, answered
from mstunnel_setup.answers.secret import SecretReference, reveal
from mstunnel_setup.base.errors import SetupError, UsageError
from mstunnel_setup.base.text import sentence
from mstunnel_setup.base.values import as_object
from mstunnel_setup.certificates.certificate import Identity
from mstunnel_setup.containers.choice import engine_of
from mstunnel_setup.install.report import JoinedSite
from mstunnel_setup.io.operator import Prompter
from mstunnel_setup.readiness.facts.host import HostReader, ipv6_obstacle
from mstunnel_setup.readiness.facts.section import EngineName, Settings
from mstunnel_setup.readiness.model import ReadinessFacts
from mstunnel_setup.tenant.graph import Graph
from mstunnel_setup.tenant.wire import TunnelSite
from mstunnel_setup.transaction.receipt import Receipt


@dataclass
class RunCache:
    """What was found out or answered in one run, each field by one step.

    Later steps need it before it is on the disk, so that a plan is the same as the run; and no question is
    asked twice.
    """

    answers: Answers
    person_answered: bool = False
    environment: bytes | None = None
    passphrase: str | None = None
    identity: Identity | None = None
    graph: Graph | None = None
    administrator: bool = False
    """Whether `graph` is signed in as an administrator, not as this server."""
    site: TunnelSite | None = None
    facts: ReadinessFacts | None = None
    """What the checks before the first change have found."""
    noted: set[str] = field(default_factory=set)
    removable: set[str] = field(default_factory=set)
    """The ids of objects in the tenant that a person agreed to remove."""


@dataclass(frozen=True)
class Context:
    """Host, answers, the administrator, and the journal folded as it stands now.

    `protect` gets every secret that is read, so that no output shows it. `port` is what the gateway will
    listen on, where that matters before the tenant was asked.
    """

    host: Host
    cache: RunCache
    prompter: Prompter
    read_receipt: Callable[[], Receipt]
    protect: Callable[[str], None]
    host_name: str
    ignored_checks: frozenset[str] = frozenset()
    port: int = 443

    @property
    def receipt(self) -> Receipt:
        """What stands on the host because of us."""
        return self.read_receipt()

    @property
    def answers(self) -> Answers:
        """The answers, those that a person gave during this run among them."""
        return self.cache.answers

    @property
    def server_name(self) -> str:
        """Name of this server in the tenant."""
        return self.answers.server_name or self.host_name

    @property
    def engine_name(self) -> EngineName:
        """That of the installation here, else the one asked for, else Podman, or Docker where only that is.

        Nothing is asked of the engine itself: once it runs for us it would not see what is about to change.
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
        """Whether the host has IPv6, and its container engine can give it to the gateway."""
        return not ipv6_obstacle(self.host_reader.addresses(), self.answers.mode, self.engine_name)

    @property
    def host_reader(self) -> HostReader:
        """What reads facts of this host that depend on no setting."""
        return HostReader(self.host.files, self.host.clock, Settings(), {})

    def readiness_settings(self, port: int = 443) -> Settings:
        """The planned gateway as the readiness checks see it, as the answers describe it."""
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
        """Use what a person just answered, by setting path. Raises UsageError."""
        self.cache.answers = answered(self.answers, values)
        self.cache.person_answered = True

    def answer(self, path: str, question: str) -> str:
        """The value of the setting with `path`; a person is asked for what is missing, until it fits."""
        while self.answers.value(path) is None:
            typed = self.prompter.ask(question)
            try:
                self.take({path: typed})
            except UsageError as error:
                self.prompter.say(error.message.removeprefix("option: "))
        return str(self.answers.value(path))

    def is_new(self, *settings: str) -> bool:
        """Whether one of the settings, by path, has another value than earlier runs have stored."""
        before, values = as_object(remembered(self.receipt, "answers")), self.answers.record()
        return any(values.get(path) != before.get(path) for path in settings)

    def answering(self, answers: Answers) -> "Context":
        """The same run with other answers."""
        return replace(self, cache=replace(self.cache, answers=answers))

    def note(self, template: str, /, **values: object) -> None:
        """Announce something that several steps may find; it is shown once in a run."""
        said = sentence(template, values)
        if said not in self.cache.noted:
            self.cache.noted.add(said)
            self.prompter.say(said)

    def fail(self, error: SetupError) -> None:
        """Raise the failed check, unless the administrator chose to ignore it by its code."""
        if error.code not in self.ignored_checks:
            raise error
        self.note("Ignored (--ignore-check): {problem}", problem=error.message)

    def secret(self, reference: SecretReference | None, *, may_be_empty: bool = False) -> str:
        """The secret that `reference` names; empty without one. Raises UsageError."""
        return reveal(reference, self.host.files, self.protect, may_be_empty=may_be_empty)
