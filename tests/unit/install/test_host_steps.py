"""Steps `kernel`, `proxy` and `bridge` on a host, from the first run to the uninstall."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import StepError, WaitingError
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.steps import bridge, environment, kernel, proxy
from mstunnel_setup.io.files import Files
from tests.crash import kernel as emulated
from tests.refusals import refused
from tests.unit.actions.host import Host
from tests.unit.install.machines import Machine

FORWARD = "/proc/sys/net/ipv4/ip_forward"
PROXY = "http://proxy.example.com:3128"


def test_the_kernel_is_made_ready_once_and_put_back(machine: Machine) -> None:
    before = machine.tree()

    done = machine.run(kernel.STEP)
    assert [text for text in done if "mstunnel-forwarding" not in text and ".wants" not in text] == [
        "create directory /etc/modules-load.d",
        "create directory /etc/sysctl.d",
        "write /etc/modules-load.d/mstunnel_tun.conf",
        "load kernel module tun",
        "write /etc/modules-load.d/mstunnel_iptables.conf",
        "load kernel module ip_tables",
        "write /etc/sysctl.d/90-mstunnel.conf",
        "set net.ipv4.ip_forward to 1",
    ]
    assert emulated.modules(machine.host.root) == {"tun", "ip_tables"}
    assert machine.text(FORWARD) == "1\n"
    assert machine.run(kernel.STEP) == []

    machine.uninstall()
    assert emulated.modules(machine.host.root) == set()
    assert machine.tree() == before


def test_any_file_that_loads_a_module_counts(machine: Machine) -> None:
    machine.scene.write("/etc/modules-load.d/mstunnel_ip_tables.conf", "ip_tables\n")
    machine.scene.write("/etc/modules", "tun\n")
    done = machine.run(kernel.STEP)
    assert [text for text in done if "modules-load" in text] == []
    machine.uninstall()
    assert machine.text("/etc/modules") == "tun\n"


def test_with_another_root_only_files_are_written(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Files, "live", False)
    machine.run(kernel.STEP)
    assert machine.host.asked == []
    assert machine.text("/etc/sysctl.d/90-mstunnel.conf") == "net.ipv4.ip_forward = 1\n"


def with_ipv6(machine: Machine, device: str) -> None:
    """Give the machine a global IPv6 address and a default route that a router advertises."""
    machine.scene.write("/proc/net/if_inet6", f"20010db8000000000000000000000002 02 40 00 80 {device}\n")
    zero, router = "0" * 32, "fe80" + "0" * 27 + "1"
    row = f"{zero} 00 {zero} 00 {router} 00000400 00000001 00000000 00450003 {device}\n"
    machine.scene.write("/proc/net/ipv6_route", row)
    machine.scene.write("/usr/lib/podman/netavark", "")
    machine.scene.write("/proc/sys/net/ipv6/conf/all/forwarding", "0\n")
    machine.scene.write(f"/proc/sys/net/ipv6/conf/{device}/accept_ra", "1\n")


@pytest.mark.parametrize(("device", "name"), [("eth0", "eth0"), ("eth0.5", "eth0/5")])
def test_forwarding_host_keeps_the_advertised_ipv6_route(machine: Machine, device: str, name: str) -> None:
    with_ipv6(machine, device)
    before = machine.tree()

    done = machine.run(kernel.STEP)
    # A forwarding kernel drops such a route at once, unless it is set to accept advertisements.
    assert done[-2:] == [f"set net.ipv6.conf.{name}.accept_ra to 2", "set net.ipv6.conf.all.forwarding to 1"]
    assert f"net.ipv6.conf.{name}.accept_ra = 2\n" in machine.text("/etc/sysctl.d/90-mstunnel.conf")
    assert machine.text(f"/proc/sys/net/ipv6/conf/{device}/accept_ra") == "2\n"
    assert machine.run(kernel.STEP) == []

    machine.uninstall()
    assert machine.tree() == before


def test_ipv6_is_not_forwarded_if_the_gateway_has_none(machine: Machine) -> None:
    with_ipv6(machine, "eth0")
    assert [text for text in machine.run(kernel.STEP, engine="docker") if "ipv6" in text] == []


def install_proxy(machine: Machine, **variables: str) -> list[str]:
    return machine.run(environment.STEP, proxy.STEP, environment=variables)


def with_settings_for_accounts(machine: Machine) -> None:
    """Set kernel limits below those that a rootless gateway needs."""
    for name, value in (("core.somaxconn", "4096"), ("ipv4.ip_unprivileged_port_start", "1024")):
        machine.scene.write(f"/proc/sys/net/{name.replace('.', '/')}", f"{value}\n")
    machine.scene.write("/proc/sys/net/netfilter/nf_conntrack_acct", "0\n")
    machine.scene.write("/proc/sys/net/netfilter/nf_conntrack_timestamp", "0\n")


def test_rootless_kernel_settings_are_made_for_the_account(machine: Machine) -> None:
    with_settings_for_accounts(machine)
    before = machine.tree()

    done = machine.run(kernel.STEP, mode="rootless")
    assert "set net.ipv4.ip_unprivileged_port_start to 443" in done
    assert "set net.core.somaxconn to 8192" in done
    assert machine.run(kernel.STEP, mode="rootless") == []

    machine.uninstall()
    assert machine.tree() == before


def test_without_root_each_half_has_its_own_places_of_the_proxy(machine: Machine) -> None:
    answers = {"environment": {"https_proxy": PROXY}, "mode": "rootless"}
    of_host = of_root(machine, environment={"https_proxy": PROXY})
    written = [action.describe() for action in machine.scene.run(proxy.SYSTEM, of_host)]
    assert written == [f"write {proxy.PROFILE}", "remember environment.wanted"]
    assert machine.scene.run(proxy.SYSTEM, of_root(machine, environment={"https_proxy": PROXY})) == ()

    done = machine.run(environment.STEP, proxy.UNITS, **answers)
    written = [text.partition(" and apply it to ")[2] for text in done]
    assert [unit for unit in written if unit] == ["podman.service", "mstunnel_monitor.service"]
    assert f"write {proxy.PROFILE}" not in done


SECRET = "http://user:word@proxy.example.com:3128"
DROP_INS = [
    f"/etc/systemd/system/{unit}.d/http-proxy.conf" for unit in ("podman.service", "mstunnel_monitor.service")
]


def of_root(machine: Machine, **answers: Any) -> Run:
    """Return the run of root's part of a rootless installation."""
    run = machine.opened(mode="rootless", **answers)
    return replace(run, host=replace(run.host, scope=Scope.HOST))


