"""What every step gets to see."""

import os
from collections.abc import Callable
from dataclasses import dataclass

from mstunnel_setup.answers.merge import Answers, answered
from mstunnel_setup.answers.secret import SecretReference, resolve
from mstunnel_setup.engine.receipt import Receipt
from mstunnel_setup.errors import CheckError, UsageError
from mstunnel_setup.host.files import Files
from mstunnel_setup.install.world import World
from mstunnel_setup.operator import Prompter
from mstunnel_setup.tenant.wire import TunnelSite
from mstunnel_setup.tls.model import Identity


@dataclass
class Context:
    """World, answers, the administrator, and the journal folded as it stands now.

    `protect` gets every secret that is read, so that no output shows it. `administrator` asks for an
    administrator's sign-in even where the server's own identity would do (to remove that identity). `port` is
    what the gateway will listen on, where that matters before the tenant was asked. The
    fields from `environment` on are what was found out earlier in this run: later steps need it before it
    lies on the disk, so that a plan is the same as the run, and no question is asked twice.
    """

    world: World
    answers: Answers
    prompter: Prompter
    read_receipt: Callable[[], Receipt]
    protect: Callable[[str], None]
    host_name: str
    ignored_checks: frozenset[str] = frozenset()
    administrator: bool = False
    port: int = 443
    environment: bytes | None = None
    identity: Identity | None = None
    site: TunnelSite | None = None
    eula_accepted: bool = False
    signed_in: bool = False

    @property
    def receipt(self) -> Receipt:
        """What stands on the host because of us."""
        return self.read_receipt()

    @property
    def server_name(self) -> str:
        """Name of this server in the tenant."""
        return self.answers.server_name or self.host_name

    def answer(self, path: str, question: str) -> str:
        """The value of the setting with `path`; a person is asked for what is missing, until it fits."""
        while self.answers.value(path) is None:
            typed = self.prompter.ask(question)
            try:
                self.answers = answered(self.answers, path, typed)
            except UsageError as error:
                self.prompter.say(error.message.removeprefix("option: "))
        return str(self.answers.value(path))

    def fail(self, error: CheckError) -> None:
        """Raise the failed check, unless the administrator chose to ignore it by its code."""
        if error.code not in self.ignored_checks:
            raise error
        self.prompter.say(f"Ignored (--ignore-check): {error.message}")

    def secret(self, reference: SecretReference | None) -> str:
        """The secret that `reference` names; empty without one. Raises UsageError."""
        if reference is None:
            return ""
        value = resolve(reference, Files(), os.environ).reveal()
        self.protect(value)
        return value
