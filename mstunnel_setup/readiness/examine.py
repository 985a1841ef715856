"""One examination: the readers for the requested groups, run concurrently, and the verdicts."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from mstunnel_setup.actions import firewall
from mstunnel_setup.base.errors import SetupError
from mstunnel_setup.base.text import text
from mstunnel_setup.certificates.ca_trust import added_roots_pem
from mstunnel_setup.certificates.load import IdentitySource, Passphrases
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.http import HttpSession
from mstunnel_setup.io.network import Trust
from mstunnel_setup.io.process import Processes
from mstunnel_setup.io.threads import DaemonPool, LateError, result_within
from mstunnel_setup.readiness import checks
from mstunnel_setup.readiness.data import CUSTOM, Endpoint
from mstunnel_setup.readiness.facts.certificate import CertificateReader
from mstunnel_setup.readiness.facts.cloud import CloudReader, NetworkFacts
from mstunnel_setup.readiness.facts.host import HostReader, KernelFacts, RootlessFacts, TunnelFacts
from mstunnel_setup.readiness.facts.programs import ProgramReader, obstacle
from mstunnel_setup.readiness.facts.section import Section, Settings
from mstunnel_setup.readiness.facts.tenant_account import AccountFacts
from mstunnel_setup.readiness.facts.vendor import vendor
from mstunnel_setup.readiness.model import CheckFinding, Group, ReadinessFacts, Unread

Reader: TypeAlias = Callable[[], Section]

# The hint for an error of the host that is not a declared one.
_AFTER_FAILURE = text("Fix the cause, then run the command again.")
# This many slow commands may run one after the other within the deadline.
_QUESTIONS = 4


@dataclass(frozen=True)
class Wanted:
    """The scope of an examination: groups, planned gateway, certificate, and the cloud's endpoints.

    `deadline` (seconds) is for everything together. `account` is read in advance, because that waits for a
    person; `read_account` reads an account without waiting for one.
    """

    settings: Settings
    groups: frozenset[Group]
    endpoints: tuple[Endpoint, ...] = ()
    deadline: float = 20.0
    certificate: IdentitySource = field(default_factory=IdentitySource)
    passphrase: Passphrases = lambda _reference: None
    address: str = ""
    site: str = ""
    ca_pem: str = ""
    account: AccountFacts = field(default_factory=lambda: AccountFacts(tried=False))
    read_account: Callable[[], AccountFacts] | None = None


@dataclass(frozen=True)
class Examiner:
    """Examines the host behind the ports.

    `answered` are the answers for `env.sh`: an installation uses the proxy named there.
    """

    files: Files
    processes: Processes
    clock: Clock
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    answered: Mapping[str, str] = field(default_factory=dict)

    def findings(self, wanted: Wanted) -> tuple[CheckFinding, ...]:
        """Return the findings of all checks of the requested groups."""
        return checks.judge(checks.of(wanted.groups), self.facts(wanted))

    def facts(self, wanted: Wanted) -> ReadinessFacts:
        """Return all facts for the requested groups, read within the deadline."""
        chosen = checks.of(wanted.groups)
        needed = {name for check in chosen for name in check.needs}
        readers = {name: reader for name, reader in self._readers(wanted).items() if name in needed}
        facts = gather(readers, wanted.settings, self.clock, wanted.deadline)
        account = wanted.account if wanted.read_account is None else facts.account
        tunnel = known_tunnel(facts.tunnel, account or wanted.account, wanted.site)
        return facts.model_copy(update={"account": account, "tunnel": tunnel})

    def host_reader(self, settings: Settings) -> HostReader:
        """Return the reader of the host's files."""
        return HostReader(self.files, self.clock, settings, self.environment, self.answered)

    def program_reader(self, settings: Settings, seconds: float = 5.0) -> ProgramReader:
        """Return the reader that runs programs of the host, each for `seconds` at most."""
        return ProgramReader(self.files, self.processes, settings, seconds)

    def open_http(self, roots: str, *, timeout: float = 30, deadline: float = 120) -> HttpSession:
        """Return a session through the configured proxy; it also trusts `roots` (PEM)."""
        for item in self.host_reader(Settings()).proxies().places:
            os.environ.setdefault(item.name, item.value)
        return HttpSession(self.clock, roots=roots, timeout=timeout, deadline=deadline)

    def _readers(self, wanted: Wanted) -> dict[str, Reader]:
        settings = wanted.settings
        host = self.host_reader(settings)
        programs = self.program_reader(settings, wanted.deadline / _QUESTIONS)
        seconds = min(5.0, wanted.deadline / 4)

        def roots() -> str:
            return f"{added_roots_pem(self.files)}\n{wanted.ca_pem}".strip()

        def open_http() -> HttpSession:
            return self.open_http(roots(), timeout=seconds, deadline=seconds)

        certificate = CertificateReader(
            self.files,
            self.clock,
            wanted.certificate,
            wanted.passphrase,
            wanted.address,
            lab=settings.cloud == CUSTOM,
            open_http=open_http,
        )

        def kernel() -> KernelFacts:
            found = host.kernel()
            if self.files.state(firewall.RULES) is None:
                return found
            rules = {True: "loaded", False: "unloaded", None: "unknown"}[firewall.loaded(self.processes)]
            return found.model_copy(update={"forwarding_rules": rules})

        def rootless() -> RootlessFacts:
            found = obstacle(self.files, self.processes) if settings.mode == "rootless" else ""
            return host.rootless().model_copy(update={"uplink_obstacle": found})

        def network() -> NetworkFacts:
            tried, trust, proxies = wanted.endpoints, Trust(roots()), host.proxies().in_use
            return CloudReader(
                tried, trust, self.clock, wanted.deadline, *proxies, cloud=settings.cloud
            ).network()

        account = {} if wanted.read_account is None else {"account": wanted.read_account}
        return {
            **account,
            "system": host.system,
            "kernel": kernel,
            "engine": programs.engine,
            "addresses": host.addresses,
            "tunnel": host.tunnel,
            "proxies": host.proxies,
            "security": programs.security,
            "ports": host.ports,
            "vendor": lambda: vendor(self.files, self.processes),
            "rootless": rootless,
            "certificate": certificate.certificate,
            "revocation": certificate.revocation,
            "network": network,
        }


