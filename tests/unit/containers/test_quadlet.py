"""Podman's own generator reads every printable value of a Quadlet unchanged."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.containers import quadlet
from mstunnel_setup.containers.container_spec import ContainerSpec, HealthCheck, Port, Tmpfs, Volume
from mstunnel_setup.containers.engine_options import create_arguments
from mstunnel_setup.containers.quadlet import check, render
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Processes
from tests.refusals import refused
from tests.unit.containers.memory import Installed
from tests.unit.containers.systemd_words import ABSOLUTE, IMAGE, TEXT, specification, words


def _generated(files: Files, spec: ContainerSpec) -> dict[str, list[str]]:
    """Return the generated service: all values of each key, in order."""
    service = check(files, Processes(), f"{spec.name}.container", render(spec))
    values: dict[str, list[str]] = {}
    for line in service.splitlines():
        key, _, value = line.partition("=")
        values.setdefault(key, []).append(value)
    return values


def _options(words: list[str], name: str) -> list[str]:
    return [value for option, value in pairwise(words) if option == name]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("root"))


@settings(max_examples=80, deadline=None)
@given(label=TEXT, host=ABSOLUTE, inside=ABSOLUTE, word=TEXT)
@example(label="%n $HOME ${X} \"q\" 'q' \\", host='/a"n v\\', inside="/b\\", word="%i$1")
@example(label=" lead and trail ", host="/a.volume", inside="/ ", word="")
@example(label="# no comment", host="/;", inside="/#", word="[Section]")
@example(label="x", host="/%h/$$x", inside="/~", word="")
def test_values_in_a_quadlet_are_read_unchanged(
    files: Files, *, label: str, host: str, inside: str, word: str
) -> None:
    plain = word.translate({ord(letter): None for letter in '"\\'})
    spec = specification(
        description=label.replace("\\", "").strip() or "x",
        labels={"text": label},
        sysctls={"kernel.domainname": plain},
        tmpfs=(Tmpfs(path=inside),),
        volumes=(Volume(host=host, container=inside, options=("ro",)),),
        health=HealthCheck(command=("test", word)),
    )
    service = _generated(files, spec)
    made = words(service["ExecStart"][0])
    assert _options(made, "--sysctl") == [f"kernel.domainname={plain}"]
    assert _options(made, "--tmpfs") == [f"{inside}:rw"]
    assert service["Restart"] == ["always"]
    assert f"text={label}" in _options(made, "--label")
    assert _options(made, "-v") == [f"{host}:{inside}:ro"]
    assert json.loads(_options(made, "--health-cmd")[0]) == ["test", word]
    assert made[-1] == IMAGE


def test_service_has_exactly_its_specified_rights(files: Files) -> None:
    spec = specification(
        description="Gateway 100% $x",
        devices=("/dev/net/tun",),
        capabilities=("NET_ADMIN", "NET_RAW"),
        ports=(Port(host=443, container=443), Port(host=443, container=8443, protocol="udp")),
        sysctls={"net.ipv4.ip_local_port_range": "1024 65000"},
        tmpfs=(Tmpfs(path="/scratch", options=("size=1m",)),),
        health=HealthCheck(command=("occtl", "show"), interval=5, timeout=4, retries=2, start_period=9),
        pids_limit=512,
        stop_timeout=20,
    )
    service = _generated(files, spec)
    made = words(service["ExecStart"][0])
    assert _options(made, "--cap-drop") == ["all"]
    assert _options(made, "--cap-add") == ["net_admin", "net_raw"]
    assert _options(made, "--device") == ["/dev/net/tun"]
    assert _options(made, "--publish") == ["443:443/tcp", "443:8443/udp"]
    assert _options(made, "--sysctl") == ["net.ipv4.ip_local_port_range=1024 65000"]
    assert _options(made, "--tmpfs") == ["/scratch:size=1m"]
    assert _options(made, "--health-cmd") == ['["occtl", "show"]']
    assert _options(made, "--health-start-period") == ["9s"]
    assert _options(made, "--pids-limit") == ["512"]
    assert _options(made, "--pull") == ["never"]
    assert _options(made, "--ulimit") == ["core=0:0"]
    assert {"--read-only", "--stop-timeout=20"} <= set(made)
    assert service["Description"] == ["Gateway 100%% $x"]
    assert service["Restart"] == ["always"]
    assert service["WantedBy"] == ["multi-user.target"]
    assert "network-online.target modprobe@tun.service systemd-modules-load.service" in service["After"]


def test_container_has_the_same_rights_without_systemd(files: Files) -> None:
    """Check all rights; the one difference is that systemd restarts a service, Podman a container."""
    spec = specification(
        capabilities=("NET_ADMIN",),
        devices=("/dev/net/tun",),
        labels={"a": "b c"},
        ports=(Port(host=443, container=443),),
        volumes=(Volume(host="/a b", container="/c"),),
        selinux_level="s0:c1,c2",
        health=HealthCheck(command=("true",)),
    )
    generated = " ".join(words(_generated(files, spec)["ExecStart"][0]))
    for option in create_arguments(spec)[1:-1]:
        name, _, value = option.partition("=")
        if name in ("--restart", "--read-only"):
            continue
        short = {"--volume": "-v"}.get(name, name)
        accepted = {f"{short} {value}", f"{short} {value.lower()}", option}
        assert any(text in generated for text in accepted), option


def test_quadlet_that_the_generator_refuses_is_an_error(tmp_path: Path) -> None:
    with refused(EngineError, "quadlet-refused", match="NoSuchKey"):
        check(Files(tmp_path), Processes(), "x.container", f"[Container]\nImage={IMAGE}\nNoSuchKey=1\n")
    assert not (tmp_path / "run/mstunnel-quadlet").exists()


@pytest.mark.parametrize(
    ("version", "available"), [("4.4.1", False), ("4.9.4-rhel", True), ("5.4.2", True), ("dev", True)]
)
def test_too_old_generator_is_not_used(version: str, *, available: bool) -> None:
    assert quadlet.available(Processes(), version) is available


def test_without_a_generator_podman_is_missing(tmp_path: Path) -> None:
    with refused(EngineError, "quadlet-missing"):
        check(Files(tmp_path), Installed(), "x.container", "")


def test_container_gets_hooks_and_name_servers_of_the_host(files: Files) -> None:
    service = _generated(
        files, specification(network="none", hooks="/etc/ho%oks", resolver="/etc/resolv.conf")
    )
    made = words(service["ExecStart"][0])
    assert made.index("--hooks-dir=/etc/ho%oks") < made.index("run")
    assert _options(made, "--network") == ["none"] or "--network=none" in made
    assert f"/bin/cp --no-preserve=all -- /etc/resolv.conf {paths.RESOLVER}" in service["ExecStartPre"]


def test_container_can_join_a_second_network(files: Files) -> None:
    service = _generated(files, specification(ipv6_network="mstunnel-ipv6"))
    made = words(service["ExecStart"][0])
    assert _options(made, "--network") == ["podman", "mstunnel-ipv6"]
