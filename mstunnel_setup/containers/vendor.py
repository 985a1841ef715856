"""The containers of Microsoft's own gateway, which have our containers' names but not our label."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.base.parsing import json_value
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import as_list, as_object
from mstunnel_setup.containers.container_spec import MANAGED_LABEL
from mstunnel_setup.containers.engine import ENGINE_FAILED
from mstunnel_setup.containers.engine_options import EngineName
from mstunnel_setup.io.errors import ProcessError
from mstunnel_setup.io.process import Processes

NAMES: Final = (paths.SERVER, paths.AGENT)
_QUERY_TIMEOUT = 60.0


@dataclass(frozen=True, kw_only=True)
class VendorContainer:
    """One container, as its engine describes it.

    `image_id` is the engine's, `restart_policy` the engine's action when it ends (`no`, `always`, …), `ports`
    are published (`443/tcp to 443`), `mounts` paths of the host and of the container.
    """

    engine: EngineName
    name: str
    image: str = ""
    image_id: str = ""
    running: bool = False
    restart_policy: str = "no"
    network: str = ""
    ports: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()


def vendor_containers(processes: Processes, names: Sequence[str] = NAMES) -> tuple[VendorContainer, ...]:
    """Return the containers of the vendor's gateway, running or not, in the engines that respond.

    Containers of another account's rootless Podman are not visible.
    """
    engines: tuple[EngineName, ...] = ("podman", "docker")
    found = []
    for engine in engines:
        for name in names:
            with suppress(EngineError):
                found.append(inspect(processes, engine, name))
    return tuple(filter(None, found))


def inspect(processes: Processes, engine: EngineName, name: str) -> VendorContainer | None:
    """Return the container `name`; None if there is none, or if it is ours.

    Raises EngineError `engine-failed` if the engine does not respond, because that proves no absence.
    """
    if processes.find(engine) is None:
        return None
    try:
        answer = processes.run((engine, "container", "inspect", name), timeout=_QUERY_TIMEOUT, check=False)
        # Both engines use these words.
        if answer.code and "no such container" in answer.error.lower():
            return None
        (described,) = map(as_object, json_value(answer.output))
    except (ProcessError, ValueError, TypeError) as error:
        raise ENGINE_FAILED(
            operation=text("inspect the container {name} with {engine}", name=name, engine=engine),
            reason=error,
        ) from error
    configuration, settings = as_object(described.get("Config")), as_object(described.get("HostConfig"))
    if not described or as_object(configuration.get("Labels")).get(MANAGED_LABEL) == "1":
        return None
    mounts = map(as_object, as_list(described.get("Mounts")))
    bindings = sorted(as_object(settings.get("PortBindings")).items())
    return VendorContainer(
        engine=engine,
        name=name,
        image=str(described.get("ImageName") or configuration.get("Image") or ""),
        image_id=str(described.get("Image") or ""),
        running=bool(as_object(described.get("State")).get("Running")),
        restart_policy=str(as_object(settings.get("RestartPolicy")).get("Name") or "no"),
        network=str(settings.get("NetworkMode") or ""),
        ports=tuple(
            f"{place.get('HostPort')}/{inside.partition('/')[2]} to {inside.partition('/')[0]}"
            for inside, places in bindings
            for place in map(as_object, as_list(places))
        ),
        mounts=tuple(f"{item.get('Source')} at {item.get('Destination')}" for item in mounts),
    )
