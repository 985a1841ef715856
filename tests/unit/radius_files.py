"""The files for RADIUS, as radcli reads them: the library that ocserv reads them with."""

import ctypes
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.actions.gateway_configuration import client_conf, servers_file
from mstunnel_setup.base.errors import StepError
from tests.unit.hostile import BREAKS


def radcli(tmp_path: Path, servers: list[str], secret: str) -> tuple[ctypes.CDLL, Any]:
    """The library that ocserv reads these files with, and what it made of them: nothing if they are wrong."""
    library = ctypes.CDLL("libradcli.so.4")
    library.rc_read_config.restype = library.rc_conf_str.restype = ctypes.c_void_p
    (tmp_path / "servers").write_text(servers_file(servers, secret))
    text = client_conf(servers, "gw.1").replace("/etc/mstunnel/private/radius", str(tmp_path))
    (tmp_path / "radiusclient.conf").write_text(text)
    return library, library.rc_read_config(str(tmp_path / "radiusclient.conf").encode())


def check_radius_client(tmp_path: Path) -> None:
    library, read = radcli(tmp_path, ["192.0.2.7:1645", "[2001:db8::7]"], "secret")
    assert read
    value = library.rc_conf_str(ctypes.c_void_p(read), b"nas-identifier")
    assert ctypes.string_at(value) == b"gw.1"
    for value in ("a b", "", "é", *BREAKS):
        with pytest.raises(StepError):
            client_conf([value], "gw")


def check_radius_servers(tmp_path: Path) -> None:
    secret = "".join(map(chr, range(33, 93)))
    library, read = radcli(tmp_path, ["192.0.2.7:1645", "[2001:db8::7]"], secret)
    for host in (b"192.0.2.7", b"2001:db8::7"):
        found, place = ctypes.create_string_buffer(96), ctypes.c_void_p()
        assert library.rc_find_server_addr(ctypes.c_void_p(read), host, ctypes.byref(place), found, 0) == 0
        assert found.value.decode() == secret
    for value in ("a b", "", "\t", *BREAKS):
        with pytest.raises(StepError):
            servers_file(["192.0.2.7"], value)
