"""Kernel and SELinux of a recorded host: modules, settings and port types below its root."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from mstunnel_setup.actions.kernel import place

PROGRAMS = ("modprobe", "sysctl", "nft", "semanage")
RELEASE = "6.0.0-crash"
# The types of ports: local rules, and those of the policy itself: semanage-port(8).
_PORTS, POLICY = "etc/selinux/ports.local", "etc/selinux/ports.policy"
_TABLES = "proc/net/nf_tables"


def lay_down(root: Path) -> None:
    """A kernel with loadable modules that forwards nothing yet, and an enforcing SELinux."""
    modules = "kernel/drivers/net/tun.ko:\nkernel/net/ipv4/netfilter/ip_tables.ko:\n"
    for name, text in (
        ("proc/modules", ""),
        ("proc/sys/kernel/osrelease", f"{RELEASE}\n"),
        ("proc/sys/net/ipv4/ip_forward", "0\n"),
        (f"lib/modules/{RELEASE}/modules.dep", modules),
        ("sys/fs/selinux/enforce", "1"),
        (_TABLES, ""),
        (_PORTS, ""),
        (POLICY, ""),
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    label(root, dict.fromkeys((80, 443, 8443), "http_port_t"), POLICY)


def changes(arguments: Sequence[str]) -> bool:
    """Whether the command does more than tell."""
    return not {"-l", "list", "status", "inspect"} & {*arguments}


def answer(arguments: Sequence[str], root: Path) -> tuple[int, str]:
    """What the command does: its exit code, and what it prints."""
    program, *options = arguments
    if program == "semanage":
        return _semanage(options, root)
    if program == "nft":
        return _nft(options, root)
    if program == "sysctl":
        name, _, value = options[-1].partition("=")
        (root / place(name).lstrip("/")).write_text(f"{value}\n")
    else:
        load(root, modules(root) - {options[-1]} if "-r" in options else modules(root) | {options[-1]})
    return 0, ""


def modules(root: Path) -> set[str]:
    """The modules that are loaded."""
    return {line.split()[0] for line in (root / "proc/modules").read_text().splitlines()}


def load(root: Path, names: set[str]) -> None:
    """Have these modules loaded and no other."""
    lines = "".join(f"{name} 16384 0 - Live 0x0\n" for name in sorted(names))
    (root / "proc/modules").write_text(lines)


def tables(root: Path) -> set[str]:
    """The tables of nftables, by family and name."""
    return set((root / _TABLES).read_text().splitlines())


def keep(root: Path, names: set[str]) -> None:
    """Have these tables of nftables and no other."""
    (root / _TABLES).write_text("".join(f"{name}\n" for name in sorted(names)))


def _nft(options: Sequence[str], root: Path) -> tuple[int, str]:
    """Tables by family and name: the file of rules replaces those that it has, as ours does."""
    there = tables(root)
    if "--json" in options:
        return 0, '{"nftables": []}'
    if options[0] == "list":
        return 0, "".join(f"table {name}\n" for name in sorted(there))
    if options[0] == "delete":
        name = " ".join(options[2:])
        keep(root, there - {name})
        return int(name not in there), ""
    path = root / options[-1].lstrip("/")
    named = re.findall(r"^table (\S+ \S+) \{", path.read_text() if path.exists() else "", re.MULTILINE)
    keep(root, there | {*named})
    return int(not named), ""


def ports(root: Path, file: str = _PORTS) -> dict[int, str]:
    """The local rules of SELinux, or those of its policy: the types of TCP ports."""
    rows = map(str.split, (root / file).read_text().splitlines())
    return {int(port): kind for kind, _protocol, port in rows}


def label(root: Path, types: Mapping[int, str], file: str = _PORTS) -> None:
    """Have these rules and no other."""
    (root / file).write_text("".join(f"{kind:30} tcp      {port}\n" for port, kind in types.items()))


def _table(types: Mapping[int, str]) -> str:
    """As semanage-port(8) lists them: a head, and for each type one row with all its ports."""
    ports_of: dict[str, list[str]] = {}
    for port, kind in types.items():
        ports_of.setdefault(kind, []).append(str(port))
    rows = [f"{kind:30} {'tcp':8} {', '.join(listed)}\n" for kind, listed in sorted(ports_of.items())]
    return "".join((f"{'SELinux Port Type':30} {'Proto':8} Port Number\n\n", *rows)) if rows else ""


def _semanage(options: Sequence[str], root: Path) -> tuple[int, str]:
    local = ports(root)
    if "-l" in options:
        return 0, _table(local if "-C" in options else ports(root, POLICY) | local)
    port = int(options[-1])
    known = port in local or ("-d" not in options and port in ports(root, POLICY))
    if known == ("-a" in options):
        return 1, ""
    if "-d" in options:
        del local[port]
    else:
        local[port] = options[options.index("-t") + 1]
    label(root, local)
    return 0, ""
