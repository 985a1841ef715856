"""Parsers for the small file formats of a Linux host. Invalid lines are ignored."""

import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network
from typing import Any, Literal

from mstunnel_setup.answers.variables import PROXIES, without_login
from mstunnel_setup.base.parsing import json_object, toml_table, whole_number
from mstunnel_setup.readiness.facts.section import Section


class Route(Section):
    """A network that the host reaches through `device`."""

    network: str
    device: str


class Bridge(Section):
    """A network of the container engine; `source` is the file or device that defines it."""

    network: str
    name: str
    source: str


class ProxyPlace(Section):
    """A proxy variable in one place. `value` is without user name and password."""

    place: str
    name: Literal["http_proxy", "https_proxy", "no_proxy"]
    value: str
    credentials: bool = False


_ASSIGNMENT = re.compile(r"""\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)""")
# include/uapi/linux/route.h: the route is usable.
_ROUTE_UP = 1
_IPV4_WORD = 8
# include/uapi/linux/ipv6_route.h: the default route, learned from a router.
_ROUTE_ADVERTISED = 0x00010000
_DEFAULT_ROUTE_6 = re.compile(r"^0{32} 00 (?:[0-9a-f]+ ){6}([0-9a-f]{8}) +(\S+)$", re.MULTILINE)


def assignments(text: str) -> dict[str, str]:
    """Parse `NAME=value` lines as in os-release(5), /etc/environment and shell files; remove quotes."""
    found: dict[str, str] = {}
    for match in filter(None, map(_ASSIGNMENT.fullmatch, text.splitlines())):
        try:
            words = shlex.split(match[2], comments=True)
        except ValueError:
            words = [match[2].strip()]
        found[match[1]] = words[0] if words else ""
    return found


def modules(proc_modules: str, builtin: str, proc_misc: str = "") -> frozenset[str]:
    """Return the modules in /proc/modules, modules.builtin (paths) and /proc/misc (devices)."""
    loaded = {line.split()[0] for line in proc_modules.splitlines() if line.split()}
    devices = {line.split()[1] for line in proc_misc.splitlines() if len(line.split()) > 1}
    return frozenset(map(_module, loaded | devices)) | modules_on_disk(builtin)


def modules_on_disk(index: str) -> frozenset[str]:
    """Return the modules in modules.dep (`path: dependencies`) or modules.builtin (`path`)."""
    names = (line.partition(":")[0].rpartition("/")[2] for line in index.splitlines())
    return frozenset(_module(name.partition(".ko")[0]) for name in names if name)


def module_lines(text: str) -> frozenset[str]:
    """Return the modules in a file of modules-load.d(5), or in /etc/modules."""
    lines = (line.strip() for line in text.splitlines())
    return frozenset(_module(line.split()[0]) for line in lines if line and line[0] not in "#;")


def _module(name: str) -> str:
    return name.replace("-", "_")


def sysctl_lines(text: str) -> dict[str, str]:
    """Return the settings in a sysctl.d(5) file, names with dots."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("-").partition("=")
        if equals and not name.startswith(("#", ";")):
            # In names such as `net.ipv6.conf.eth0/5.accept_ra`, the first separator determines the notation.
            separator = re.search(r"[./]", name)
            if separator and separator[0] == "/":
                name = name.translate(str.maketrans("./", "/."))
            found[name.strip()] = value.strip()
    return found


def routes(table: str) -> tuple[Route, ...]:
    """Return the routes in /proc/net/route without the default one; its numbers are little-endian hex."""
    return tuple(route for route in _routes(table) if route.network != "0.0.0.0/0")


def default_device(table: str) -> str:
    """Return the device of the default route; empty without one."""
    return next((route.device for route in _routes(table) if route.network == "0.0.0.0/0"), "")


def default_device_6(table: str) -> str:
    """Return the device of the default route in /proc/net/ipv6_route; empty without one."""
    # Without a default route the kernel shows a rejecting route at its loopback device.
    return next((device for _, device in _DEFAULT_ROUTE_6.findall(table) if device != "lo"), "")


def advertised_devices(table: str) -> tuple[str, ...]:
    """Return the devices in /proc/net/ipv6_route with a default route from a router."""
    found = _DEFAULT_ROUTE_6.findall(table)
    return tuple(dict.fromkeys(device for flags, device in found if int(flags, 16) & _ROUTE_ADVERTISED))


def _routes(table: str) -> Iterator[Route]:
    for line in table.splitlines()[1:]:
        cells = line.split()
        try:
            device, target, flags, mask = cells[0], cells[1], int(cells[3], 16), cells[7]
            network = IPv4Network((_number(target), str(_number(mask))))
        except (IndexError, ValueError):
            continue
        if flags & _ROUTE_UP and device != "lo":
            yield Route(network=str(network), device=device)


def _number(word: str) -> IPv4Address:
    if len(word) != _IPV4_WORD:
        raise ValueError(word)
    return IPv4Address(bytes.fromhex(word)[::-1])


def resolvers(resolv_conf: str) -> tuple[str, ...]:
    """Return the addresses of `nameserver` lines (resolv.conf(5)), without IPv6 zones."""
    found: dict[str, None] = {}
    for line in resolv_conf.splitlines():
        match line.split():
            case ["nameserver", word, *_]:
                address = word.partition("%")[0]
                with suppress(ValueError):
                    ip_address(address)
                    found[address] = None
    return tuple(found)


def proxy_places(place: str, variables: Mapping[str, str]) -> tuple[ProxyPlace, ...]:
    """Return the proxy variables among `variables`, in either case, without user name and password."""
    found = []
    for variable, value in variables.items():
        name: Any = variable.lower()
        if name in PROXIES and value:
            secret = name != "no_proxy" and "@" in value
            shown = without_login(value)[0] if secret else value
            found.append(ProxyPlace(place=place, name=name, value=shown, credentials=secret))
    return tuple(found)


def unit_environment(text: str) -> dict[str, str]:
    """Return the variables in `Environment=` lines of a unit file (systemd.exec(5))."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if name == "Environment" and equals:
            with suppress(ValueError):
                pairs = [word.partition("=") for word in shlex.split(value)]
                found |= {left: right.replace("%%", "%") for left, mark, right in pairs if mark}
    return found