def known_tunnel(installed: TunnelFacts | None, account: AccountFacts, site: str) -> TunnelFacts | None:
    """Return the configuration of the installed gateway, or else of the named or the only site."""
    if installed is None or installed.source:
        return installed
    if site in account.tunnels:
        return account.tunnels[site]
    only = list(account.tunnels.values())
    return only[0] if len(only) == 1 else installed


def gather(
    readers: Mapping[str, Reader], settings: Settings, clock: Clock, deadline: float
) -> ReadinessFacts:
    """Run all readers, each named after its section, for at most `deadline` seconds.

    A reader that fails or is late leaves its section out, with the reason in `unread`.
    """
    end = clock.monotonic() + deadline
    sections: dict[str, Section] = {}
    unread: dict[str, Unread] = {}
    # The threads are daemons, so one that hangs in a system call delays neither us nor the end.
    with DaemonPool(max(1, len(readers))) as pool:
        running = {name: pool.submit(reader) for name, reader in readers.items()}
        for name, result in running.items():
            try:
                sections[name] = result_within(result, end - clock.monotonic())
            except LateError:
                unread[name] = Unread(reason=f"no answer within {deadline:.0f} s")
            except SetupError as error:
                unread[name] = Unread(reason=error.message, hint=error.hint)
            except OSError as error:
                unread[name] = Unread(reason=error.strerror or str(error), hint=_AFTER_FAILURE)
    return ReadinessFacts.model_validate({"settings": settings, "unread": unread, **sections})
