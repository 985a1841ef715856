"""Step `launch`: start both containers, so that they come back after a reboot."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mstunnel_setup import paths
from mstunnel_setup.containers.actions import InstallQuadlet, RunContainer, StartService
from mstunnel_setup.containers.ports import Listener, listening
from mstunnel_setup.containers.quadlet import render
from mstunnel_setup.containers.spec import CONFIGURATION_LABEL, ContainerSpec
from mstunnel_setup.engine.action import Action
from mstunnel_setup.engine.file_actions import MakeDirectory
from mstunnel_setup.engine.step import Step
from mstunnel_setup.errors import CheckError
from mstunnel_setup.host.files import Files
from mstunnel_setup.steps import configure, environment, images, specifications
from mstunnel_setup.steps.context import Context

_TUN = "/dev/net/tun"
_CONTROLLERS = "/sys/fs/cgroup/cgroup.controllers"


@dataclass(frozen=True)
class Launch:
    """The containers to run, server first, and whether systemd runs them."""

    specifications: tuple[ContainerSpec, ...]
    systemd: bool


def _gather(context: Context) -> Launch:
    world = context.world
    if not Path(_TUN).exists():
        missing = f"{_TUN} is missing, so no tunnel can be opened"
        context.fail(CheckError("tun-missing", missing, "Load the module: `modprobe tun`."))
    server_image, agent_image = images.references(context)
    port = configure.pulled(context).listen_port
    _refuse_taken(context, port)
    setting = specifications.Setting(
        configuration=str(world.files.locate(paths.CONFIGURATION)),
        environment=environment.content(context),
        limits_processes=b"pids" in (Files().read(_CONTROLLERS) or b""),
    )
    containers = (
        specifications.server(server_image, setting, port),
        specifications.agent(agent_image, setting),
    )
    return Launch(containers, world.systemd.running())


def _refuse_taken(context: Context, port: int) -> None:
    """Raise CheckError when somebody other than our server listens on the port."""
    ours = context.world.engine.inspect(paths.SERVER)
    if ours is not None and ours.ours and ours.status == "running":
        return
    taken = [_named(listener) for listener in listening(Files(), port)]
    if taken:
        error = CheckError(
            "port-in-use",
            f"port {port} is already taken: {', '.join(taken)}",
            "Stop that service, or give the server configuration another port in the admin center.",
        )
        context.fail(error)


def _named(listener: Listener) -> str:
    program = f"{listener.program} ({listener.pid})" if listener.program else "an unknown program"
    return f"{program} on {listener.protocol} {listener.address}"


def _decide(launch: Launch) -> Sequence[Action[Any]]:
    if not launch.systemd:
        return [RunContainer(spec=specification) for specification in launch.specifications]
    folder = [MakeDirectory(path="/etc/containers"), MakeDirectory(path=paths.QUADLETS)]
    return [*folder, *(action for item in launch.specifications for action in _service(item))]


def _service(specification: ContainerSpec) -> tuple[Action[Any], ...]:
    path = f"{paths.QUADLETS}/{specification.name}.container"
    digest = specification.labels[CONFIGURATION_LABEL]
    return (
        InstallQuadlet(path=path, text=render(specification)),
        StartService(unit=f"{specification.name}.service", container=specification.name, label_digest=digest),
    )


STEP = Step("launch", "Start of the containers", _gather, _decide, needs=("sign-in",))
