"""Step `bridge`: change the address range of the engine's bridge, if the answers set one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network

from mstunnel_setup.actions.files import directories
from mstunnel_setup.actions.units import ConfigureUnit
from mstunnel_setup.base import rendering
from mstunnel_setup.base.parsing import json_object
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, JsonValue, as_list, as_object, json_bytes
from mstunnel_setup.install.run import Run
from mstunnel_setup.readiness.checks.addresses import free_range
from mstunnel_setup.readiness.facts.host import TunnelFacts
from mstunnel_setup.readiness.facts.parse import cni_bridges
from mstunnel_setup.readiness.facts.section import EngineName, text_of, texts_below
from mstunnel_setup.readiness.model import ReadinessFacts
from mstunnel_setup.transaction.action import Action
from mstunnel_setup.transaction.step import Step

CHECKS = frozenset({"bridge-route", "bridge-dns", "bridge-rules", "pool-bridge"})
"""The readiness checks that moving the bridge can fix."""
DAEMON = "/etc/docker/daemon.json"
NETAVARK = "/etc/containers/networks/podman.json"
DROP_IN = "/etc/containers/containers.conf.d/90-mstunnel-bridge.conf"
_CNI = "/etc/cni/net.d"


@dataclass(frozen=True)
class Move:
    """The requested range of the bridge of `engine` (empty: keep it), and the files that define it, by path.

    `modes` are the permissions of the existing files.
    """

    network: str
    engine: EngineName
    texts: Mapping[str, str] = field(default_factory=dict)
    modes: Mapping[str, int] = field(default_factory=dict)


def _gather(run: Run) -> Move:
    network, engine = run.answers.bridge or "", run.engine_name
    if not network or run.answers.mode == "rootless":
        return Move("", engine)
    files = run.files
    texts = {path: text_of(files, path) for path in (DAEMON, NETAVARK)}
    if run.host_reader.network_backend() == "cni":
        texts |= texts_below(files, (_CNI,), ".conflist")
    modes = {path: state.mode for path in texts if (state := files.state(path)) is not None}
    return Move(network, engine, {path: text for path, text in texts.items() if text}, modes)


def _decide(move: Move) -> Sequence[Action]:
    if not move.network:
        return ()
    path, text = _file(move)
    mode = move.modes.get(path, 0o644)
    write = ConfigureUnit(unit=f"{move.engine}.service", path=path, text=text, mode=mode)
    return (*directories(path.rpartition("/")[0]), write)


def _file(move: Move) -> tuple[str, str]:
    """Return the file that defines the bridge, and its new content.

    A file that already has the range stays unchanged, with everything that others added to it.
    """
    network = IPv4Network(move.network)
    if move.engine == "docker":
        first = f"{network[1]}/{network.prefixlen}"
        present = move.texts.get(DAEMON, "")
        return DAEMON, _json({**json_object(present), "bip": first}, present)
    for path, content in move.texts.items():
        if any(item.name == "cni-podman0" for item in cni_bridges(content, path)):
            return path, _json(_cni(json_object(content), network), content)
    if NETAVARK in move.texts:
        present = move.texts[NETAVARK]
        return NETAVARK, _json({**json_object(present), "subnets": [_range(network)]}, present)
    return DROP_IN, rendering.render("podman/90-mstunnel-bridge.conf", network=network)


def _cni(document: JsonObject, network: IPv4Network) -> JsonObject:
    """Return the CNI list with the range of its bridge replaced; routes and other plugins stay."""
    plugins: list[JsonValue] = []
    for plugin in map(as_object, as_list(document["plugins"])):
        addresses = {name: value for name, value in as_object(plugin.get("ipam")).items() if name != "subnet"}
        if plugin.get("bridge") == "cni-podman0":
            addresses["ranges"] = [[_range(network)]]
        plugins.append({**plugin, "ipam": addresses} if "ipam" in plugin else plugin)
    return {**document, "plugins": plugins}


def _range(network: IPv4Network) -> JsonValue:
    return {"subnet": str(network), "gateway": str(network[1])}


def _json(document: JsonObject, present: str) -> str:
    return present if json_object(present) == document else json_bytes(document).decode()


def offer(run: Run, facts: ReadinessFacts) -> bool:
    """Offer a person to move the bridge to a free range; return whether they agreed."""
    if run.answers.bridge or facts.addresses is None or not run.console.interactive:
        return False
    free = free_range(facts.addresses, facts.tunnel or TunnelFacts())
    if not free or not run.console.confirm(
        text("The bridge of the container engine overlaps your networks. Move it to {free}?", free=free)
    ):
        return False
    run.take({"bridge": free})
    return True


STEP = Step("bridge", text("Bridge of the container engine"), _gather, _decide)
