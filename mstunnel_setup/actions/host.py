"""The host of one run, as actions use it: built once; expensive parts are opened at their first use."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from cryptography.x509 import Certificate

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import EngineError, SignInError, StepError, UsageError
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.base.text import printable, text
from mstunnel_setup.certificates import ca_trust
from mstunnel_setup.certificates.certificate import Identity
from mstunnel_setup.certificates.chain_building import prefer_trusted
from mstunnel_setup.certificates.load import IdentitySource, Passphrases
from mstunnel_setup.containers.choice import EnginePreference
from mstunnel_setup.containers.container_spec import Progress, Volume
from mstunnel_setup.containers.engine import ENGINE_FAILED
from mstunnel_setup.containers.gateway_host import GatewayHost, gateway_host
from mstunnel_setup.io.operator import Operator

if TYPE_CHECKING:
    from mstunnel_setup.tenant.graph import Graph

CANDIDATE = f"{paths.STATE}/candidate-ocserv.conf"
_CHECK = "/usr/libexec/mstunnel/check-configuration"
_CHECK_SECONDS = 60.0
# podman-run(1), `docker run`: the runtime could not start the program, or the image does not have it.
_NOT_STARTED, _NO_SUCH_PROGRAM = 126, 127


def no_tenant() -> "Graph":
    """Raise SignInError: nothing has signed in."""
    raise SignInError(
        "not-signed-in",
        "not signed in",
        hint="Run the step `sign-in` first.",
    )


def no_passphrases(reference: str | None) -> bytes | None:
    """Raise UsageError for a reference: this command reads no secrets."""
    if reference is not None:
        raise UsageError(
            "passphrase-unexpected",
            "a passphrase is given ({reference}), but no key needs one",
            hint="Leave it out.",
            reference=reference,
        )
    return None


@dataclass(frozen=True)
class Host(GatewayHost):
    """The host and the tenant on which a run's actions work.

    `tenant` is called when the tenant is first needed.
    """

    tenant: "Callable[[], Graph]" = no_tenant
    passphrase: Passphrases = no_passphrases
    progress: Progress = lambda _fetched, _known: None
    scope: Scope = Scope.ALL

    @property
    def state_directory(self) -> str:
        """The directory with journal and saved files of this part."""
        return paths.HOST_STATE if self.scope is Scope.HOST else paths.STATE

    @property
    def graph(self) -> "Graph":
        """The tenant. Raises SignInError before the step `sign-in`."""
        return self.tenant()

    @cached_property
    def system_roots(self) -> "tuple[Certificate, ...]":
        """The public authorities that this system trusts."""
        return ca_trust.system_roots(self.files)

    @property
    def private_roots(self) -> "tuple[Certificate, ...]":
        """The roots that an administrator added below ca-trust."""
        return tuple(root for _, root in ca_trust.added_roots(self.files))

    @property
    def trusted_roots(self) -> "tuple[Certificate, ...]":
        """All roots that devices may be expected to know."""
        return (*self.system_roots, *self.private_roots)

    def load(self, source: IdentitySource) -> Identity:
        """Read an identity as `source.read` does, preferring a chain that ends in a trusted root."""
        found = source.read(self.files, self.passphrase)
        return prefer_trusted(found, self.trusted_roots, self.clock.now())

    def check_gateway_configuration(self, image: str, text: str) -> None:
        """Have the gateway image test `text` as its ocserv.conf.

        Raises StepError `gateway-configuration-refused` with ocserv's reason, and as `gateway_refusal`.
        """
        if reason := self.gateway_refusal(image, text):
            raise StepError(
                "gateway-configuration-refused",
                "ocserv rejects the server configuration of this site: {error}",
                hint="Correct the server configuration in the admin center, then run the command again.",
                error=reason,
            )

    def gateway_refusal(self, image: str, configuration: str) -> str:
        """Return why the gateway image refuses this ocserv.conf, or a file named there; empty if accepted.

        Raises EngineError `engine-failed` with the reason of the container runtime, or `image-not-gateway`.
        """
        self.files.write(CANDIDATE, configuration.encode(), 0o600)
        seen = [
            Volume(host=str(self.files.locate(path)), container=path, options=("ro", "z"))
            for path in (paths.CONFIGURATION, CANDIDATE)
        ]
        try:
            finished = self.engine.run_once(image, (_CHECK, CANDIDATE), seen, _CHECK_SECONDS)
        finally:
            self.files.remove(CANDIDATE)
        if finished.code == _NOT_STARTED:
            reason = printable(finished.error).strip()
            raise ENGINE_FAILED(operation=text("start a container of {image}", image=image), reason=reason)
        if finished.code == _NO_SUCH_PROGRAM:
            raise EngineError(
                "image-not-gateway",
                "image {image} is not the gateway image",
                hint="Correct `images.server` (the two images may be swapped), then run the command again.",
                image=image,
            )
        if finished.code == 0:
            return ""
        return printable(finished.error or finished.output).strip() or text(
            "exit code {code}", code=finished.code
        )


@contextmanager
def build_host(
    operator: Operator,
    scope: Scope,
    preference: EnginePreference,
    *,
    tenant: "Callable[[], Graph]" = no_tenant,
    passphrase: Passphrases = no_passphrases,
) -> Iterator[Host]:
    """Build the operator's host for one run. Anything started only for the run ends with it."""
    with gateway_host(operator, scope, preference) as host:
        yield Host(
            host.files,
            host.processes,
            host.clock,
            host.systemd,
            host.engine_opener,
            tenant,
            passphrase,
            operator.download,
            scope,
        )
