"""`mst-cli server|agent start|restart` and `mst-cli env check` with a valid or invalid `env.sh`."""

import socket
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import EngineError, NetworkError, SetupError
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.containers.engine import ContainerState, Image, LogOptions
from mstunnel_setup.exchange.health_report import (
    HealthReport,
    HealthState,
    SyncFailure,
    Thresholds,
    write_health,
)
from mstunnel_setup.gateway.options import Authentication, GatewayOptions
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations import component, container_switch, environment_check, status
from mstunnel_setup.transaction.journal import Journal
from tests.refusals import refused
from tests.serving import free_port
from tests.unit.clocks import START
from tests.unit.fakes import FakeEngine, FakeSystemd, ports_of
from tests.unit.operators import operator_of
from tests.unit.results import list_of

WELL = ContainerState("running", "healthy", started_at=START)
UNIT = f"{paths.SERVER}.service"


@dataclass
class Service(FakeSystemd):
    """The container services: with `words` a container exits at each start and logs them, else it runs.

    `served` are the ports on which the server was tested.
    """

    engine: FakeEngine = field(default_factory=FakeEngine)
    words: str = ""
    served: list[int] = field(default_factory=list)

    def restart(self, unit: str) -> None:
        super().restart(unit)
        if self.words:
            self.engine.containers.clear()
        else:
            self.engine.containers[unit.removesuffix(".service")] = WELL

    def start(self, *units: str) -> None:
        for unit in units:
            self.restart(unit)

    def restarts(self, unit: str) -> int:
        return 3 if self.words else 0

    def log(self, unit: str, lines: int) -> str:
        return f"main: initialized\n{self.words}\n\nmain: main.c:1242: error in command from sec-mod\n"

    def log_command(self, unit: str, *, lines: int, **_options: object) -> tuple[str, ...]:
        return ("printf", self.words if lines else "")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Service]:
    """Return a host with this `env.sh` whose server runs, and exits with `words` after a restart."""

    def prepare(content: str = "", words: str = "") -> Service:
        engine = FakeEngine({paths.SERVER: WELL, paths.AGENT: WELL})
        service = Service(units={UNIT, f"{paths.AGENT}.service"}, engine=engine, words=words)
        ports = ports_of(tmp_path, engine=engine, systemd=service)
        ports.files.make_directories(paths.CONFIGURATION)
        ports.files.write(paths.ENVIRONMENT, content.encode())
        ports.files.write(paths.OCSERV_CONF, b"tcp-port = 443\n")
        for module in (component, environment_check, status):
            monkeypatch.setattr(module, "open_gateway", lambda _operator: nullcontext(ports))
        monkeypatch.setattr(container_switch, "serves", lambda _ports, port: service.served.append(port))
        return service

    return prepare


OPERATOR = operator_of(Path("/nowhere"))


def restarted(container: str = paths.SERVER) -> Result:
    return container_switch.restart(OPERATOR, container)


REFUSED = [
    ("FOO=bar baz\n", "environment-line-invalid", "line 1 is not a plain NAME=value: FOO=…"),
    ("TRACE_SESSIONS=3\n", "trace-sessions-invalid", "TRACE_SESSIONS cannot be 3"),
    ("DEBUG_LEVEL=x\nTRACE_SESSIONS=3\n", "values-invalid", "DEBUG_LEVEL cannot be x"),
    (
        "https_proxy=http://proxy.invalid:3128\n",
        "proxy-unreachable",
        "http://proxy.invalid:3128",
    ),
    ("HTTPS_PROXY=http://a:secret@127.0.0.1:1\n", "proxy-unreachable", "http://127.0.0.1:1"),
]


@pytest.mark.parametrize(("environment", "code", "words"), REFUSED)
def test_wrong_environment_is_refused_before_the_stop(
    host: Callable[..., Service], environment: str, code: str, words: str
) -> None:
    service = host(environment)
    with refused(SetupError, code) as caught:
        restarted()
    assert service.told == []
    assert caught.value.message.startswith(f"{paths.SERVER} was not restarted: ")
    assert words in caught.value.message
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(("environment", "code", "words"), REFUSED)
def test_stopped_container_starts_despite_a_wrong_env_sh(
    host: Callable[..., Service], environment: str, code: str, words: str
) -> None:
    """At boot the proxy may answer only later, and no running container would be lost."""
    host(environment)
    result = container_switch.start(OPERATOR, paths.SERVER)
    assert (result.data["action"], [notice.code for notice in result.warnings]) == ("started", [code])
    assert words in result.warnings[0].message