def free_subordinate_id(text: str) -> int:
    """Return the first id above all ranges in a file such as /etc/subuid (subuid(5)); at least 100000."""
    return max([100000, *(first + count for _owner, first, count in _id_ranges(text))])


def subordinate_ids(text: str, account: str, uid: int | None) -> int:
    """Return the number of ids in /etc/subuid or /etc/subgid for an account's name or uid (subuid(5))."""
    owners = {account, str(uid)} if uid is not None else {account}
    return sum(count for owner, _first, count in _id_ranges(text) if owner in owners)


def _id_ranges(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield owner, first id and count of each line; ignore other lines, as the system's tools do."""
    for line in text.splitlines():
        match line.strip().split(":"):
            case [owner, first, count]:
                numbers = whole_number(first, 10), whole_number(count, 10)
                if numbers[0] is not None and numbers[1] is not None:
                    yield owner, numbers[0], numbers[1]


def account_line(passwd: str, account: str) -> tuple[int, str] | None:
    """Return uid and home of an account in the text of /etc/passwd (passwd(5))."""
    for line in passwd.splitlines():
        match line.split(":"):
            case [name, _, number, _, _, home, *_] if name == account:
                uid = whole_number(number, 10)
                if uid is not None:
                    return uid, home
    return None


def docker_bridges(daemon_json: str, source: str) -> tuple[Bridge, ...]:
    """Return the bridge that Docker's `bip` sets; empty for the default one."""
    return _bridge(json_object(daemon_json).get("bip"), "docker0", source)


def podman_subnet(containers_conf: str, source: str) -> tuple[Bridge, ...]:
    """Return Podman's own network if a containers.conf(5) sets its range."""
    return _bridge(_network_settings(containers_conf).get("default_subnet"), "podman0", source)


def network_backend(containers_conf: str) -> str:
    """Return the network backend that a containers.conf(5) sets; empty if it sets none."""
    return str(_network_settings(containers_conf).get("network_backend") or "")


def _network_settings(containers_conf: str) -> dict[str, Any]:
    try:
        network = toml_table(containers_conf).get("network")
    except ValueError:
        return {}
    return network if isinstance(network, dict) else {}


def netavark_bridges(network_json: str, source: str) -> tuple[Bridge, ...]:
    """Return the bridge networks in a netavark file (/etc/containers/networks/NAME.json)."""
    document = json_object(network_json)
    name = str(document.get("network_interface") or document.get("name") or "podman0")
    subnets = [item.get("subnet") for item in objects(document.get("subnets"))]
    return tuple(bridge for subnet in subnets for bridge in _bridge(subnet, name, source))


def cni_bridges(conflist: str, source: str) -> tuple[Bridge, ...]:
    """Return the bridge networks in a CNI list (/etc/cni/net.d/NAME.conflist)."""
    found: list[Bridge] = []
    for plugin in objects(json_object(conflist).get("plugins")):
        ipam = plugin.get("ipam")
        if plugin.get("type") == "bridge" and isinstance(ipam, dict):
            name = str(plugin.get("bridge") or "cni-podman0")
            groups = ipam.get("ranges")
            ranges = [item for group in groups for item in objects(group)] if isinstance(groups, list) else []
            for subnet in (ipam.get("subnet"), *(item.get("subnet") for item in ranges)):
                found += _bridge(subnet, name, source)
    return tuple(found)


def objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects in a JSON list; empty for any other value."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _bridge(text: Any, name: str, source: str) -> tuple[Bridge, ...]:
    try:
        network = ip_network(text, strict=False) if isinstance(text, str) else None
    except ValueError:
        network = None
    return () if network is None else (Bridge(network=str(network), name=name, source=source),)
