"""Step `launch`: start both containers, now and at every boot."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mstunnel_setup import __version__
from mstunnel_setup.actions.containers import (
    MakeStateDirectory,
    PullImage,
    RunContainer,
    StartService,
    StartServices,
)
from mstunnel_setup.actions.files import Link, MakeDirectory, WriteFile, WriteJson, directories
from mstunnel_setup.actions.host import Host
from mstunnel_setup.actions.service_account import OpenMailbox
from mstunnel_setup.actions.tunnel_device import DEVICE
from mstunnel_setup.actions.units import InstallQuadlet, InstallUnit
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CheckError, EngineError, declare
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, JsonValue, output
from mstunnel_setup.containers import choice, engine_options, quadlet, uplink_address
from mstunnel_setup.containers import ipv6 as engine_ipv6
from mstunnel_setup.containers.choice import RunMethod
from mstunnel_setup.containers.container_spec import CONFIGURATION_LABEL, ContainerSpec, Network
from mstunnel_setup.containers.engine_options import EngineName
from mstunnel_setup.containers.listeners import listening
from mstunnel_setup.install import our_containers
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.steps import configure, environment, images
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Processes
from mstunnel_setup.io.safe_paths import visible_kind
from mstunnel_setup.readiness.facts.host import own_addresses
from mstunnel_setup.readiness.facts.programs import resolver
from mstunnel_setup.transaction.action import Action
from mstunnel_setup.transaction.step import Step

PORT_IN_USE = declare(
    CheckError,
    "port-in-use",
    "port {port} is already in use: {programs}",
    "Stop that service, or choose another port in the server configuration in the admin center.",
)
_TUN = DEVICE
# The first path exists with cgroup v2 only, the second with v1 only.
_CONTROLLERS = "/sys/fs/cgroup/cgroup.controllers"
_PIDS = "/sys/fs/cgroup/pids"
_CONGESTION_CONTROL = "/proc/sys/net/ipv4/tcp_congestion_control"
_SLIRP4NETNS: Network = "slirp4netns:port_handler=slirp4netns,mtu=1500"
_REBOOT: Mapping[EngineName, str] = {
    "podman": text(
        "This host does not run systemd. Podman restarts the containers when they exit, but not after a "
        "reboot: have the init system run `mst-cli server start` and `mst-cli agent start`. "
        "`mst-cli help without-systemd` lists what else to run at boot."
    ),
    "docker": text(
        "This host does not run systemd. Docker restarts the containers when they exit, and after a "
        "reboot as soon as dockerd runs: have the init system start it. "
        "`mst-cli help without-systemd` lists what else to run at boot."
    ),
}


@dataclass(frozen=True)
class Launch:
    """The containers to run, server first, their engine and run method, and whether they are rootless.

    `host_addresses` are the addresses of this host that devices must not reach, `versions` is the vendor's
    version-info.json.
    """

    specifications: tuple[ContainerSpec, ...]
    engine: EngineName
    run_method: RunMethod
    rootless: bool = False
    host_addresses: str = ""
    versions: JsonObject = field(default_factory=dict)

    @property
    def ipv6(self) -> bool:
        """True if a container joins the network with IPv6."""
        return any(specification.ipv6_network for specification in self.specifications)


def step_for_port(port: int) -> Step[Run, Launch]:
    """Return the step for a gateway on `port`, without reading the port from the tenant."""
    return Step("launch", STEP.title, lambda run: _containers(run, port), _decide)


def _containers(run: Run, port: int) -> Launch:
    host = run.host
    if visible_kind(Path(_TUN)) is None:
        run.fail(
            CheckError(
                "tun-missing",
                "{device} is missing; the gateway cannot open a tunnel without it",
                hint="Load the module: `modprobe tun`.",
                device=_TUN,
            )
        )
    server_image, agent_image = images.references(run)
    _refuse_taken(run, port)
    machine = replace(container_host(run, port), local_names=images.local_names(run))
    containers = (
        our_containers.server(server_image, machine, port),
        our_containers.agent(agent_image, machine),
    )
    engine = host.chosen
    chosen = choice.choose_run_method(
        engine.name,
        systemd=host.systemd.running(),
        cgroup_v2=visible_kind(Path(_CONTROLLERS)) is not None,
        generator=quadlet.available(host.processes, engine.version),
        installed=run.receipt.entries,
    )
    if paths.ROOTLESS and chosen is not RunMethod.QUADLET:
        raise EngineError(
            "rootless-needs-quadlet",
            "a rootless gateway needs Quadlet: systemd, cgroup v2, Podman 4.9 or later",
            hint="Install what is missing, or install the gateway with root.",
        )
    if chosen is RunMethod.ENGINE:
        run.console.say(_REBOOT[engine.name])
    return Launch(
        containers,
        engine.name,
        chosen,
        paths.ROOTLESS,
        own_addresses(host.files, host.clock),
        _versions(host, server_image, agent_image),
    )


def container_host(run: Run, port: int) -> our_containers.ContainerHost:
    """Return the container host without asking the engine. Raises CheckError without a network program."""
    files = run.files
    # With an uplink for this port, the container uses the file with the host's name servers.
    has_uplink = paths.ROOTLESS and uplink_address.ready(files, port)
    return our_containers.ContainerHost(
        configuration=str(files.locate(paths.CONFIGURATION)),
        server_state=str(files.locate(paths.SERVER_STATE)),
        agent_state=str(files.locate(paths.AGENT_STATE)),
        environment=environment.content(run),
        limits_processes=b"pids" in (files.given.read(_CONTROLLERS) or b"")
        or visible_kind(Path(_PIDS)) == "directory",
        traced=environment.settings(run).get("TRACE_SESSIONS") in ("1", "2"),
        journal=our_containers.JOURNAL if visible_kind(Path(our_containers.JOURNAL)) else "",
        network=network(files, run.host.processes) if paths.ROOTLESS else "",
        rootless=paths.ROOTLESS,
        ipv6_network=engine_ipv6.NETWORK if run.gateway_gets_ipv6 else "",
        resolver=(resolver(files) or "/etc/resolv.conf") if has_uplink else "",
    )


def _versions(host: Host, server: str, agent: str) -> JsonObject:
    """Return the running versions under the vendor's keys: `DockerVersion` holds Podman's version, too."""
    images = {"Server": server, "Agent": agent}

    def created(reference: str) -> JsonValue:
        """Return the build time of the image, or a reference to the pull's output if it is not pulled yet."""
        image = host.engine.image(reference)
        if image is None:
            return output(PullImage(reference=reference).key, "created")
        return image.created.isoformat() if image.created else None

    return {
        "ConfigVersion": __version__,
        "DockerVersion": host.engine.version(),
        **{f"{name}ImageHash": reference.rpartition("@")[2] for name, reference in images.items()},
        **{f"{name}CreateDate": created(reference) for name, reference in images.items()},
    }


