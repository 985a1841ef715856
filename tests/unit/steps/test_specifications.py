"""What the containers may do and see; the access log asks for more."""

import pytest

from mstunnel_setup.containers.spec import ContainerSpec
from mstunnel_setup.steps import specifications
from mstunnel_setup.steps.specifications import Setting

IMAGE = f"registry.example/gateway@sha256:{'1' * 64}"
ACCOUNTING = "net.netfilter.nf_conntrack_acct"


def server(environment: str = "", journal: str = "") -> ContainerSpec:
    setting = Setting(
        configuration="/etc/mstunnel",
        server_state="/server",
        agent_state="/agent",
        environment=environment.encode(),
        limits_processes=True,
        journal=journal,
    )
    return specifications.server(IMAGE, setting, 443)


def seen(specification: ContainerSpec) -> set[str]:
    return {volume.host for volume in specification.volumes}


@pytest.mark.parametrize("environment", ["", "TRACE_SESSIONS=0\n", "DEBUG_LEVEL=2\n"])
def test_without_an_access_log_nothing_is_counted_and_no_journal_is_seen(environment: str) -> None:
    plain = server(environment, "/run/systemd/journal")
    assert ACCOUNTING not in plain.sysctls
    assert "/run/systemd/journal" not in seen(plain)


@pytest.mark.parametrize("environment", ["TRACE_SESSIONS=1\n", "export TRACE_SESSIONS='2'\n"])
def test_an_access_log_has_the_kernel_count_and_a_tag_of_its_own(environment: str) -> None:
    traced = server(environment, "/run/systemd/journal")
    assert traced.sysctls[ACCOUNTING] == "1"
    assert [volume.options for volume in traced.volumes if "journal" in volume.host] == [("ro",)]
    assert seen(server(environment)) == seen(server())
