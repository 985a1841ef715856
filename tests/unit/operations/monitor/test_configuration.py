"""The monitor applies the agent's data: checked, rendered, tested, and rolled back when refused."""

import itertools
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import SetupError
from mstunnel_setup.exchange.mailbox import CONFIGURATION, AgentRequest, reply_to
from mstunnel_setup.gateway import rendering
from mstunnel_setup.gateway.ocserv_conf import VERBOSE_HOURS, begin_verbose
from mstunnel_setup.gateway.options import GatewayOptions
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.monitor.configuration import read_record, write_record
from tests.refusals import refused
from tests.unit.clocks import START
from tests.unit.operations.monitor.hosts import Host, document


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(files=Files(tmp_path))


def test_what_the_agent_hands_over_is_served_and_answered(host: Host) -> None:
    verdict = host.give(network="10.2.0.0/16")

    assert (verdict.state, verdict.reason) == ("accepted", "")
    assert b"ipv4-network = 10.2.0.0\n" in host.conf()
    assert host.settings()["Network"] == "10.2.0.0/16"
    assert [line.partition(":")[0] for line in host.log] == [
        "configuration-written",
        "configuration-accepted",
    ]


def test_the_first_look_after_the_installation_changes_nothing(host: Host) -> None:
    before = host.conf()
    assert host.give().state == "accepted"
    assert (host.conf(), host.looks) == (before, [])


def test_unchanged_configuration_is_not_written_again(host: Host) -> None:
    host.give(network="10.2.0.0/16")
    lines, looks, place = len(host.log), len(host.looks), host.files.locate(paths.OCSERV_CONF)
    before = place.stat().st_ino
    for _ in range(5):
        host.monitor.look()
        host.restart()
    assert (len(host.log), len(host.looks), place.stat().st_ino) == (lines, looks, before)


def test_a_refused_one_is_rolled_back_and_not_retried(host: Host) -> None:
    before, settings = host.conf(), host.settings()
    verdicts = [host.give(network="10.66.0.0/16") for _ in range(3)]
    host.restart()
    verdicts.append(host.give(network="10.66.0.0/16"))

    assert {verdict.state for verdict in verdicts} == {"refused"}
    assert all("line 3: bad" in verdict.reason for verdict in verdicts)
    assert (host.conf(), host.settings()) == (before, settings)
    assert sum(b"10.66." in look for look in host.looks) == 1
    assert sum("refused" in line for line in host.log) == 1
    assert host.give(network="10.3.0.0/16").state == "accepted"


def test_rejected_settings_file_is_rolled_back_once(
    host: Host,
) -> None:
    """Only the other file differs: the gateway refuses what it has run so far, for another reason."""
    before, settings = host.conf(), host.settings()
    host.refused = "10.1."
    verdict = host.give(listenPort=8443)
    looks = len(host.looks)
    for _ in range(3):
        host.monitor.look()
        host.restart()
    assert verdict.state == "refused"
    assert (host.conf(), host.settings(), len(host.looks)) == (before, settings, looks)
    assert host.monitor.settled


def test_rejected_configuration_is_served_after_a_fix(host: Host) -> None:
    """The certificate did not match its key, say, and the administrator has replaced it."""
    refusal = host.give(network="10.66.0.0/16")
    host.refused = "nothing any more"
    host.pull(network="10.66.0.0/16")
    pulled = host.conf()
    verdicts = [host.give(network="10.66.0.0/16") for _ in range(3)]

    assert refusal.state == "refused"
    assert [verdict.state for verdict in verdicts] == ["accepted"] * 3
    assert host.conf() == pulled
    assert sum("accepted" in line for line in host.log) == 1


def test_configuration_rejected_again_is_reported_once(host: Host) -> None:
    host.give(network="10.66.0.0/16")
    host.pull(network="10.66.0.0/16")
    lines, looks = len(host.log), len(host.looks)
    verdicts = [host.give(network="10.66.0.0/16") for _ in range(3)]
    host.restart()
    host.monitor.look()

    assert [verdict.state for verdict in verdicts] == ["refused"] * 3
    assert [line.partition(":")[0] for line in host.log[lines:]] == ["configuration-refused"]
    assert len(host.looks) == looks
    assert host.monitor.settled


