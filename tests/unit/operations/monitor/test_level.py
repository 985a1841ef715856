"""The level of the gateway's log is the host's: it follows env.sh and the verbose mode, tenant or not."""

from datetime import timedelta
from pathlib import Path

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import SetupError
from mstunnel_setup.gateway.log_level import VERBOSE_HOURS, begin_verbose
from mstunnel_setup.io.files import Files
from tests.refusals import refused
from tests.unit.clocks import START
from tests.unit.operations.monitor.hosts import Host

UNTIL = START + timedelta(hours=VERBOSE_HOURS)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(files=Files(tmp_path))


def test_the_debug_level_comes_from_env_sh(host: Host) -> None:
    host.files.write(paths.ENVIRONMENT, b"DEBUG_LEVEL=3\n")
    host.monitor.keep_level()
    assert b"log-level = 3\n" in host.conf()
    assert host.looks == [host.conf()], "the gateway is notified"

    host.files.write(paths.ENVIRONMENT, b"DEBUG_LEVEL=$(id)\n")
    with refused(SetupError, "environment-line-invalid"):
        host.monitor.keep_level()
    assert b"log-level = 3\n" in host.conf()


def test_the_vendor_s_verbose_setting_comes_from_env_sh(host: Host) -> None:
    host.files.write(paths.ENVIRONMENT, b'mst_verbose_log="true"\n')
    host.monitor.keep_level()
    assert b"log-level = 4\n" in host.conf()


def test_the_verbose_mode_begins_and_ends_by_the_clock(host: Host) -> None:
    usual = host.conf()
    begin_verbose(host.files, UNTIL)
    host.monitor.keep_level()
    assert host.conf() == usual.replace(b"log-level = 0\n", b"log-level = 4\n")
    host.elapsed = VERBOSE_HOURS * 3600 - 1
    host.monitor.keep_level()
    assert b"log-level = 4\n" in host.conf()
    host.elapsed += 1
    # A monitor that has started since knows of it too.
    host.restart()
    host.monitor.keep_level()
    assert host.conf() == usual
    assert [line.partition(":")[0] for line in host.log] == ["log-level-changed"] * 2


def test_a_configuration_of_the_agent_keeps_the_level(host: Host) -> None:
    begin_verbose(host.files, UNTIL)
    host.monitor.keep_level()
    host.give(network="10.2.0.0/16")
    assert b"log-level = 4\n" in host.conf()


def test_while_the_gateway_has_not_spoken_the_level_waits(host: Host) -> None:
    host.answers = False
    host.give(network="10.2.0.0/16")
    before = host.conf()
    begin_verbose(host.files, UNTIL)
    host.monitor.keep_level()
    assert host.conf() == before
    host.answers = True
    host.gateway_looks()
    host.monitor.look()
    host.monitor.keep_level()
    assert b"log-level = 4\n" in host.conf()


def test_without_a_configuration_there_is_no_level_to_keep(host: Host) -> None:
    host.files.remove(paths.OCSERV_CONF)
    begin_verbose(host.files, UNTIL)
    host.monitor.keep_level()
    assert host.conf() == b""
