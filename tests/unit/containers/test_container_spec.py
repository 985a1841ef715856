"""A specification refuses values that an engine or systemd could misread; its options for engines."""

from typing import Any

import pytest

from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.containers.container_spec import HealthCheck, Port, Tmpfs, Volume, split_reference
from mstunnel_setup.containers.engine_options import mount_words
from tests.cases import every
from tests.refusals import refused
from tests.unit.containers.systemd_words import IMAGE, specification

_DIGEST = "sha256:" + "0a" * 32


def test_every_container_is_marked_as_ours() -> None:
    assert specification(labels={"a": "b"}).all_labels == {"org.mstunnel.managed": "1", "a": "b"}


@every(
    "values",
    [
        {"name": "../x"},
        {"name": "a b"},
        {"image": "registry.example/server:latest"},
        {"image": f"registry.example/server:1@{_DIGEST}"},
        {"image": f"server@{_DIGEST}"},
        {"image": f"Registry.example/server@{_DIGEST}"},
        {"image": f"--privileged/server@{_DIGEST}"},
        {"description": "two\nlines"},
        {"description": "continued\\"},
        {"description": ""},
        {"devices": ("/dev/net/tun rwm",)},
        {"capabilities": ("net_admin",)},
        {"selinux_level": "s0:c1,disable"},
        {"sysctls": {"net.ipv4 x": "1"}},
        {"sysctls": {"net.x": "1\n"}},
        {"sysctls": {"net.x": '"'}},
        {"sysctls": {"net.x": "\\"}},
        {"labels": {"a=b": "c"}},
        {"labels": {"a": "c\r"}},
        {"labels": {"org.mstunnel.managed": "0"}},
        {"pids_limit": 0},
        {"stop_timeout": 91},
        {"stop_timeout": -1},
    ],
)
def test_a_bad_value_is_refused(values: dict[str, Any]) -> None:
    with refused(EngineError, "container-spec") as caught:
        specification(**values)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("part", "values"),
    [
        (Volume, {"host": "relative", "container": "/a"}),
        (Volume, {"host": "/a:b", "container": "/a"}),
        (Volume, {"host": "/a", "container": "/a", "options": ("ro,z",)}),
        (Tmpfs, {"path": "/a\u2028b"}),
        (Port, {"host": 0, "container": 1}),
        (Port, {"host": 1, "container": 65536}),
        (HealthCheck, {"command": ()}),
        (HealthCheck, {"command": ("a", "b\nc")}),
        (HealthCheck, {"command": ("a",), "interval": 0}),
    ],
)
def test_a_bad_part_is_refused(part: Any, values: dict[str, Any]) -> None:
    with pytest.raises(EngineError):
        part(**values)


def test_a_reference_has_a_name_and_a_digest() -> None:
    assert split_reference(IMAGE) == ("registry.example:5000/tunnel/server", _DIGEST)
    with pytest.raises(EngineError):
        split_reference("registry.example/server")


def test_unsupported_volume_options_are_omitted_for_docker() -> None:
    volume = Volume(host="/a", container="/b", options=("ro", "noexec", "nosuid", "nodev", "z"))
    assert mount_words(volume, "docker") == "/a:/b:ro,z"
    assert mount_words(volume, "podman") == "/a:/b:ro,noexec,nosuid,nodev,z"
    only = Volume(host="/a", container="/b", options=("noexec",))
    assert mount_words(only, "docker") == "/a:/b:rw"


def test_unsupported_tmpfs_options_are_omitted_for_docker() -> None:
    mount = Tmpfs(path="/a", options=("ro", "notmpcopyup"))
    assert mount_words(mount, "docker") == "/a:ro"
    assert mount_words(mount, "podman") == "/a:ro,notmpcopyup"
    assert mount_words(Tmpfs(path="/a"), "podman") == "/a:rw"