def test_without_root_a_password_is_in_no_file_of_the_system(machine: Machine) -> None:
    """All users can read the journal of root's part, so it must not contain a password."""
    run = of_root(machine, environment={"https_proxy": SECRET})
    assert machine.scene.run(proxy.SYSTEM, run) == ()
    assert machine.text(proxy.PROFILE) == ""
    assert "word" not in (machine.scene.files.read(machine.scene.journal.path) or b"").decode()
    assert machine.scene.prompter.said == [
        "The proxy has a password; only the files of the account contain it."
    ]


def test_rootless_journal_omits_files_others_cannot_read(machine: Machine) -> None:
    machine.scene.write(proxy.PROFILE, "export TOKEN=hidden\n").chmod(0o600)
    machine.scene.run(proxy.SYSTEM, of_root(machine, environment={"https_proxy": PROXY}))
    assert machine.text(proxy.PROFILE) == "export TOKEN=hidden\n"
    assert b"hidden" not in (machine.scene.files.read(machine.scene.journal.path) or b"")


def mode(machine: Machine, path: str) -> int:
    state = machine.scene.files.state(path)
    assert state is not None
    return state.mode


def test_shell_profile_keeps_its_mode_and_other_lines(machine: Machine) -> None:
    theirs = "# ours\nexport http_proxy=http://old:1\nexport EDITOR=vi\n"
    machine.scene.write(proxy.PROFILE, theirs).chmod(0o600)
    install_proxy(machine, http_proxy=PROXY)
    assert machine.text(proxy.PROFILE).startswith("# ours\nexport EDITOR=vi\n")
    assert PROXY in machine.text(proxy.PROFILE)
    assert mode(machine, proxy.PROFILE) == 0o600
    machine.uninstall()
    assert (machine.text(proxy.PROFILE), mode(machine, proxy.PROFILE)) == (theirs, 0o600)


def test_only_files_with_a_password_are_readable_by_root_only(machine: Machine) -> None:
    install_proxy(machine, https_proxy=PROXY)
    places = (proxy.PROFILE, *DROP_INS)
    assert [mode(machine, path) for path in places] == [0o644] * 3
    install_proxy(machine, https_proxy=SECRET)
    assert [mode(machine, path) for path in DROP_INS] == [0o600, 0o600]

    machine.uninstall()
    install_proxy(machine, https_proxy=SECRET)
    assert [(SECRET in machine.text(path), mode(machine, path)) for path in places] == [(True, 0o600)] * 3
    assert install_proxy(machine, https_proxy=SECRET) == []