def network(files: Files, processes: Processes) -> Network:
    """Return the network program of rootless containers: the faster available one (performance.md).

    With the congestion control bbr on the host, pasta uploads only 1 to 3 Mbit/s, so slirp4netns is used.
    Podman is dropping slirp4netns; without it, pasta is used.
    """
    programs: dict[str, Network] = {"pasta": "pasta", "slirp4netns": _SLIRP4NETNS}
    bbr = (files.given.read(_CONGESTION_CONTROL) or b"").strip() == b"bbr"
    for name in sorted(programs, reverse=bbr):
        if processes.find(name) is not None:
            return programs[name]
    raise EngineError(
        "rootless-network-missing",
        "rootless containers need pasta or slirp4netns; neither is installed",
        hint="Install the package passt, which provides pasta.",
    )


def _refuse_taken(run: Run, port: int) -> None:
    ours = run.host.engine.inspect(paths.SERVER)
    if ours is not None and ours.ours and ours.status == "running":
        return
    taken = [
        text(
            "{program} on {protocol} {address}",
            program=f"{listener.program} ({listener.pid})"
            if listener.program
            else text("an unknown program"),
            protocol=listener.protocol,
            address=listener.address,
        )
        for listener in listening(run.files.given, port)
    ]
    if taken:
        run.fail(PORT_IN_USE(port=port, programs=", ".join(taken)))


def _decide(launch: Launch) -> Sequence[Action]:
    actions: list[Action] = [
        MakeDirectory(path=paths.SERVER_DIRECTORY, mode=0o700),
        *(MakeStateDirectory(path=path) for path in (paths.SERVER_STATE, paths.AGENT_STATE)),
        *environment.given_to_agent(paths.AGENT_STATE, rootless=launch.rootless),
        OpenMailbox(),
        *environment.given_to_agent(paths.INBOX, rootless=launch.rootless),
    ]
    if launch.versions:
        actions.append(WriteJson(path=paths.VERSION_INFO, value=launch.versions))
    if launch.host_addresses:
        # The monitor updates this list when addresses change later.
        actions.append(WriteFile(path=paths.HOST_ADDRESSES, text=launch.host_addresses, managed=True))
    # Each directory for the files of systemd and Podman is listed once.
    found = directories(engine_ipv6.DIRECTORY) if launch.ipv6 else []
    if launch.run_method is RunMethod.QUADLET:
        found += directories(paths.QUADLETS)
    elif launch.run_method is RunMethod.UNIT:
        found += [MakeDirectory(path=_wants(target)) for target in engine_options.WANTED_BY[launch.engine]]
    actions += dict.fromkeys(found)
    if launch.ipv6:
        actions.append(WriteJson(path=engine_ipv6.FILE, value=engine_ipv6.DEFINITION))
    return [*actions, *_starting(launch)]


def _starting(launch: Launch) -> Iterator[Action]:
    if launch.run_method is RunMethod.ENGINE:
        yield from (RunContainer(spec=specification) for specification in launch.specifications)
        return
    services: list[StartService] = []
    for specification in launch.specifications:
        name = specification.name
        if launch.run_method is RunMethod.QUADLET:
            rendered = quadlet.render(specification, rootless=launch.rootless)
            yield InstallQuadlet(path=f"{paths.QUADLETS}/{name}.container", text=rendered)
        else:
            # These links replace `systemctl enable`, so that systemd reloads its units once, at the end.
            path = f"{paths.UNITS}/{name}.service"
            for target in engine_options.WANTED_BY[launch.engine]:
                yield Link(path=f"{_wants(target)}/{name}.service", target=path)
            yield InstallUnit(path=path, text=engine_options.unit_file(specification, launch.engine))
        digest = specification.labels[CONFIGURATION_LABEL]
        services.append(StartService(unit=f"{name}.service", container=name, label_digest=digest))
    yield StartServices(services=tuple(services))


def _wants(target: str) -> str:
    return f"{paths.UNITS}/{target}.wants"


STEP: Step[Run, Launch] = Step(
    "launch",
    text("Start of the containers"),
    lambda run: _containers(run, configure.pulled(run).listen_port),
    _decide,
    # Release 0.2.0 wrote an init script on hosts without systemd.
    obsolete=lambda _run: ("init-script:mstunnel", "file:/etc/init.d/mstunnel"),
    needs=("sign-in",),
)
