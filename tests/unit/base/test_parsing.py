"""Text from elsewhere is parsed or refused; no parser fails in another way."""

import base64
import csv
import json
import math
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from mst_admin.objects import proxy_exclusions as exclusions
from mstunnel_setup.answers.document import DocumentError, compose
from mstunnel_setup.base import parsing as foreign
from mstunnel_setup.base.errors import SetupError
from mstunnel_setup.containers.archive import archived_images
from mstunnel_setup.containers.engine import engine_time
from mstunnel_setup.exchange import release_catalogue as release
from mstunnel_setup.gateway.ocserv_conf import debug_level, served_level, served_port
from mstunnel_setup.io.http import _retry_after
from mstunnel_setup.readiness.facts import firewall, parse
from mstunnel_setup.readiness.sysctls import FORWARD, suffices
from mstunnel_setup.tenant.token_sources import claims
from mstunnel_setup.tenant.wire import TunnelServer
from tests.archives import write_archive
from tests.cases import every
from tests.refusals import refused
from tests.unit.clocks import FakeClock
from tests.unit.io.test_endpoint import answered

_NOW = datetime(2026, 7, 1, tzinfo=UTC)
_LONG = "9" * 5000
_DEEP = 200_000
HOSTILE = [
    "",
    "²",
    "٣",
    "-1",
    _LONG,
    f"-{_LONG}",
    "1e999",
    "NaN",
    "-Infinity",
    "[" * _DEEP,
    '{"a":' * _DEEP,
    "a = " + "[" * _DEEP,
    "a: " + "{a: " * 5000,
    "a: &a [1,1]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: &d [*c,*c]\n" * 50,
    '"\\ud800"',
    f'{{"a": {_LONG}}}',
    "2026-01-01T00:00:00",
    "9999-12-31T23:59:59-23:59",
    f"Mon, 01 Jan {_LONG} 00:00:00 GMT",
    "Mon, 01 Jan 2024 00:00:00 +999999999999999999999",
    f"Mon, 01 Jan 2024 00:00:00 +{_LONG}",
    "\0",
    "\ud800",
    "x" * 100_000,
]
_TEXTS = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=60),
    st.text("0123456789-+:.TZ² ", max_size=40),
    st.text('[]{}",:\\u0d8 eE9.-', max_size=60),
)


def _head(text: str) -> Any:
    return answered(f"HTTP/1.1 {text} OK\r\nDate: {text}\r\n\r\n".encode("latin-1", errors="replace"))


def _wait(text: str) -> Any:
    response = requests.Response()
    response.headers["Retry-After"] = text
    return _retry_after(response, FakeClock())


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", errors="surrogatepass")


PARSERS: dict[str, Callable[[str], Any]] = {
    "Retry-After": _wait,
    "head of an answer": _head,
    "time of an engine": engine_time,
    "releases.toml": lambda text: release.parse(text, "releases.toml"),
    "claims": lambda text: claims(f"a.{base64.urlsafe_b64encode(_bytes(text)).decode()}.c"),
    "claims as they are": lambda text: claims(f"a.{text}.c"),
    "DEBUG_LEVEL": debug_level,
    "port": lambda text: served_port(b"tcp-port = " + _bytes(text) + b"\n"),
    "log level": lambda text: served_level(b"log-level = " + _bytes(text) + b"\n"),
    "answers": lambda text: compose(_bytes(text), "answers.yaml", "answers"),
    "JSON of the host": foreign.json_object,
    "containers.conf": parse.network_backend,
    "subuid": lambda text: parse.free_subordinate_id(f"a:{text}:{text}"),
    "ids": lambda text: parse.subordinate_ids(f"a:{text}:{text}", "a", 1),
    "passwd": lambda text: parse.account_line(f"a:x:{text}:1:a:/home/a:/bin/sh", "a"),
    "nftables": lambda text: firewall.nftables(text, 443),
    "firewalld": lambda text: firewall.firewalld(f"public (active)\n  ports: {text}/tcp\n", 443),
    "ufw": lambda text: firewall.ufw(f"Status: active\n{text}/tcp ALLOW Anywhere\n", 443),
    "ports of SELinux": lambda text: firewall.proxy_port_ranges(f"http_cache_port_t tcp {text}"),
    "setting of the kernel": lambda text: suffices("net.core.somaxconn", text, "8192"),
    "forwarding": lambda text: suffices(FORWARD, text, "1"),
    "exclusions": exclusions.read_csv,
}


@settings(max_examples=60, deadline=None)
@given(_TEXTS)
@pytest.mark.parametrize("name", PARSERS)
def test_any_text_is_parsed_or_refused(name: str, text: str) -> None:
    # These readers raise exceptions that their callers turn into errors.
    refusals = {"exclusions": csv.Error, "answers": DocumentError}
    with suppress(SetupError, refusals.get(name, SetupError)):
        PARSERS[name](text)


@given(st.one_of(_TEXTS, st.recursive(st.none() | st.floats() | st.text(), st.lists).map(json.dumps)))
def test_every_json_value_read_can_be_written(text: str) -> None:
    try:
        found = foreign.json_value(text)
    except ValueError:
        return
    json.dumps(found, allow_nan=False, ensure_ascii=False).encode()


@every("text", HOSTILE)
def test_hostile_text_is_not_a_whole_number(text: str) -> None:
    assert foreign.whole_number(text) is None


@given(st.integers(0, 10**9 - 1))
def test_whole_numbers_are_read(number: int) -> None:
    assert foreign.whole_number(str(number)) == number


@given(st.datetimes(timezones=st.none() | st.timezones()))
def test_every_time_read_has_a_time_zone(time: datetime) -> None:
    found = foreign.moment(time.isoformat())
    assert found is None or found.tzinfo is not None


def test_toml_number_out_of_range_is_refused() -> None:
    for text in ("a = inf", "a = nan", "a = 1e999"):
        with pytest.raises(ValueError, match="number"):
            foreign.toml_table(text)
    assert foreign.toml_table("a = 1.5") == {"a": 1.5}
    assert math.isfinite(foreign.json_value("1e300"))


def test_check_in_time_without_offset_is_utc() -> None:
    server = TunnelServer.model_validate({"lastCheckinDateTime": "2026-01-01T00:00:00"})
    assert server.last_checkin_date_time == datetime(2026, 1, 1, tzinfo=UTC)


def test_retry_after_in_other_digits_is_ignored() -> None:
    assert _wait("²") is None
    assert _wait("7") == 7


@pytest.mark.parametrize(
    "index", ["[" * _DEEP, '{"manifests": 1}', '{"manifests": [1]}', f"[{_LONG}]", "null"]
)
def test_image_archive_with_a_damaged_index_is_refused(tmp_path: Path, index: str) -> None:
    archive = write_archive(tmp_path / "images.tar", {"index.json": index.encode()})
    with refused(SetupError, "image-archive-unusable"):
        archived_images(archive)
