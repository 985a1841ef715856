import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from mstunnel_setup.agent.tenant import trusted_roots
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CertificateError, StepError
from mstunnel_setup.exchange.agent_settings import (
    read_agent_info,
    read_agent_settings,
    read_log_level,
    read_proxies,
)
from mstunnel_setup.io.files import Files
from tests.refusals import refused
from tests.unit.agent.fakes import SERVER, SITE
from tests.unit.tenant.credentials import certificate, rsa_key

NOW = datetime(2026, 7, 1, tzinfo=UTC)
INFO = {
    "AgentId": SITE,
    "IntuneTenantId": SERVER,
    "AADTenantId": SERVER,
    "RenewalDate": "2027-01-01T00:00:00Z",
    "Authority": "https://lab.example",
    "Graph": "https://lab.example/graph",
    "Cloud": "custom",
}


@pytest.fixture
def files(tmp_path: Path) -> Files:
    files = Files(tmp_path)
    files.make_directories(paths.CA_TRUST)
    return files


def put(files: Files, path: str, value: object) -> None:
    files.write(path, json.dumps(value).encode())


def test_files_of_the_set_up_are_read(files: Files) -> None:
    put(files, paths.AGENT_INFO, INFO)
    put(files, paths.AGENT_SETTINGS, {"SiteId": SITE, "ServerId": SERVER, "CurrentServerHealthStatus": 1})

    info, settings = read_agent_info(files), read_agent_settings(files)

    assert (info.agent_id, info.tenant_id, info.cloud) == (SITE, SERVER, "custom")
    assert (settings.site_id, settings.server_id) == (SITE, SERVER)


def test_missing_agent_file_is_reported(files: Files) -> None:
    with refused(StepError, "agent-file-missing", paths.AGENT_INFO):
        read_agent_info(files)


@pytest.mark.parametrize(
    ("value", "place"),
    [([], "agent-info"), ({**INFO, "AgentId": "../x"}, "AgentId"), ({"AgentId": SITE}, "AADTenantId")],
)
def test_invalid_agent_file_is_reported_with_the_place(files: Files, value: object, place: str) -> None:
    put(files, paths.AGENT_INFO, value)

    with refused(StepError, "agent-file-invalid", place):
        read_agent_info(files)


def test_log_level_is_read_from_env_sh(files: Files) -> None:
    files.write(paths.ENVIRONMENT, b"# comment\nexport DEBUG_LEVEL='2'\n")
    assert read_log_level(files, NOW) == 2


def test_proxies_are_read_from_env_sh(files: Files) -> None:
    files.write(paths.ENVIRONMENT, b"https_proxy='http://proxy:3128'\nNO_PROXY=.corp\nDEBUG_LEVEL=1\n")

    assert read_proxies(files) == {"https_proxy": "http://proxy:3128", "NO_PROXY": ".corp"}


def test_trusted_roots_are_joined(files: Files) -> None:
    assert trusted_roots(files) == ""
    root = certificate(rsa_key())
    files.write(f"{paths.CA_TRUST}/a.crt", root.public_bytes(Encoding.PEM))
    files.write(f"{paths.CA_TRUST}/b.crt", root.public_bytes(Encoding.DER))
    files.write(f"{paths.CA_TRUST}/README", b"not a certificate")

    assert trusted_roots(files) == root.public_bytes(Encoding.PEM).decode() * 2


def test_invalid_trusted_root_is_reported(files: Files) -> None:
    files.write(f"{paths.CA_TRUST}/corp.crt", b"hello")

    with refused(CertificateError, "trusted-root-unreadable", r"ca-trust/corp\.crt"):
        trusted_roots(files)