@pytest.mark.parametrize("killed", [False, True])
def test_a_refused_one_is_rolled_back_only_once(host: Host, killed: bool) -> None:
    """Also by a monitor that was killed, or updated, when the earlier one was in use again already."""
    before = {path: text.decode() for path, text in rendering.current(host.files).items() if text}
    host.give(network="10.66.0.0/16")
    if killed:
        record = read_record(host.files)
        assert record is not None
        write_record(host.files, record.model_copy(update={"previous": before}))
        host.restart()
        host.monitor.look()
    host.write(network="10.66.0.0/16")
    written = host.conf()
    host.monitor.look()
    assert host.conf() == written


def test_going_back_passes_over_what_was_never_proved(host: Host) -> None:
    """The gateway has said nothing of the second one yet: the way back leads to the first."""
    before = host.conf()
    host.answers = False
    host.give(network="10.2.0.0/16")
    host.answers = True
    assert host.give(network="10.66.0.0/16").state == "refused"
    assert host.conf() == before


def test_a_gateway_that_is_down_is_heard_in_a_later_look(host: Host) -> None:
    before = host.conf()
    host.alive = False
    host.later(minutes=5)
    elapsed = host.elapsed
    verdict = host.give(network="10.66.0.0/16")
    assert (verdict.state, host.elapsed) == ("applying", elapsed), "no session is waited for"

    host.alive = True
    host.gateway_looks()
    host.monitor.look()
    assert host.conf() == before


class Killed(BaseException):
    """The monitor is killed."""


@pytest.mark.parametrize(
    "change", [{"network": "10.2.0.0/16"}, {"network": "10.66.0.0/16"}, {"listenPort": 8443}]
)
def test_killed_monitor_reaches_the_same_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    undisturbed = Host(files=Files(tmp_path / "undisturbed"))
    undisturbed.give(**change)
    write = Files.write
    kill_at = 0
    for kill_at in itertools.count(1):
        host = Host(files=Files(tmp_path / str(kill_at)))
        host.hand(AgentRequest.to_configure(document(**change), "").payload)
        left = [kill_at]

        def killed(self: Files, *arguments: object, left: list[int] = left, **more: object) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            write(self, *arguments, **more)  # type: ignore[arg-type]

        with monkeypatch.context() as patch:
            patch.setattr(Files, "write", killed)
            try:
                host.monitor.look()
            except Killed:
                pass
            else:
                break
        for _ in range(3):
            host.restart()
            host.gateway_looks()
            host.monitor.look()
        assert (host.conf(), host.settings()) == (undisturbed.conf(), undisturbed.settings()), kill_at
        found, expected = read_record(host.files), read_record(undisturbed.files)
        assert found is not None
        assert expected is not None
        assert (found.outcome, found.previous) == (expected.outcome, {})
    assert kill_at > 5


@pytest.mark.parametrize(
    "content",
    [b"", b"[" * 200_000, b'{"version": 1}', b'{"version": 2, "configuration": {}}', b"\xff\xfe", b"null"],
)
def test_what_is_no_configuration_is_refused_with_a_reason(host: Host, content: bytes) -> None:
    before = host.conf()
    host.hand(content)
    with pytest.raises(SetupError):
        host.monitor.look()
    verdict = reply_to(host.files, AgentRequest(CONFIGURATION, content))
    assert verdict is not None
    assert verdict.state == "refused"
    assert verdict.reason
    assert host.conf() == before


def test_what_is_no_file_is_one_declared_error(host: Host) -> None:
    os.mkfifo(host.files.locate(CONFIGURATION.request))
    with refused(SetupError, "file-irregular"):
        host.monitor.look()


def test_installer_decides_about_the_proxy_protocol(host: Host) -> None:
    wanted = {"name": "listen-proxy-proto", "value": "true"}
    host.give(network="10.2.0.0/16", advancedSettings=[wanted])
    host.monitor.look()
    assert b"proxy-proto" not in host.conf()
    host.inform(GatewayOptions(balancers=("192.0.2.10",)))
    host.monitor.look()
    assert b"\nlisten-proxy-proto = true\n" in host.conf()
    host.give(network="10.3.0.0/16", advancedSettings=[{**wanted, "value": "false"}])
    host.monitor.look()
    assert b"\nlisten-proxy-proto = true\n" in host.conf()


