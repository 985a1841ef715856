from pathlib import Path

import pytest

from mstunnel_lab.graph.tunnel import DEFAULT_THRESHOLDS, default_threshold
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.exchange.thresholds import Threshold, Thresholds, read_thresholds, with_tenant
from mstunnel_setup.io.files import Files
from mstunnel_setup.tenant.wire import HealthThreshold


@pytest.fixture
def files(tmp_path: Path) -> Files:
    files = Files(tmp_path)
    files.make_directories(paths.CONFIGURATION)
    return files


def test_the_documentation_s_numbers_are_the_defaults(files: Files) -> None:
    found = read_thresholds(files)

    assert (found.cpu_usage, found.memory_usage) == (Threshold(healthy=95, unhealthy=100),) * 2
    assert found.disk_space == Threshold(healthy=5, unhealthy=3)
    assert found.latency == Threshold(healthy=10, unhealthy=20)
    assert found.certificate_days == Threshold(healthy=30, unhealthy=0)


def test_a_file_on_the_server_sets_some_and_the_tenant_wins(files: Files) -> None:
    files.write(
        paths.HEALTH_THRESHOLDS,
        b'{"cpu_usage": {"healthy": 60, "unhealthy": 70}, "disk_space": {"healthy": 20, "unhealthy": 9}}',
    )
    local = read_thresholds(files)
    assert local.cpu_usage == Threshold(healthy=60, unhealthy=70)
    assert local.latency == Threshold(healthy=10, unhealthy=20)

    tenant = HealthThreshold(id="cpuUsage", healthy_threshold=50, unhealthy_threshold=75)
    found = with_tenant(local, [tenant])

    assert found.cpu_usage == Threshold(healthy=50, unhealthy=75)
    assert found.disk_space == Threshold(healthy=20, unhealthy=9)


def test_every_metric_of_the_lab_tenant_is_known() -> None:
    tenant = [default_threshold(*row) for row in DEFAULT_THRESHOLDS]
    found = with_tenant(Thresholds(), tenant)

    assert found.cpu_usage == found.memory_usage == Threshold(healthy=50, unhealthy=75)
    assert found.disk_space == Threshold(healthy=5, unhealthy=3)


@pytest.mark.parametrize("unusable", [{"id": "somethingNew"}, {"id": "cpuUsage", "healthy_threshold": None}])
def test_properties_missing_in_the_tenant_stay(unusable: dict[str, str | None]) -> None:
    assert with_tenant(Thresholds(), [HealthThreshold.model_validate(unusable)]) == Thresholds()


@pytest.mark.parametrize(
    ("content", "place"),
    [(b"{", ""), (b'{"cpu": {}}', "cpu"), (b'{"latency": {"healthy": "fast"}}', "latency.healthy")],
)
def test_a_wrong_file_is_named_with_the_place(files: Files, content: bytes, place: str) -> None:
    files.write(paths.HEALTH_THRESHOLDS, content)
    with pytest.raises(StepError, match=place or "cannot be read") as caught:
        read_thresholds(files)
    assert caught.value.code == "thresholds-invalid"