def test_restart_works_with_a_damaged_journal(host: Callable[..., Service], tmp_path: Path) -> None:
    service, operator = host(), operator_of(tmp_path)
    Journal(operator.files, operator.clock, paths.STATE).begin_installation()
    operator.files.write(f"{paths.STATE}/journal.jsonl", b"damaged\n")
    assert container_switch.restart(operator, paths.SERVER).data["action"] == "restarted"
    assert service.served == [443]


def test_log_from_the_journal_has_no_blank_lines(host: Callable[..., Service]) -> None:
    """Podman's messages in the journal end with a line feed, and journalctl adds another."""
    service = host(words="first line\n\nsecond line\n\n")
    service.engine.containers.clear()
    result = component.logs(operator_of(Path("/nowhere"), json=True), paths.SERVER, LogOptions())
    assert list_of(result, "lines") == ["first line", "second line"]


def test_failed_start_names_the_proxy(host: Callable[..., Service]) -> None:
    host("TRACE_SESIONS=1\nhttps_proxy=http://proxy.invalid:3128\n", words="cannot fetch the keys")
    with refused(EngineError, "container-failed") as caught:
        container_switch.start(OPERATOR, paths.SERVER)
    assert caught.value.message.startswith("https_proxy in /etc/mstunnel/env.sh is http://proxy.invalid:3128")
    assert "cannot fetch the keys" in caught.value.message


def test_restart_waits_until_the_server_answers(host: Callable[..., Service]) -> None:
    service = host("TRACE_SESIONS=1\n")
    result = restarted()
    assert result.data["action"] == "restarted"
    assert (service.told, service.served) == ([f"restart {UNIT}"], [443])
    assert [notice.code for notice in result.warnings] == ["setting-unknown"]
    assert "did you mean TRACE_SESSIONS?" in result.warnings[0].message


def test_server_that_keeps_exiting_is_a_failure(host: Callable[..., Service]) -> None:
    service = host(words="cannot fetch the keys")
    with refused(EngineError, "container-failed", "cannot fetch the keys"):
        restarted()
    assert service.served == []


def test_restart_warns_if_the_proxy_is_not_needed_at_start(
    host: Callable[..., Service], tmp_path: Path
) -> None:
    """An agent retries until the proxy answers; a server that admits by certificate starts without."""
    host("https_proxy=http://127.0.0.1:1\n")
    assert [notice.code for notice in restarted(paths.AGENT).warnings] == ["proxy-unreachable"]
    options = GatewayOptions(authentication=Authentication.CERTIFICATE)
    Files(tmp_path).write(paths.GATEWAY_SETTINGS, options.model_dump_json().encode())
    assert [notice.code for notice in restarted().warnings] == ["proxy-unreachable"]


def test_env_check_connects_to_each_proxy_once(host: Callable[..., Service]) -> None:
    port = free_port()
    proxy = f"http://user:secret@127.0.0.1:{port}"
    host(f"http_proxy={proxy}\nhttps_proxy={proxy}\nno_proxy=localhost\nNOTE=mine\n")
    with socket.create_server(("127.0.0.1", port)) as listener:
        result = environment_check.env_check(OPERATOR)
        listener.accept()[0].close()
        listener.settimeout(0.1)
        with pytest.raises(TimeoutError):
            listener.accept()
    assert (result.status, result.exit_code) == ("warning", 0)
    assert result.data["proxies"] == [f"http://127.0.0.1:{port}"]
    assert (result.data["unknown"], len(result.warnings)) == (["NOTE"], 1)


def test_env_check_names_the_unreachable_proxy(host: Callable[..., Service]) -> None:
    host("https_proxy=http://127.0.0.1:1\nTRACE_SESIONS=1\n")
    result = environment_check.env_check(OPERATOR)
    assert (result.status, result.exit_code) == ("error", 8)
    assert "https_proxy in /etc/mstunnel/env.sh is http://127.0.0.1:1" in result.errors[0].message
    assert [notice.code for notice in result.warnings] == ["setting-unknown"]