def test_a_password_is_not_written_where_every_user_reads_it(machine: Machine) -> None:
    machine.scene.write(proxy.PROFILE, "export EDITOR=vi\n")
    install_proxy(machine, https_proxy=SECRET)
    assert machine.text(proxy.PROFILE) == "export EDITOR=vi\n"
    assert any(
        proxy.PROFILE in text and "password" in text and "word@" not in text
        for text in machine.scene.prompter.said
    )
    assert [mode(machine, path) for path in DROP_INS] == [0o600, 0o600]


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY"])
def test_one_setting_reaches_every_place(machine: Machine, name: str) -> None:
    before = machine.tree()

    install_proxy(machine, **{name: "http://old.example.com:1"})
    install_proxy(machine, **{name: PROXY})

    assert [path for path, content in machine.tree().items() if b"old.example.com" in content] == []
    for path, line in (
        (paths.ENVIRONMENT, f"https_proxy={PROXY}\n"),
        (paths.ENVIRONMENT, f"HTTPS_PROXY={PROXY}\n"),
        (proxy.PROFILE, f"export https_proxy={PROXY}\nexport HTTPS_PROXY={PROXY}\n"),
        ("/etc/systemd/system/podman.service.d/http-proxy.conf", f'Environment="HTTPS_PROXY={PROXY}"\n'),
        ("/etc/systemd/system/mstunnel_monitor.service.d/http-proxy.conf", f'"https_proxy={PROXY}"\n'),
    ):
        assert line in machine.text(path)
    assert install_proxy(machine, **{name: PROXY}) == []
    machine.uninstall()
    assert machine.tree() == before


def test_no_proxy_is_removed_before_env_sh_is_written(machine: Machine) -> None:
    """The host part of a rootless installation runs first, and root may repeat it without proxies."""
    install_proxy(machine, https_proxy=PROXY)
    machine.scene.files.remove(paths.ENVIRONMENT)
    assert proxy.STEP.obsolete(machine.opened(environment={})) == []


def test_removed_proxy_is_removed_everywhere(machine: Machine) -> None:
    machine.scene.write(proxy.PROFILE, "export EDITOR=vi\n")
    before = machine.tree()
    install_proxy(machine, https_proxy=PROXY)
    run = machine.opened(environment={"https_proxy": PROXY})
    assert proxy.STEP.obsolete(run) == []

    machine.scene.write(paths.ENVIRONMENT, "TRACE_SESSIONS=1\n")
    assert install_proxy(machine, https_proxy=PROXY) == []
    after = {path: text for path, text in machine.tree().items() if not path.endswith("mstunnel/env.sh")}
    assert after == before


def test_docker_proxy_is_written_where_docker_reads_it(machine: Machine) -> None:
    machine.host.systemd.running_units.add("docker.service")
    machine.host.systemd.environments["docker.service"] = f"http_proxy={PROXY} HTTP_PROXY={PROXY}"
    machine.run(environment.STEP, proxy.STEP, engine="docker", environment={"http_proxy": PROXY})
    assert machine.text(proxy.ENVIRONMENT) == f"http_proxy={PROXY}\nHTTP_PROXY={PROXY}\n"
    assert machine.text(proxy.PROFILE) == ""
    assert "restart docker.service" in machine.host.systemd.told


def test_a_foreign_drop_in_with_precedence_is_an_error(machine: Machine) -> None:
    machine.host.systemd.running_units.add("podman.service")
    machine.host.systemd.environments["podman.service"] = "http_proxy=http://other:1"
    with refused(StepError, "proxy-overruled") as caught:
        install_proxy(machine, http_proxy=PROXY)
    assert "systemctl cat podman.service" in caught.value.hint


def test_no_password_of_a_foreign_drop_in_or_of_ours_is_shown(machine: Machine) -> None:
    """`mstunnel-setup status`, which reads the failure from the journal, does not show one either."""
    machine.host.systemd.running_units.add("podman.service")
    theirs = "https_proxy=http://them:hidden@other.example.com:1"
    machine.host.systemd.environments["podman.service"] = theirs
    with refused(StepError, "proxy-overruled") as caught:
        install_proxy(machine, https_proxy=SECRET)
    message = f"podman.service has https_proxy=http://other.example.com:1, expected {PROXY}"
    failure = machine.scene.journal.receipt.failure
    assert failure is not None
    assert (caught.value.message, failure.message) == (message, message)


def selinux(machine: Machine, *ports: str) -> None:
    machine.scene.write("/sys/fs/selinux/enforce", "1")
    types = dict.fromkeys(map(int, ports), "http_port_t") | {3128: "squid_port_t"}
    emulated.label(machine.host.root, types, emulated.POLICY)