@pytest.mark.parametrize(
    ("address", "tried"),
    [
        ("https://intranet.test/", "https://intranet.test/"),
        ("http://[fd00::1]/", "http://[fd00::1]/"),
        ("http://[fd00::1/", ""),
        ("file:///etc/mstunnel/private/site.key", ""),
        ("http://user:secret@intranet.test/", ""),
        ("http://a.test/\nhttp://b.test/", ""),
        ("http://a.test/ --upload-file /x", ""),
        ("-K/etc/mstunnel/agent/x", ""),
        (f"http://a.test/{'x' * 3000}", ""),
        ("http://a.test:99999/", ""),
        ("http://ä.test/", ""),
        ("", ""),
    ],
)
def test_only_an_address_is_tried(host: Host, address: str, tried: str) -> None:
    host.give(probe_url=address)
    assert host.files.read(paths.PROBE_URL) == f"{tried}\n".encode()


def test_limit_on_disruptive_changes_survives_a_restart(host: Host) -> None:
    networks = itertools.cycle(["10.2.0.0/16", "10.3.0.0/16"])
    states = []
    for _ in range(40):
        states.append(host.give(network=next(networks)).state)
        host.restart()
        host.later(seconds=8)
    assert states[:4] == ["accepted", "accepted", "accepted", "waiting"]
    assert len(host.looks) == 3
    host.later(minutes=10)
    verdict = host.give(network=next(networks))
    assert verdict.state == "accepted"
    assert "too many changes" not in verdict.reason


def test_waiting_configuration_is_served_when_allowed(host: Host) -> None:
    verdict = [host.give(network=f"10.{number}.0.0/16") for number in range(2, 7)][-1]
    assert verdict.state == "waiting"
    assert "UTC" in verdict.reason
    host.later(minutes=11)
    host.monitor.look()
    assert b"10.6.0.0" in host.conf()


def test_reloads_are_limited_too(host: Host) -> None:
    for number in range(60):
        host.give(description=f"number {number}")
        host.later(seconds=1)
    assert len(host.looks) <= 11


def test_what_another_command_wrote_meanwhile_stays(host: Host) -> None:
    """`mst-cli config pull`, or the installer; the agent hands the same over a minute later."""
    host.give(network="10.2.0.0/16")
    pulled = host.conf().replace(b"10.2.0.0", b"10.9.0.0")
    host.files.write(paths.OCSERV_CONF, pulled)
    host.monitor.look()
    assert host.conf() == pulled


def test_without_a_mailbox_nothing_is_done(host: Host) -> None:
    host.hand(AgentRequest.to_configure(document(network="10.2.0.0/16"), "").payload)
    host.files.remove_tree(paths.OUTBOX)
    before = host.conf()
    host.monitor.look()
    assert host.conf() == before
    assert host.files.state(paths.SERVED_CONFIGURATION) is None
    assert host.files.state(paths.AGENT_CHANGES) is None


def test_another_port_waits_for_the_container(host: Host) -> None:
    host.give(listenPort=8443)
    assert b"tcp-port = 443\n" in host.conf()
    assert host.settings()["ListenPort"] == 8443
    assert rendering.open_port(rendering.current(host.files)) == 443


UNTIL = START + timedelta(hours=VERBOSE_HOURS)


@pytest.mark.parametrize(
    ("setting", "level"), [(b"DEBUG_LEVEL=3\n", b"3"), (b'mst_verbose_log="true"\n', b"4")]
)
def test_the_level_comes_from_env_sh(host: Host, setting: bytes, level: bytes) -> None:
    """In our words and in the vendor's."""
    host.files.write(paths.ENVIRONMENT, setting)
    host.monitor.keep_level()
    assert b"log-level = %s\n" % level in host.conf()
    assert host.looks == [host.conf()], "the gateway is notified"

    host.files.write(paths.ENVIRONMENT, b"DEBUG_LEVEL=$(id)\n")
    with refused(SetupError, "environment-line-invalid"):
        host.monitor.keep_level()
    assert b"log-level = %s\n" % level in host.conf()


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
