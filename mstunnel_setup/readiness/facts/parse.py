"""Pure readers of the small file formats of a Linux host. Lines that make no sense are passed over."""

import re
import shlex
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network
from typing import Any, Literal

from mstunnel_setup.answers.variables import PROXIES, without_login
from mstunnel_setup.base.parsing import json_value, toml_table, whole_number
from mstunnel_setup.readiness.facts.section import Section


class Route(Section):
    """A network the host reaches through `device`."""

    network: str
    device: str


class Bridge(Section):
    """A network of the container engine; `source` is the file or device that says so."""

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
    """`NAME=value` lines as in os-release(5), /etc/environment and shell files; quotes removed."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        match = _ASSIGNMENT.fullmatch(line)
        if match:
            found[match[1]] = _first_word(match[2])
    return found


def _first_word(text: str) -> str:
    try:
        words = shlex.split(text, comments=True)
    except ValueError:
        return text.strip()
    return words[0] if words else ""


def modules(proc_modules: str, builtin: str, proc_misc: str = "") -> frozenset[str]:
    """Names of the modules of /proc/modules, of modules.builtin (paths), and of the devices of /proc/misc."""
    loaded = {line.split()[0] for line in proc_modules.splitlines() if line.split()}
    names = {line.rpartition("/")[2].partition(".ko")[0] for line in builtin.splitlines()}
    devices = {line.split()[1] for line in proc_misc.splitlines() if len(line.split()) > 1}
    return frozenset(_module(name) for name in loaded | names | devices if name)


def modules_on_disk(index: str) -> frozenset[str]:
    """Names of the modules in modules.dep (`path: paths it needs`) or modules.builtin (`path`)."""
    names = (line.partition(":")[0].rpartition("/")[2] for line in index.splitlines())
    return frozenset(_module(name.partition(".ko")[0]) for name in names if name)


def module_lines(text: str) -> frozenset[str]:
    """The modules that a file of modules-load.d(5), or /etc/modules, names."""
    lines = (line.strip() for line in text.splitlines())
    words = (line.split()[0] for line in lines if line and line[0] not in "#;")
    return frozenset(_module(word) for word in words)


def _module(name: str) -> str:
    return name.replace("-", "_")


def sysctl_lines(text: str) -> dict[str, str]:
    """The settings of a sysctl.d(5) file, names with dots."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("-").partition("=")
        if equals and not name.startswith(("#", ";")):
            found[_dotted(name.strip())] = value.strip()
    return found


def _dotted(name: str) -> str:
    """A setting as `net.ipv6.conf.eth0/5.accept_ra`: the first separator tells which of two ways it is."""
    slashed = re.search(r"[./]", name)
    return name.translate(str.maketrans("./", "/.")) if slashed and slashed[0] == "/" else name


def routes(table: str) -> tuple[Route, ...]:
    """The routes of /proc/net/route but the default one; numbers there are little-endian hex."""
    return tuple(route for route in _routes(table) if route.network != "0.0.0.0/0")


def default_device(table: str) -> str:
    """The device of the default route; empty when there is none."""
    return next((route.device for route in _routes(table) if route.network == "0.0.0.0/0"), "")


def default_device_6(table: str) -> str:
    """The device of the default route in /proc/net/ipv6_route; empty when there is none."""
    # Where nothing leads, the kernel shows a route that rejects, at its loopback device.
    return next((device for _, device in _DEFAULT_ROUTE_6.findall(table) if device != "lo"), "")


def advertised_devices(table: str) -> tuple[str, ...]:
    """The devices in /proc/net/ipv6_route whose default route the kernel learned from a router."""
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
    """The addresses of the `nameserver` lines (resolv.conf(5)); zones of IPv6 addresses are cut off."""
    lines = (line.split() for line in resolv_conf.splitlines())
    words = [cells[1].partition("%")[0] for cells in lines if len(cells) > 1 and cells[0] == "nameserver"]
    return tuple(dict.fromkeys(word for word in words if _is_address(word)))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def proxy_places(place: str, variables: Mapping[str, str]) -> tuple[ProxyPlace, ...]:
    """The proxy variables among `variables`, in either case, without user name and password."""
    return tuple(
        _proxy_place(place, name.lower(), value)
        for name, value in variables.items()
        if name.lower() in PROXIES and value
    )


def _proxy_place(place: str, name: Any, value: str) -> ProxyPlace:
    if name == "no_proxy" or "@" not in value:
        return ProxyPlace(place=place, name=name, value=value)
    return ProxyPlace(place=place, name=name, value=without_login(value)[0], credentials=True)


