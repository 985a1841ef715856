"""Manifests for hosts that others prepare: Kubernetes, and the values of the Helm chart.

Kubernetes runs both containers in one pod, with a ConfigMap, Secrets and a claim. The pod has no prepared
host: a ConfigMap replaces the files in /etc/mstunnel, and two init containers lay out the volumes. Secrets
have placeholders; secret content is never read here.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from mstunnel_setup.base import paths, rendering
from mstunnel_setup.containers.container_spec import CONFIGURATION_LABEL, ContainerSpec

CHAIN: Final = f"{paths.ACTIVE}/chain.pem"
KEY: Final = f"{paths.ACTIVE}/key.pem"
SECRET_FILES: Final = (CHAIN, KEY, paths.ENVIRONMENT, paths.AGENT_CREDENTIAL)
"""The files whose content the Secrets need."""
NODES: Final = "<addresses of the nodes>"
"""A placeholder for the addresses that devices must not reach: no host outside the cluster knows them."""

# Volumes of the pod, by their paths in a container.
_STATES: Final = {paths.SERVER_STATE_INSIDE: "server-state", paths.AGENT_STATE_INSIDE: "agent-state"}
_OF_SERVER: Final = {paths.CONFIGURATION: "server-configuration", **_STATES}
_OF_AGENT: Final = {
    paths.CONFIGURATION: "agent-configuration",
    paths.AGENT_DIRECTORY: "agent",
    paths.INBOX: "inbox",
    **_STATES,
}
# A new volume is writable for all users, or its owner depends on the engine. In these volumes an init
# container creates a directory as the user who writes there.
_OWNED: Final = frozenset({"server-state", "agent-state", "inbox", "agent"})


@dataclass(frozen=True)
class ConfigurationFile:
    """A file below /etc/mstunnel; its content may be a placeholder."""

    path: str
    content: str

    @property
    def key(self) -> str:
        """Its name in the ConfigMap, which has no directories: `__` stands for `/`."""
        return self.path.removeprefix(f"{paths.CONFIGURATION}/").replace("/", "__")

    @property
    def lines(self) -> Sequence[str]:
        """The lines of its content."""
        return self.content.splitlines()


@dataclass(frozen=True)
class _Mount:
    volume: str
    path: str
    read_only: bool = False

    @property
    def directory(self) -> str:
        """The mounted directory of the volume; empty for the whole volume."""
        return "own" if self.volume in _OWNED else ""


def placeholder(path: str) -> str:
    """Return a placeholder for the content of `path`; the agent's credential is binary, so base64."""
    form = "base64" if path == paths.AGENT_CREDENTIAL else "content"
    return f"<{form} of {path}>"


def manifest(server: ContainerSpec, agent: ContainerSpec, files: Sequence[ConfigurationFile]) -> str:
    """Return the text of `mstunnel.yaml`. Raises StepError `value-unquotable`."""
    devices = {path: path.removeprefix("/").replace("/", "-") for path in server.devices}
    mounts = {
        server.name: [
            *_volumes(server, _OF_SERVER),
            # The directory of the Secret itself is mounted, so that a renewed certificate is served without a
            # restart.
            _Mount("certificate", paths.ACTIVE, read_only=True),
            *_memory(server),
            *(_Mount(name, path) for path, name in devices.items()),
        ],
        agent.name: [*_volumes(agent, _OF_AGENT), *_memory(agent)],
    }
    claimed = {"agent", "certificate", *devices.values()}
    temporary = dict.fromkeys(
        mount.volume for each in mounts.values() for mount in each if mount.volume not in claimed
    )
    # Mode and path of each temporary directory that is not writable by all users, as new volumes are.
    modes = [
        (option.removeprefix("mode="), place.path)
        for place in server.tmpfs
        for option in place.options
        if option.startswith("mode=") and "ro" not in place.options
    ]
    prepared = {*_OWNED, _OF_SERVER[paths.CONFIGURATION], _OF_AGENT[paths.CONFIGURATION]}
    prepared |= {_volume_of(server, path) for _mode, path in modes}
    # A change of these values restarts the pod.
    labels = (*server.labels.values(), *agent.labels.values())
    parts = [*labels, *(line for each in files for line in each.lines)]
    return rendering.render(
        "kubernetes/mstunnel.yaml",
        server=server,
        agent=agent,
        files=files,
        mounts=mounts,
        prepared=[name for name in temporary if name in prepared],
        memory=[name for name in temporary if name not in prepared],
        device_names=devices,
        modes=modes,
        below=_below(paths.ACTIVE, paths.CA_TRUST, paths.CERTIFICATES),
        below_agent=_below(paths.AGENT_DIRECTORY, paths.INBOX),
        digest=hashlib.sha256("\0".join(parts).encode()).hexdigest(),
        configuration_label=CONFIGURATION_LABEL,
        placeholder=placeholder,
        chain=CHAIN,
        key=KEY,
        environment_file=paths.ENVIRONMENT,
        identity_file=paths.AGENT_CREDENTIAL,
        identity_key=PurePosixPath(paths.AGENT_CREDENTIAL).name,
    )


def helm_values(
    server: ContainerSpec,
    agent: ContainerSpec,
    files: Sequence[ConfigurationFile],
    *,
    access_log: bool = False,
) -> str:
    """Return the text of `values.yaml` for the Helm chart; `access_log` is the setting in `env.sh`.

    Raises StepError `value-unquotable`.
    """
    return rendering.render(
        "kubernetes/values.yaml",
        server=server,
        agent=agent,
        files=files,
        port=server.ports[0].container,
        access_log=access_log,
    )


def _volumes(spec: ContainerSpec, names: Mapping[str, str]) -> Iterator[_Mount]:
    for volume in spec.volumes:
        yield _Mount(names[volume.container], volume.container, read_only="ro" in volume.options)


def _memory(spec: ContainerSpec) -> Iterator[_Mount]:
    """Yield the writable temporary mounts; read-only ones only hide directories, which these volumes lack."""
    for place in spec.tmpfs:
        if "ro" not in place.options:
            yield _Mount(_volume_of(spec, place.path), place.path)


def _volume_of(spec: ContainerSpec, path: str) -> str:
    """Return the name of the volume for temporary files at `path`."""
    return f"{spec.name}{path.replace('/', '-')}"


def _below(*names: str) -> Sequence[str]:
    """Return the paths of directories relative to the configuration directory."""
    return [path.removeprefix(f"{paths.CONFIGURATION}/") for path in names]