@pytest.mark.usefixtures("settled")
def test_status_gives_the_reason_of_a_stopped_container(host: Callable[..., Service]) -> None:
    service = host("https_proxy=http://proxy.invalid:3128\n", words="Could not resolve proxy: proxy.invalid")
    with pytest.raises(NetworkError):
        restarted()
    del service.engine.containers[paths.SERVER]
    service.failed_units.add(UNIT)
    found = status.overview(OPERATOR)
    messages = {notice.code: notice.message for notice in found.warnings}
    assert messages["container-down"] == (
        "mstunnel-server is not running: Could not resolve proxy: proxy.invalid"
    )
    assert "https_proxy in /etc/mstunnel/env.sh is http://proxy.invalid:3128" in messages["proxy-unreachable"]
    assert found.exit_code == 7


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    ("environment", "codes", "exit_code"),
    [
        ("https_proxy=http://proxy.invalid:3128\n", ["proxy-unreachable"], 3),
        # If the proxy answers the host, or was just removed, status shows only the agent's error.
        ("", ["proxy-failed"], 0),
    ],
)
def test_status_names_the_proxy_that_the_agent_cannot_reach(
    host: Callable[..., Service], tmp_path: Path, environment: str, codes: list[str], exit_code: int
) -> None:
    host(environment)
    files = Files(tmp_path)
    files.make_directories(paths.AGENT_STATE)
    failed = SyncFailure(code="proxy-failed", message="the proxy cannot be used", hint="", at=START)
    report = HealthReport(
        at=START, state=HealthState.HEALTHY, rows=(), thresholds=Thresholds(), last_error=failed
    )
    write_health(files, report)
    found = status.overview(OPERATOR)
    assert [notice.code for notice in found.warnings if "proxy" in notice.code] == codes
    assert found.exit_code == exit_code


IMAGE = f"registry.example/mstunnel/gateway@sha256:{'5' * 64}"


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    ("kind", "archive_is_there", "origin", "hint"),
    [
        ("pull-image", False, "pulled from registry.example", "Run `mst-cli install`, which pulls it again."),
        ("load-image", True, "loaded from {archive}", "Run `mst-cli install`, which loads it again."),
        ("load-image", False, "loaded from {archive}", "Copy the archive to {archive} again"),
    ],
)
def test_removed_image_is_reported_with_its_origin(
    host: Callable[..., Service],
    tmp_path: Path,
    *,
    kind: str,
    archive_is_there: bool,
    origin: str,
    hint: str,
) -> None:
    """This happens after `podman system prune --all` while the server is stopped."""
    archive = tmp_path / "images.tar"
    if archive_is_there:
        archive.touch()
    service, operator = host(), operator_of(tmp_path)
    journal = Journal(operator.files, operator.clock, paths.STATE)
    journal.begin_installation()
    brought: JsonObject = {"kind": kind, "reference": IMAGE, "archive": str(archive)}
    if kind == "pull-image":
        del brought["archive"]
    stored: JsonObject = {"kind": "remember", "name": "images.server", "value": IMAGE}
    journal.append("begin", step="images", key=f"image:{IMAGE}", action=brought, before={})
    journal.append("done", key=f"image:{IMAGE}", outputs={})
    journal.append("begin", step="images", key="answer:images.server", action=stored, before={})
    journal.append("done", key="answer:images.server", outputs={"value": IMAGE})

    told = f"the image of mstunnel-server is no longer on this host: {IMAGE}, which was "
    for command in (container_switch.restart, container_switch.start):
        with refused(EngineError, "container-image-missing", told + origin.format(archive=archive)) as caught:
            command(operator, paths.SERVER)
        assert caught.value.hint.startswith(hint.format(archive=archive))
    assert service.told == [], "the container that runs is left alone"

    del service.engine.containers[paths.SERVER]
    codes = [notice.code for notice in status.overview(operator).warnings]
    assert ("container-image-missing" in codes, "container-down" in codes) == (True, False)
    service.engine.images[IMAGE] = Image(IMAGE, IMAGE.partition("@")[2], "1", None)
    codes = [notice.code for notice in status.overview(operator).warnings]
    assert "container-image-missing" not in codes
    assert container_switch.start(operator, paths.SERVER).status == "changed"


@pytest.mark.usefixtures("settled")
def test_status_gives_no_reason_for_an_intended_stop(host: Callable[..., Service]) -> None:
    service = host(words="the last line before the stop")
    del service.engine.containers[paths.SERVER]
    messages = [notice.message for notice in status.overview(OPERATOR).warnings]
    assert messages == ["mstunnel-server is not running"]


def test_log_of_a_removed_container_comes_from_the_journal(host: Callable[..., Service]) -> None:
    service = host(words="Could not resolve proxy: proxy.invalid")
    del service.engine.containers[paths.SERVER]
    operator = operator_of(Path("/nowhere"), json=True)
    result = component.logs(operator, paths.SERVER, LogOptions(since="24h"))
    assert list_of(result, "lines") == ["Could not resolve proxy: proxy.invalid"]
    result = component.logs(operator, paths.SERVER, LogOptions(lines=0))
    assert list_of(result, "lines") == []