def unit_environment(text: str) -> dict[str, str]:
    """The variables of the `Environment=` lines of a unit file (systemd.exec(5))."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if name == "Environment" and equals:
            found |= {left: right.replace("%%", "%") for left, mark, right in _pairs(value) if mark}
    return found


def _pairs(text: str) -> list[tuple[str, str, str]]:
    try:
        return [word.partition("=") for word in shlex.split(text)]
    except ValueError:
        return []


def free_subordinate_id(text: str) -> int:
    """The first id above all ranges of a file such as /etc/subuid (subuid(5)); at least the usual 100000."""
    return max([100000, *(first + count for _owner, first, count in _id_ranges(text))])


def subordinate_ids(text: str, account: str, uid: int | None) -> int:
    """How many ids /etc/subuid or /etc/subgid gives an account, by name or by number (subuid(5))."""
    owners = {account, str(uid)} if uid is not None else {account}
    return sum(count for owner, _first, count in _id_ranges(text) if owner in owners)


def _id_ranges(text: str) -> Iterator[tuple[str, int, int]]:
    """Owner, first id and how many, line by line; other lines are passed over, as the kernel's tools do."""
    for line in text.splitlines():
        match line.strip().split(":"):
            case [owner, first, count]:
                numbers = whole_number(first, 10), whole_number(count, 10)
                if numbers[0] is not None and numbers[1] is not None:
                    yield owner, numbers[0], numbers[1]


def account_line(passwd: str, account: str) -> tuple[int, str] | None:
    """Uid and home of an account in the text of /etc/passwd (passwd(5))."""
    for line in passwd.splitlines():
        match line.split(":"):
            case [name, _, number, _, _, home, *_] if name == account:
                uid = whole_number(number, 10)
                if uid is not None:
                    return uid, home
    return None


def json_object(text: str) -> dict[str, Any]:
    """The JSON object in a file; an empty one when it is none."""
    try:
        found = json_value(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def docker_bridges(daemon_json: str, source: str) -> tuple[Bridge, ...]:
    """The bridge that Docker's `bip` sets; none when it is the default one."""
    bip = json_object(daemon_json).get("bip")
    return _bridge(bip, "docker0", source)


def podman_subnet(containers_conf: str, source: str) -> tuple[Bridge, ...]:
    """Podman's own network, when the text of a containers.conf(5) sets its range."""
    return _bridge(_network_settings(containers_conf).get("default_subnet"), "podman0", source)


def network_backend(containers_conf: str) -> str:
    """The network backend that the text of a containers.conf(5) sets; empty when it sets none."""
    return str(_network_settings(containers_conf).get("network_backend") or "")


def _network_settings(containers_conf: str) -> dict[str, Any]:
    try:
        network = toml_table(containers_conf).get("network")
    except ValueError:
        return {}
    return network if isinstance(network, dict) else {}


def netavark_bridges(network_json: str, source: str) -> tuple[Bridge, ...]:
    """The bridge networks of a netavark file (/etc/containers/networks/NAME.json)."""
    document = json_object(network_json)
    name = str(document.get("network_interface") or document.get("name") or "podman0")
    subnets = document.get("subnets")
    items = subnets if isinstance(subnets, list) else []
    return tuple(
        bridge
        for item in items
        if isinstance(item, dict)
        for bridge in _bridge(item.get("subnet"), name, source)
    )


def cni_bridges(conflist: str, source: str) -> tuple[Bridge, ...]:
    """The bridge networks of a CNI list (/etc/cni/net.d/NAME.conflist)."""
    plugins = json_object(conflist).get("plugins")
    found: list[Bridge] = []
    for plugin in plugins if isinstance(plugins, list) else []:
        if isinstance(plugin, dict) and plugin.get("type") == "bridge":
            name = str(plugin.get("bridge") or "cni-podman0")
            found += [
                bridge for text in _subnets(plugin.get("ipam")) for bridge in _bridge(text, name, source)
            ]
    return tuple(found)


def _subnets(ipam: Any) -> Iterator[Any]:
    """`ipam.subnet`, and `ipam.ranges`, a list of lists of ranges."""
    if not isinstance(ipam, dict):
        return
    yield ipam.get("subnet")
    ranges = ipam.get("ranges")
    for group in ranges if isinstance(ranges, list) else []:
        yield from (
            (item.get("subnet") for item in group if isinstance(item, dict))
            if isinstance(group, list)
            else ()
        )


def _bridge(text: Any, name: str, source: str) -> tuple[Bridge, ...]:
    try:
        network = ip_network(text, strict=False) if isinstance(text, str) else None
    except ValueError:
        network = None
    return () if network is None else (Bridge(network=str(network), name=name, source=source),)
