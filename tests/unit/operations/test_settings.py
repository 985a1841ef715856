"""`mst-cli env`, `log level` and `config show`, also with damaged files and invalid values."""

import json
import socket
from contextlib import nullcontext
from pathlib import Path

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.gateway.configuration import ServerConfiguration
from mstunnel_setup.gateway.ocserv_conf import ocserv_conf
from mstunnel_setup.gateway.rendering import admin_settings
from mstunnel_setup.operations import settings
from tests.unit.install.scenes import IMAGES, OSAKA, Accepting, Scene, configuration
from tests.unit.operations.conftest import Server
from tests.unit.operators import operator_of

LATIN_1 = "DEBUG_LEVEL=1\n# Schlüssel\n".encode("latin-1")


def put(server: Server, path: str, content: bytes) -> Path:
    place = server.file(path)
    place.write_bytes(content)
    return place


def folded(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(
    "words", ["env get", "env set NOTE new", "env unset DEBUG_LEVEL", "log level", "log level 2"]
)
def test_env_sh_in_another_encoding_is_refused_unchanged(installed: Server, words: str) -> None:
    place = put(installed, paths.ENVIRONMENT, LATIN_1)
    code, _out, err = installed(*words.split())
    assert (code, place.read_bytes()) == (10, LATIN_1)
    assert f"{paths.ENVIRONMENT}, line 2 is not UTF-8 text" in folded(err)


def test_value_that_is_not_utf8_is_refused(installed: Server) -> None:
    """Python decodes invalid bytes of an argument to surrogates, which cannot be encoded again."""
    place = put(installed, paths.ENVIRONMENT, b"NOTE=old\n")
    code, _out, err = installed("env", "set", "NOTE", b"caf\xe9".decode(errors="surrogateescape"))
    assert (code, place.read_bytes()) == (2, b"NOTE=old\n")
    assert "is not UTF-8 text" in folded(err)


def test_unknown_setting_is_set_with_a_suggestion(installed: Server) -> None:
    place = put(installed, paths.ENVIRONMENT, b"")
    code, out, err = installed("env", "set", "TRACE_SESIONS", "1")
    assert (code, place.read_bytes()) == (0, b"TRACE_SESIONS=1\n")
    assert out == "TRACE_SESIONS is set.\n"
    assert "did you mean TRACE_SESSIONS?" in folded(err)
    _code, _out, err = installed("env", "check")
    assert "did you mean TRACE_SESSIONS?" in folded(err)
    assert installed("env", "unset", "TRACE_SESIONS")[1:] == ("TRACE_SESIONS is no longer set.\n", "")


NEEDED = {
    "set DEBUG_LEVEL 2": "It takes effect within a minute.",
    "set LOG_FORMAT json": "It takes effect within a minute.",
    "set mst_verbose_log true": "It takes effect within a minute.",
    "set CLIENT_TO_CLIENT true": "To take effect: `mst-cli server restart`.",
    "set TRACE_SESSIONS 2": "To take effect: `mst-cli server restart`.",
    "set TRACE_SESSIONS 0": "To take effect: `mst-cli install`.",
    "unset TRACE_SESSIONS": "To take effect: `mst-cli install`.",
    "set no_proxy .example": "To take effect: `mst-cli install`.",
}


def test_setting_asks_only_for_the_restart_it_needs(installed: Server) -> None:
    for words, needed in NEEDED.items():
        put(installed, paths.ENVIRONMENT, b"TRACE_SESSIONS=1\n")
        code, out, err = installed("env", *words.split())
        assert (code, out.splitlines()[1:], err) == (0, [needed], ""), words


@pytest.mark.parametrize("name", ["https_proxy", "HTTP_PROXY"])
def test_new_proxy_is_tested(installed: Server, name: str) -> None:
    place = put(installed, paths.ENVIRONMENT, b"")
    for _again in range(2):
        code, found = installed.json("env", "set", name, "http://user:word@proxy.invalid:3128")
        (warning,) = found["warnings"]
        assert (code, warning["code"]) == (0, "proxy-unreachable")
        assert f"{name} in /etc/mstunnel/env.sh is http://proxy.invalid:3128: " in warning["message"]
    assert place.read_text().count("=http://user:word@proxy.invalid:3128\n") == 2
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        code, found = installed.json("env", "set", name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
    assert (code, found["warnings"]) == (0, [])
    assert installed.json("env", "set", "no_proxy", ".example")[1]["warnings"] == []


UNUSABLE = {
    "https_proxy=http://proxy:99999": "proxy-invalid",
    "mst_verbose_log=please": "verbose-invalid",
    "LOG_FORMAT=xml": "log-format-invalid",
}


def test_invalid_value_is_neither_set_nor_used(installed: Server) -> None:
    for setting, code in UNUSABLE.items():
        place = put(installed, paths.ENVIRONMENT, b"NOTE=old\n")
        exit_code, found = installed.json("env", "set", *setting.split("="))
        assert (exit_code, found["errors"][0]["code"]) == (2, code)
        assert place.read_bytes() == b"NOTE=old\n"
        place.write_text(f"{setting}\n")
        exit_code, found = installed.json("env", "check")
        assert (exit_code, found["errors"][0]["code"]) == (2, code)


def test_env_check_names_the_invalid_line(installed: Server) -> None:
    put(installed, paths.ENVIRONMENT, b"NOTE=old\nFOO=bar baz\n")
    code, _out, err = installed("env", "check")
    assert (code, "line 2 is not a plain NAME=value: FOO=…" in folded(err)) == (10, True)


def test_pulled_configuration_is_checked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway may have rejected it because of a certificate that was replaced since."""
    scene = Scene(tmp_path, engine=Accepting())
    scene.graph.configuration = configuration()
    for directory in (paths.CONFIGURATION, paths.STATE):
        scene.files.make_directories(directory)
    scene.write(paths.GATEWAY_SETTINGS, "{}")
    scene.join(OSAKA)
    run = scene.opened(**IMAGES)
    run.administrator = True
    monkeypatch.setattr(settings, "installed_run", lambda *_run, **_options: nullcontext(run))
    judged = []
    for _ in range(2):
        scene.write(paths.SERVED_CONFIGURATION, "the gateway refused it")
        status = settings.pull(operator_of(tmp_path), {}).status
        judged.append((status, scene.files.read(paths.SERVED_CONFIGURATION) is None))

    assert judged == [("changed", True), ("unchanged", False)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"Network": "10.0.0.0/8",}', "it is not JSON"),
        (b"\xff", "it is not JSON"),
        (b"[1]", "it is not a JSON object"),
        (b"null", "it is not a JSON object"),
    ],
)
def test_damaged_admin_settings_are_reported(installed: Server, content: bytes, reason: str) -> None:
    put(installed, paths.ADMIN_SETTINGS, content)
    code, _out, err = installed("config", "show")
    assert code == 10
    assert f"{paths.ADMIN_SETTINGS} is missing or damaged: {reason}" in folded(err)


def test_config_show_has_udp_and_session_timeout(installed: Server) -> None:
    configuration = ServerConfiguration.from_wire(
        {
            "network": "169.254.0.0/16",
            "disableUdpConnections": True,
            "advancedSettings": [{"name": "session-timeout", "value": "1200"}],
        }
    )
    put(installed, paths.ADMIN_SETTINGS, json.dumps(admin_settings(configuration)).encode())
    put(installed, paths.OCSERV_CONF, ocserv_conf(configuration).encode())
    code, out, _err = installed("config", "show")
    assert code == 0
    shown = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert (shown["DisableUdpConnections:"], shown["SessionTimeout:"]) == ("True", "1200")
    assert shown["ListenPort:"] == "443"


def test_log_level_exceeded_by_a_setting_gives_a_warning(installed: Server) -> None:
    place = put(installed, paths.ENVIRONMENT, b"mst_verbose_log=true\n")
    for words, status, codes in (
        ("log level 2", "changed", ["log-level-kept"]),
        ("log level 2", "unchanged", ["log-level-kept"]),
        ("log level 4", "changed", []),
    ):
        code, found = installed.json(*words.split())
        assert (code, found["status"], [item["code"] for item in found["warnings"]]) == (0, status, codes)
        assert found["data"]["level"] == 4
    assert place.read_bytes() == b"mst_verbose_log=true\nDEBUG_LEVEL=4\n"


def test_removing_a_missing_setting_is_unchanged(installed: Server) -> None:
    assert installed("env", "unset", "NOTE") == (0, "NOTE is not set.\n", "")
