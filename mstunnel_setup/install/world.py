"""The ports that actions act on, in one place; the expensive ones are opened when first used."""

import ssl
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property

from cryptography.x509 import Certificate

from mstunnel_setup import paths
from mstunnel_setup.containers.choice import Chosen, EnginePreference, open_engine
from mstunnel_setup.containers.engine import ContainerEngine, ContainerState, Progress
from mstunnel_setup.containers.spec import Volume
from mstunnel_setup.containers.systemd import Systemd
from mstunnel_setup.errors import CertificateError
from mstunnel_setup.host.clock import Clock
from mstunnel_setup.host.files import Files
from mstunnel_setup.host.process import Processes
from mstunnel_setup.install.errors import GATEWAY_CONFIGURATION_REFUSED, IMAGE_NOT_GATEWAY, NOT_SIGNED_IN
from mstunnel_setup.install.scope import Scope
from mstunnel_setup.tenant.graph import Graph
from mstunnel_setup.text import printable
from mstunnel_setup.tls.ca_trust import added_roots
from mstunnel_setup.tls.read import read_material

CANDIDATE = f"{paths.STATE}/candidate-ocserv.conf"
_CHECK = "/usr/libexec/mstunnel/check-configuration"
# podman-run(1): the command cannot be run, or is not there.
_NO_SUCH_PROGRAM = (126, 127)
_UNDECIDED = "starting"
_SYSTEM_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


class World:
    """Ports of one run. Close it to end what was started for the run alone."""

    def __init__(
        self,
        files: Files,
        processes: Processes,
        clock: Clock,
        passphrase: Callable[[str], bytes],
        progress: Progress,
        *,
        scope: Scope = Scope.ALL,
    ) -> None:
        self.files = files
        self.processes = processes
        self.clock = clock
        self.progress = progress
        self.scope = scope
        self.systemd = Systemd(processes, user=scope is Scope.ACCOUNT)
        self.state_directory = paths.HOST_STATE if scope is Scope.HOST else paths.STATE
        self.wish = EnginePreference()
        self.typed_passphrase: str | None = None
        self._read_passphrase = passphrase
        self._graph: Graph | None = None
        self._open = ExitStack()

    @cached_property
    def engine(self) -> ContainerEngine:
        """The container engine. Raises EngineError when there is none, or none that can run the gateway."""
        return self._opened[0]

    @cached_property
    def chosen(self) -> Chosen:
        """Which engine that is, and why. Raises EngineError as `engine` does."""
        return self._opened[1]

    @cached_property
    def _opened(self) -> tuple[ContainerEngine, Chosen]:
        return open_engine(self.wish, self.files, self.processes, self.clock, self._open)

    @cached_property
    def system_roots(self) -> tuple[Certificate, ...]:
        """The public authorities that this system trusts."""
        bundle = ssl.get_default_verify_paths().openssl_cafile
        return _certificates(self.files.read_given(_SYSTEM_BUNDLE) or self.files.read_given(bundle) or b"")

    @property
    def private_roots(self) -> tuple[Certificate, ...]:
        """The roots that an administrator added below ca-trust."""
        return tuple(root for _, root in added_roots(self.files))

    @property
    def trusted_roots(self) -> tuple[Certificate, ...]:
        """All roots that devices may be expected to know."""
        return (*self.system_roots, *self.private_roots)

    @property
    def graph(self) -> Graph:
        """The tenant. Raises SignInError before the step `sign-in`."""
        if self._graph is None:
            raise NOT_SIGNED_IN()
        return self._graph

    @graph.setter
    def graph(self, graph: Graph) -> None:
        self._graph = graph

    def passphrase(self, reference: str | None) -> bytes | None:
        """The passphrase `reference` names; without a reference the one typed during this run, if any."""
        if reference is not None:
            return self._read_passphrase(reference)
        return None if self.typed_passphrase is None else self.typed_passphrase.encode()

    def check_gateway_configuration(self, image: str, text: str) -> None:
        """Have the gateway image test `text` as its ocserv.conf.

        Raises StepError `gateway-configuration-refused` with ocserv's reason.
        """
        self.files.write(CANDIDATE, text.encode(), 0o600)
        try:
            volumes = [self._seen(paths.CONFIGURATION), self._seen(CANDIDATE)]
            finished = self.engine.run_once(
                image, ("/usr/libexec/mstunnel/check-configuration", CANDIDATE), volumes, 60
            )
        finally:
            self.files.remove(CANDIDATE)
        if finished.code in _NO_SUCH_PROGRAM:
            raise IMAGE_NOT_GATEWAY(image=image)
        if finished.code != 0:
            raise GATEWAY_CONFIGURATION_REFUSED(error=printable(finished.error or finished.output).strip())

    def _seen(self, path: str) -> Volume:
        """A path of the host that a container sees, read-only, under the same name."""
        return Volume(host=str(self.files.locate(path)), container=path, options=("ro", "z"))

    def container(self, name: str) -> ContainerState | None:
        """The state of a container; after a health check where the engine makes none, or has not yet."""
        state = self.engine.inspect(name)
        if state is None or state.status != "running" or state.health is None:
            return state
        if self.systemd.running() and state.health != _UNDECIDED:
            return state
        passed = self.engine.probe(name)
        state = self.engine.inspect(name)
        # Docker itself counts only the checks that it makes.
        well = passed and state is not None and state.health == _UNDECIDED
        return replace(state, health="healthy") if well and state is not None else state

    def start(self, container: str) -> None:
        """Start a container of ours, through its service where there is one."""
        if self.systemd.known(f"{container}.service"):
            self.systemd.start(f"{container}.service")
        else:
            self.engine.start(container)

    def stop(self, container: str) -> None:
        """Stop a container of ours, through its service where there is one."""
        if self.systemd.known(f"{container}.service"):
            self.systemd.stop(f"{container}.service")
        else:
            self.engine.stop(container)

    def restart(self, container: str) -> None:
        """Stop and start a container of ours, through its service where there is one."""
        if self.systemd.known(f"{container}.service"):
            self.systemd.restart(f"{container}.service")
        else:
            self.engine.restart(container)

    def close(self) -> None:
        """End what was started for this run."""
        self._open.close()


def _certificates(bundle: bytes) -> tuple[Certificate, ...]:
    """The certificates of a PEM bundle; what cannot be read is ignored."""
    try:
        return read_material(bundle).certificates
    except CertificateError:
        return ()