@pytest.fixture
def semanage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Host, "find", lambda _self, name: f"/usr/sbin/{name}")


@pytest.mark.usefixtures("semanage")
def test_selinux_port_label_is_added_and_removed(machine: Machine) -> None:
    selinux(machine, "80", "443")
    assert "set the SELinux type of TCP port 3128 to http_port_t" in install_proxy(machine, https_proxy=PROXY)
    assert emulated.ports(machine.host.root) == {3128: "http_port_t"}
    machine.uninstall()
    assert emulated.ports(machine.host.root) == {}


@pytest.mark.usefixtures("semanage")
@pytest.mark.parametrize(
    ("enforce", "typed", "ports"),
    [
        *((enforce, "", (3128,)) for enforce in ("1", "1\n")),
        *((enforce, "", ()) for enforce in ("0", None)),
        *(("1", "yes", (3128,)), ("1", "no", ())),
    ],
)
def test_selinux_port_is_labelled_if_a_person_agrees(
    machine: Machine, enforce: str | None, typed: str, ports: tuple[int, ...]
) -> None:
    selinux(machine, "80")
    if enforce is None:
        machine.scene.files.remove("/sys/fs/selinux/enforce")
    else:
        machine.scene.write("/sys/fs/selinux/enforce", enforce)
    prompter = machine.scene.prompter
    prompter.interactive, prompter.typed = bool(typed), [typed]
    run = machine.opened(environment={"https_proxy": PROXY})
    environment.STEP.gather(run)
    assert proxy.STEP.gather(run).unlabelled == ports
    assert ["3128" in question for question in prompter.asked] == [True] * bool(typed)


def test_bridge_is_moved_and_restored(machine: Machine) -> None:
    before = machine.tree()
    machine.host.systemd.running_units.add("podman.service")
    machine.run(bridge.STEP, bridge="192.168.240.0/24")
    assert machine.text(bridge.DROP_IN) == '[network]\ndefault_subnet = "192.168.240.0/24"\n'
    assert machine.host.systemd.told == ["daemon-reload", "restart podman.service"]
    assert machine.run(bridge.STEP, bridge="192.168.240.0/24") == []
    machine.uninstall()
    assert machine.tree() == before


CONFLIST = "/etc/cni/net.d/87-podman-bridge.conflist"


@pytest.mark.parametrize(("backend", "path"), [("cni", CONFLIST), ("netavark", bridge.DROP_IN)])
def test_cni_file_counts_only_if_podman_reads_it(machine: Machine, backend: str, path: str) -> None:
    plugin = {"type": "bridge", "bridge": "cni-podman0", "ipam": {"subnet": "10.88.0.0/16"}}
    machine.scene.write(CONFLIST, json.dumps({"plugins": [plugin]}))
    machine.scene.write("/var/lib/containers/storage/defaultNetworkBackend", backend)
    done = machine.run(bridge.STEP, bridge="192.168.240.0/24")
    assert done[-1] == f"write {path} and apply it to podman.service"


def test_docker_keeps_its_other_settings(machine: Machine) -> None:
    machine.scene.write(bridge.DAEMON, '{"log-driver": "journald", "bip": "10.0.0.1/24"}').chmod(0o600)
    machine.run(bridge.STEP, bridge="192.168.240.0/24", engine="docker")
    assert mode(machine, bridge.DAEMON) == 0o600
    assert json.loads(machine.text(bridge.DAEMON)) == {"log-driver": "journald", "bip": "192.168.240.1/24"}
    machine.uninstall()
    assert json.loads(machine.text(bridge.DAEMON))["bip"] == "10.0.0.1/24"


def test_docker_settings_added_by_others_stay(machine: Machine) -> None:
    """The same range causes no prompt; with another one, uninstallation would lose the others' text."""
    machine.run(bridge.STEP, bridge="192.168.240.0/24", engine="docker")
    theirs = '{"bip":"192.168.240.1/24","debug":true}'
    machine.scene.write(bridge.DAEMON, theirs)
    assert machine.run(bridge.STEP, bridge="192.168.240.0/24", engine="docker") == []
    with pytest.raises(WaitingError):
        machine.run(bridge.STEP, bridge="192.168.241.0/24", engine="docker")
    machine.uninstall()
    assert machine.text(bridge.DAEMON) == theirs


def test_without_root_there_is_no_bridge_to_move(machine: Machine, tmp_path: Path) -> None:
    assert machine.run(bridge.STEP, bridge="192.168.240.0/24", mode="rootless") == []
