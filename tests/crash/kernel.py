"""Kernel, SELinux and init of a recorded host: modules, settings, port types and links below its root."""

from collections.abc import Sequence
from pathlib import Path

_MONITOR = "/etc/init.d/mstunnel_monitor"
PROGRAMS = ("modprobe", "sysctl", "nft", "semanage", "rc-update", _MONITOR)
RELEASE = "6.0.0-crash"
# Types that the policy itself gives: semanage-port(8).
_POLICY = "http_port_t                    tcp      80, 443, 8443\n"
_PORTS = "etc/selinux/ports.local"
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
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def lay_down_openrc(root: Path) -> None:
    """An init that takes scripts."""
    for directory in ("run/openrc/started", "etc/runlevels/default", "etc/init.d"):
        (root / directory).mkdir(parents=True)


def changes(arguments: Sequence[str]) -> bool:
    """Whether the command does more than tell."""
    return not {"-l", "list", "status", "inspect"} & {*arguments}


def answer(arguments: Sequence[str], root: Path) -> dict[str, object]:
    """What the command does and prints."""
    program, *options = arguments
    if program == "semanage":
        return _semanage(options, root / _PORTS)
    if program == "rc-update":
        return _rc_update(options, root / "etc/runlevels")
    if program == _MONITOR:
        return _service(options, root / "run/openrc/started/mstunnel_monitor")
    if program == "nft":
        return _nft(options, root, root / _TABLES)
    if program == "sysctl":
        name, _, value = options[-1].partition("=")
        (root / "proc/sys" / name.replace(".", "/")).write_text(f"{value}\n")
    else:
        _modprobe(options, root / "proc/modules")
    return {"code": 0, "output": ""}


def _modprobe(options: Sequence[str], modules: Path) -> None:
    others = [line for line in modules.read_text().splitlines() if line.split()[0] != options[-1]]
    loaded = [] if "-r" in options else [f"{options[-1]} 16384 0 - Live 0x0"]
    modules.write_text("".join(f"{line}\n" for line in sorted((*others, *loaded))))


def _nft(options: Sequence[str], root: Path, tables: Path) -> dict[str, object]:
    """Tables by family and name: the file of rules replaces the one that it has, as ours does."""
    there = tables.read_text().splitlines()
    if "--json" in options:
        return {"code": 0, "output": '{"nftables": []}'}
    if options[0] == "list":
        return {"code": 0, "output": "".join(f"{line}\n" for line in there)}
    if options[0] == "delete":
        name = " ".join(options[1:])
        made = [line for line in there if line != name]
    else:
        name = (root / options[-1].lstrip("/")).read_text().splitlines()[0]
        made = sorted({*there, name})
    tables.write_text("".join(f"{line}\n" for line in made))
    return {"code": int(options[0] == "delete" and made == there), "output": ""}


def _rc_update(options: Sequence[str], levels: Path) -> dict[str, object]:
    do, name, level = options
    link = levels / level / name
    if do == "del":
        link.unlink()
    elif not link.is_symlink():
        link.symlink_to(f"/etc/init.d/{name}")
    return {"code": 0, "output": ""}


def _service(options: Sequence[str], started: Path) -> dict[str, object]:
    """A script of the init system, run directly: openrc-run(8)."""
    if options == ["start"]:
        started.touch()
    elif options == ["stop"]:
        started.unlink(missing_ok=True)
    return {"code": 0 if options != ["status"] or started.exists() else 3, "output": ""}


def _semanage(options: Sequence[str], local: Path) -> dict[str, object]:
    lines = local.read_text().splitlines(keepends=True)
    if "-l" in options:
        return {"code": 0, "output": "".join(lines) if "-C" in options else "".join([*lines, _POLICY])}
    port = options[-1]
    others = [line for line in lines if line.split()[2] != port]
    known = len(others) < len(lines)
    if known == ("-a" in options):
        return {"code": 1, "output": ""}
    added = [] if "-d" in options else [f"{options[options.index('-t') + 1]} tcp {port}\n"]
    local.write_text("".join([*others, *added]))
    return {"code": 0, "output": ""}
